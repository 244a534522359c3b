//! PostgreSQL only, because SQLite has no connection that could be lost: what becomes of writes and reads when
//! connections are cut (docs/design.md, "Connections").

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use stratalog::{Filter, Frame, Platform, Run};

use crate::proxy::{Cut, Proxy};
use crate::support::{Database, WithRun, points, verify, years_and_values};

const AT_COMMIT: [Cut; 4] = [
    Cut::BeforeCommit,
    Cut::CommitWithheld,
    Cut::AfterCommit,
    Cut::AtTheAnswer,
];

/// What is done around each logical write: its name, how many commits it makes, and the write.
type Around<'a> = &'a mut dyn FnMut(&str, usize, &mut dyn FnMut());

/// Every kind of logical write there is. `number` tells the rounds apart.
fn every_kind_of_write(platform: &Platform, number: i64, around: Around<'_>) {
    let region = format!("Region {number}");
    around("create a region", 1, &mut || {
        platform.regions().create(&region).expect("a region");
    });
    let unit = format!("unit {number}");
    around("create a unit", 1, &mut || {
        platform.units().create(&unit).expect("a unit");
    });
    let frame = |year: i64, value: f64| {
        Frame::yearly([(region.as_str(), "Energy", unit.as_str(), year, value)])
    };
    let mut run = None;
    around("create a run", 1, &mut || {
        run = Some(platform.runs().create("model", "scenario").expect("a run"));
    });
    let run = run.expect("made");
    around("default", 1, &mut || {
        platform.runs().set_as_default(run.id()).expect("default");
    });

    let mut lock = None;
    around("lock", 1, &mut || {
        lock = Some(run.lock("block").expect("lock"))
    });
    let held = lock.as_ref().expect("locked");
    around("add", 1, &mut || {
        assert_eq!(held.iamc().add(&frame(2020, 1.0)).expect("add").inserted, 1);
    });
    let message = format!("checkpoint {number}");
    around("checkpoint", 1, &mut || {
        held.checkpoint(&message).expect("a checkpoint");
    });
    around("add again", 1, &mut || {
        let both = Frame::yearly([
            (region.as_str(), "Energy", unit.as_str(), 2020, 2.0),
            (region.as_str(), "Energy", unit.as_str(), 2030, 3.0),
        ]);
        let counts = held.iamc().add(&both).expect("add");
        assert_eq!((counts.inserted, counts.updated), (1, 1));
    });
    around("remove", 1, &mut || {
        let removed = held.iamc().remove(&frame(2030, 0.0)).expect("remove");
        assert_eq!(removed.deleted, 1);
    });
    around("revert in the block", 1, &mut || {
        held.revert_to(message.as_str()).expect("revert");
    });
    around("commit", 1, &mut || {
        let made = lock.take().expect("held").commit().expect("commit");
        assert_eq!(made.message, "block");
    });

    let mut lock = None;
    around("lock for a rollback", 1, &mut || {
        lock = Some(run.lock("fails").expect("lock"));
    });
    lock.as_ref()
        .expect("locked")
        .iamc()
        .add(&frame(2040, 4.0))
        .expect("add");
    around("rollback", 1, &mut || {
        let undone = lock.take().expect("held").rollback().expect("rollback");
        assert_eq!(undone.deleted, 1);
    });
    let mut lock = Some(run.lock("nothing").expect("lock"));
    around("rollback of nothing", 1, &mut || {
        lock.take().expect("held").rollback().expect("rollback");
    });
    // The lock, the revert, the checkpoint with the release.
    around("revert", 3, &mut || {
        run.revert_to(stratalog::TransactionId::BEFORE_FIRST)
            .expect("revert");
    });
    around("create a run to delete", 1, &mut || {
        platform.runs().create("model", "gone").expect("a run");
    });
    let gone = platform
        .runs()
        .list(&Filter::all())
        .expect("runs")
        .into_iter()
        .find(|run| run.info().scenario == "gone")
        .expect("the run");
    around("delete the run", 2, &mut || {
        platform.runs().delete(&gone).expect("delete");
    });
}

/// All that the writes leave, without the numbers that a repeated attempt may skip.
fn what_is_there(database: &Database) -> Vec<Vec<String>> {
    let mut plain = database.plain();
    [
        "SELECT operation || ' ' || coalesce(lock_token::text, '-') AS text FROM transactions ORDER BY id",
        "SELECT message AS text FROM checkpoints ORDER BY id",
        "SELECT token || ' ' || state AS text FROM run_locks ORDER BY run_id",
        "SELECT version || ' ' || is_default AS text FROM runs ORDER BY id",
        "SELECT version || ' ' || operation_type AS text FROM runs_version ORDER BY transaction_id, id",
        "SELECT name AS text FROM regions ORDER BY id",
        "SELECT name AS text FROM units ORDER BY id",
        "SELECT step || ' ' || value || ' ' || operation_type || ' ' || (end_transaction_id IS NULL) AS text
            FROM datapoints_version ORDER BY transaction_id, step",
        "SELECT step || ' ' || value AS text FROM datapoints ORDER BY run_id, step",
    ]
    .into_iter()
    .map(|query| plain.texts(query))
    .collect()
}

fn seed() -> u64 {
    let seed = std::env::var("STRATALOG_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| rand::rng().random());
    println!("repeat with STRATALOG_TEST_SEED={seed}");
    seed
}

#[test]
fn connections_cut_at_commit_50_times_leave_each_write_exactly_once() {
    const CUTS: usize = 50;
    let mut random = StdRng::seed_from_u64(seed());
    let database = Database::postgres();
    let proxy = Proxy::new(&database.url);
    let platform = Platform::open(proxy.url()).expect("through the proxy");
    let mut rounds = 0;
    let mut of_kind = [0; AT_COMMIT.len()];
    while proxy.fired() < CUTS {
        rounds += 1;
        every_kind_of_write(&platform, rounds, &mut |name, commits, write| {
            let kind = random.random_range(0..AT_COMMIT.len());
            let pass = random.random_range(0..commits);
            let fired = proxy.fired();
            proxy.cut_later(pass, AT_COMMIT[kind]);
            println!(
                "round {rounds}, {name}: {:?} after {pass} commits",
                AT_COMMIT[kind]
            );
            write();
            assert_eq!(proxy.fired(), fired + 1, "{name}: no cut");
            of_kind[kind] += 1;
        });
    }
    println!("{} cuts: {of_kind:?}", proxy.fired());
    assert!(of_kind.iter().all(|count| *count > 0), "{of_kind:?}");

    let reference = Database::postgres();
    let undisturbed = reference.open();
    for round in 1..=rounds {
        every_kind_of_write(&undisturbed, round, &mut |_, _, write| write());
    }
    assert_eq!(what_is_there(&database), what_is_there(&reference));
    verify(&platform);
}

/// Cuts at the first message of an action, at the second, and so on until it has no more.
fn cut_at_each_message(proxy: &Proxy, cut: fn(usize) -> Cut, mut action: impl FnMut(i64)) -> usize {
    for message in 0.. {
        proxy.cut(cut(message));
        action(i64::try_from(message).expect("few messages"));
        if proxy.disarm() {
            return message;
        }
    }
    unreachable!("some message is the last")
}

#[test]
fn a_write_survives_a_cut_at_any_of_its_messages() {
    let database = Database::postgres();
    WithRun::new(&database);
    let proxy = Proxy::new(&database.url);
    // One connection: it must be given back before another can be had.
    let platform = Platform::options()
        .pool_size(1)
        .open(proxy.url())
        .expect("through the proxy");
    let run = platform
        .runs()
        .get("model", "scenario", Some(1))
        .expect("the run");
    let mut expected = vec![(2020, 1.0)];
    let kinds: [fn(usize) -> Cut; 2] = [Cut::Message, Cut::MessageWithheld];
    for (kind, cut) in kinds.into_iter().enumerate() {
        let lock = run.lock("cut").expect("the lock");
        let first = 3000 + 1000 * i64::try_from(kind).expect("small");
        let messages = cut_at_each_message(&proxy, cut, |message| {
            let counts = lock
                .iamc()
                .add(&points(&[(first + message, 1.0)]))
                .expect("add");
            assert_eq!(counts.inserted, 1);
            expected.push((first + message, 1.0));
        });
        println!("an add has {messages} messages");
        assert!(messages > 10, "{messages}");
        lock.commit().expect("commit");
    }
    let now = run.iamc().tabulate(&Filter::all()).expect("points");
    assert_eq!(years_and_values(&now), expected);
    let adds = "SELECT count(*) FROM transactions WHERE operation LIKE '%add%'";
    assert_eq!(
        database.plain().number(adds),
        i64::try_from(expected.len()).expect("few")
    );
    verify(&platform);
}

#[test]
fn a_cut_in_the_middle_of_copy_writes_the_rows_once() {
    let database = Database::postgres();
    WithRun::new(&database);
    let proxy = Proxy::new(&database.url);
    let platform = Platform::open(proxy.url()).expect("through the proxy");
    let run = platform
        .runs()
        .get("model", "scenario", Some(1))
        .expect("the run");
    let lock = run.lock("many").expect("the lock");
    let frame = points(&(0..20_000).map(|n| (3000 + n, 1.0)).collect::<Vec<_>>());
    proxy.cut(Cut::Copy);
    assert_eq!(lock.iamc().add(&frame).expect("add").inserted, 20_000);
    assert_eq!(proxy.fired(), 1);
    lock.commit().expect("commit");
    assert_eq!(
        run.iamc()
            .tabulate(&Filter::all())
            .expect("points")
            .num_rows(),
        20_001
    );
    verify(&platform);
}

#[test]
fn a_read_survives_a_cut_at_any_of_its_messages() {
    let database = Database::postgres();
    let fixture = WithRun::new(&database);
    let proxy = Proxy::new(&database.url);
    let platform = Platform::open(proxy.url()).expect("through the proxy");
    let run = platform
        .runs()
        .get_by_id(fixture.run.id())
        .expect("the run");
    let messages = cut_at_each_message(&proxy, Cut::Message, |_| {
        let now = run.iamc().tabulate(&Filter::all()).expect("points");
        assert_eq!(years_and_values(&now), [(2020, 1.0)]);
    });
    assert!(messages > 3, "{messages}");
}

#[test]
fn pooled_connections_that_died_meanwhile_are_replaced() {
    let database = Database::postgres();
    let fixture = WithRun::new(&database);
    let proxy = Proxy::new(&database.url);
    let platform = Platform::options()
        .pool_size(4)
        .open(proxy.url())
        .expect("through the proxy");
    let run = platform
        .runs()
        .get_by_id(fixture.run.id())
        .expect("the run");
    let read = |run: &Run| {
        let now = run.iamc().tabulate(&Filter::all()).expect("points");
        assert!(now.num_rows() > 0);
    };
    for year in [2030, 2040, 2050] {
        let all_at_once = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    all_at_once.wait();
                    read(&run);
                });
            }
        });
        proxy.cut_all();
        read(&run);
        proxy.cut_all();
        platform.regions().get("World").expect("the region");
        proxy.cut_all();
        platform.runs().get_by_id(run.id()).expect("the run");
        let lock = run.lock("add").expect("the lock");
        proxy.cut_all();
        lock.iamc().add(&points(&[(year, 1.0)])).expect("add");
        proxy.cut_all();
        lock.commit().expect("commit");
    }
    assert_eq!(fixture.now().len(), 4);
    fixture.verify();
}
