//! PostgreSQL only, because SQLite has no server that could be away: outages and partitions (docs/design.md,
//! "Connections").
//!
//! The proxy's own kernel answers for it, so keepalives cannot notice that it is frozen: of partitions, only
//! those are tested here that show in data nobody takes, or at the server.

use std::time::{Duration, Instant};

use stratalog::{Engine, Error, Frame, Platform};

use crate::proxy::{Cut, Proxy};
use crate::support::{Database, Plain, WithRun, points};

#[test]
fn a_server_that_comes_back_after_two_seconds_is_waited_for() {
    let database = Database::postgres();
    let fixture = WithRun::new(&database);
    let proxy = Proxy::new(&database.url);
    let platform = Platform::open(proxy.url()).expect("through the proxy");
    let run = platform
        .runs()
        .get_by_id(fixture.run.id())
        .expect("the run");
    let lock = run.lock("restart").expect("the lock");
    let mut expected = vec![(2020, 1.0)];
    // The last is lost before COMMIT.
    let cuts = [
        Cut::BeforeCommit,
        Cut::AfterCommit,
        Cut::AtTheAnswer,
        Cut::Message(8),
    ];
    for (year, cut) in (2030..).zip(cuts) {
        proxy.refuse(true);
        proxy.cut(cut);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_secs(2));
                proxy.refuse(false);
            });
            lock.iamc()
                .add(&points(&[(year, 1.0)]))
                .unwrap_or_else(|error| panic!("{cut:?}: {error}"));
        });
        expected.push((year, 1.0));
    }
    assert_eq!(proxy.fired(), cuts.len());
    lock.commit().expect("commit");
    assert_eq!(fixture.now(), expected);
    fixture.verify();
}

#[test]
fn when_the_server_stays_away_at_commit_the_error_says_how_to_find_out() {
    std::thread::scope(|scope| {
        for (cut, landed) in [(Cut::AfterCommit, 1), (Cut::BeforeCommit, 0)] {
            scope.spawn(move || server_gone_at_commit(cut, landed));
        }
    });
}

fn server_gone_at_commit(cut: Cut, landed: i64) {
    let database = Database::postgres();
    let fixture = WithRun::new(&database);
    let proxy = Proxy::new(&database.url);
    let platform = Platform::open(proxy.url()).expect("through the proxy");
    let run = platform
        .runs()
        .get_by_id(fixture.run.id())
        .expect("the run");
    let lock = run.lock("away").expect("the lock");
    proxy.refuse(true);
    proxy.cut(cut);
    let error = lock
        .iamc()
        .add(&points(&[(2030, 2.0)]))
        .expect_err("nobody can tell");
    assert!(error.is_commit_unknown(), "{error}");
    let Error::CommitUnknown { find_out, .. } = &error else {
        panic!("{error}");
    };
    let message = error.to_string();
    assert!(
        message.contains("unknown whether") && message.contains(find_out),
        "{message}"
    );
    // What it says to ask tells the truth.
    let count = find_out.replace("SELECT *", "SELECT count(*)");
    assert_eq!(database.plain().number(&count), landed, "{cut:?}");

    // The next call does not wait half a minute again.
    let started = Instant::now();
    let error = lock
        .iamc()
        .add(&points(&[(2040, 2.0)]))
        .expect_err("no server");
    assert!(error.is_connection(), "{error}");
    assert!(
        started.elapsed() < Duration::from_secs(15),
        "{:?}",
        started.elapsed()
    );

    // It is back.
    proxy.refuse(false);
    lock.iamc().add(&points(&[(2040, 2.0)])).expect("add");
    lock.commit().expect("commit");
    assert_eq!(fixture.now().len(), if landed == 1 { 3 } else { 2 });
    fixture.verify();
}

#[test]
fn when_the_server_stays_away_before_commit_the_error_says_that_nothing_was_written() {
    let database = Database::postgres();
    let fixture = WithRun::new(&database);
    let proxy = Proxy::new(&database.url);
    let platform = Platform::open(proxy.url()).expect("through the proxy");
    let run = platform
        .runs()
        .get_by_id(fixture.run.id())
        .expect("the run");
    let lock = run.lock("away").expect("the lock");
    proxy.refuse(true);
    proxy.cut(Cut::Message(8));
    let error = lock
        .iamc()
        .add(&points(&[(2030, 2.0)]))
        .expect_err("no server");
    assert_eq!(proxy.fired(), 1);
    assert!(error.is_connection(), "{error}");
    let message = error.to_string();
    assert!(message.contains("nothing was written"), "{message}");
    assert!(message.contains("Repeat"), "{message}");
    assert!(!message.contains('\n'), "{message}");
    proxy.refuse(false);
    lock.rollback().expect("rollback");
    assert_eq!(fixture.now(), [(2020, 1.0)]);
    fixture.verify();
}

#[test]
fn rows_that_nobody_takes_end_the_connection() {
    // A partition while rows are sent: they are not acknowledged, and the client gives up on that.
    let database = Database::postgres();
    let fixture = WithRun::new(&database);
    let proxy = Proxy::new(&format!("{}&tcp_user_timeout=2000", database.url));
    let platform = Platform::open(proxy.url()).expect("through the proxy");
    let run = platform
        .runs()
        .get_by_id(fixture.run.id())
        .expect("the run");
    let lock = run.lock("many").expect("the lock");
    let names: Vec<_> = (0..2_000).map(|n| format!("Variable {n}")).collect();
    let frame = Frame::yearly(
        names
            .iter()
            .flat_map(|name| (0..100).map(|n| ("World", name.as_str(), "EJ/yr", 2020 + n, 1.0))),
    );
    proxy.cut(Cut::FreezeAtCopy);
    let started = Instant::now();
    let counts = lock.iamc().add(&frame).expect("add");
    println!("written after {:?}", started.elapsed());
    assert_eq!(counts.inserted, 200_000);
    assert_eq!(proxy.fired(), 1);
    lock.commit().expect("commit");
    fixture.verify();
}

/// Lets a frozen thread end also when the test fails.
struct ThawAtTheEnd<'a>(&'a Proxy);

impl Drop for ThawAtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.thaw();
    }
}

#[test]
fn a_client_that_vanished_does_not_keep_its_row_locks() {
    // The server ends a session that does nothing within a transaction; here after one second.
    let database = Database::postgres();
    let fixture = WithRun::new(&database);
    let url = database.url.replace(
        "options=",
        "options=-cidle_in_transaction_session_timeout%3D1s%20",
    );
    let proxy = Proxy::new(&url);
    let platform = Platform::open(proxy.url()).expect("through the proxy");
    let run = platform
        .runs()
        .get_by_id(fixture.run.id())
        .expect("the run");
    let lock = run.lock("vanishes").expect("the lock");
    let is_locked = |plain: &mut Plain| {
        plain
            .run("SELECT * FROM run_locks FOR UPDATE NOWAIT")
            .is_err()
    };
    std::thread::scope(|scope| {
        let thaw = ThawAtTheEnd(&proxy);
        // Far enough for the transaction to hold the lock row.
        proxy.cut(Cut::Freeze(6));
        let adding = scope.spawn(|| lock.iamc().add(&points(&[(2030, 2.0)])));
        let mut plain = database.plain();
        let started = Instant::now();
        while !is_locked(&mut plain) {
            assert!(started.elapsed() < Duration::from_secs(20), "never locked");
            std::thread::sleep(Duration::from_millis(10));
        }
        while is_locked(&mut plain) {
            assert!(started.elapsed() < Duration::from_secs(20), "still locked");
            std::thread::sleep(Duration::from_millis(50));
        }
        // It wakes up, and learns that its session has ended.
        drop(thaw);
        assert_eq!(adding.join().expect("joined").expect("add").inserted, 1);
    });
    lock.commit().expect("commit");
    assert_eq!(fixture.now(), [(2020, 1.0), (2030, 2.0)]);
    fixture.verify();
}

#[test]
fn sessions_give_up_on_peers_that_vanished() {
    let settings_of_writes = |database: &Database, url: &str| {
        let mut plain = database.plain();
        plain
            .run(
                "CREATE TABLE seen (text text);
                 CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                     INSERT INTO seen SELECT concat_ws(' ',
                         current_setting('tcp_keepalives_idle'), current_setting('tcp_keepalives_interval'),
                         current_setting('tcp_keepalives_count'), current_setting('tcp_user_timeout'),
                         current_setting('idle_in_transaction_session_timeout'));
                     RETURN NULL;
                 END $$;
                 CREATE TRIGGER look AFTER INSERT ON transactions EXECUTE FUNCTION look();",
            )
            .expect("a trigger that looks");
        let platform = Platform::open(url).expect("the platform");
        platform.regions().create("World").expect("a region");
        plain.texts("SELECT text FROM seen")
    };
    let database = Database::new(Engine::Postgres);
    assert_eq!(
        settings_of_writes(&database, &database.url),
        ["10 5 3 25000 1min"]
    );
    // Who says otherwise is heard.
    let database = Database::new(Engine::Postgres);
    let url = database.url.replace(
        "options=",
        "options=-cidle_in_transaction_session_timeout%3D5min%20-ctcp_keepalives_idle%3D77%20",
    );
    assert_eq!(settings_of_writes(&database, &url), ["77 5 3 25000 5min"]);
}

#[test]
fn a_servers_full_disk_is_told_as_such() {
    // A server with a disk of its own is too much here: a trigger says what the server says then.
    let database = Database::postgres();
    let platform = database.open();
    let mut plain = database.plain();
    plain
        .run(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 RAISE EXCEPTION USING ERRCODE = 'disk_full',
                     MESSAGE = 'could not extend file \"base/5/1\": No space left on device';
             END $$;
             CREATE TRIGGER full_disk BEFORE INSERT ON regions EXECUTE FUNCTION full_disk();",
        )
        .expect("a trigger");
    let error = platform.regions().create("World").expect_err("refused");
    assert!(matches!(error, Error::DiskFull { .. }), "{error}");
    assert!(error.to_string().contains("free space"), "{error}");
    plain
        .run("DROP TRIGGER full_disk ON regions")
        .expect("space again");
    platform.regions().create("World").expect("a region");
    assert_eq!(
        plain.number("SELECT count(*) FROM transactions"),
        1,
        "the refused one left nothing"
    );
}
