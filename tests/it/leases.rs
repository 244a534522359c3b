//! Leases, signs of dead holders, takeovers, waiting and unlocking by hand (docs/design.md, "Run locks").

use std::sync::Barrier;
use std::time::{Duration, Instant};

use stratalog::{Engine, Error, Lease, LockOptions, LockToken, Platform, RunId, SimulatedClock};

use crate::both_engines;
use crate::processes::{self, Process};
use crate::support::{Database, WithRun, points};

const SECOND: Duration = Duration::from_secs(1);

/// A process that locks the run of [`WithRun`], adds 2030, checkpoints "kept", adds 2040, and goes on to write
/// 2050, 2051 and so on until it cannot. The task is the lease in milliseconds.
#[test]
#[ignore = "started by the tests of this file"]
fn a_holder() {
    let Some((url, task)) = processes::task() else {
        return;
    };
    let lease = Lease::of(Duration::from_millis(task.parse().expect("a lease")));
    let platform = Platform::options()
        .actor("holder")
        .lease(lease)
        .open(&url)
        .expect("opening");
    let run = platform.runs().get_by_id(RunId(1)).expect("the run");
    let lock = run.lock("long work").expect("the lock");
    lock.iamc().add(&points(&[(2030, 2.0)])).expect("add");
    lock.checkpoint("kept").expect("checkpoint");
    lock.iamc().add(&points(&[(2040, 3.0)])).expect("add");
    processes::report(lock.token());
    for year in 2050.. {
        std::thread::sleep(Duration::from_millis(20));
        if let Err(error) = lock.iamc().add(&points(&[(year, 1.0)])) {
            processes::report(format!("{} {error}", error.is_lock_lost()));
            break;
        }
    }
    drop(lock);
    processes::report("ended");
}

/// Its rollback fails, and so does saying so: the heartbeat says it later.
#[test]
#[ignore = "started by the tests of this file"]
fn a_holder_that_cannot_even_give_up() {
    let Some((url, _)) = processes::task() else {
        return;
    };
    let platform = Platform::open(&url).expect("opening");
    let run = platform.runs().get_by_id(RunId(1)).expect("the run");
    let lock = run.lock("unlucky").expect("the lock");
    lock.iamc().add(&points(&[(2040, 4.0)])).expect("add");
    fail::cfg("write:done", "return").expect("arming");
    fail::cfg("give up:done", "return").expect("arming");
    drop(lock);
    fail::remove("write:done");
    fail::remove("give up:done");
    let started = Instant::now();
    while platform.locks().list().expect("locks")[0].state != "recovering" {
        assert!(started.elapsed() < 60 * SECOND, "it was never given up");
        std::thread::sleep(SECOND / 20);
    }
    run.lock("next")
        .expect("the lock")
        .commit()
        .expect("commit");
}

fn start_holder(database: &Database, lease: Duration) -> (Process, LockToken) {
    let mut holder = Process::start(
        "leases::a_holder",
        &database.url,
        &lease.as_millis().to_string(),
    );
    let token = holder.next_report().expect("the token");
    (holder, LockToken(token.parse().expect("a token")))
}

/// SQLite has one writer: while one is stopped in the middle of a write nobody writes, whoever has the lock.
fn stop_between_writes(database: &Database, holder: &Process) {
    loop {
        holder.stop();
        if database.engine == Engine::Postgres {
            return;
        }
        let mut plain = database.plain();
        if plain
            .run("PRAGMA busy_timeout = 0; BEGIN IMMEDIATE; ROLLBACK")
            .is_ok()
        {
            return;
        }
        holder.go_on();
        std::thread::sleep(SECOND / 100);
    }
}

fn holds_what_was_kept(fixture: &WithRun) {
    assert_eq!(fixture.now(), [(2020, 1.0), (2030, 2.0)]);
}

both_engines! {
    fn the_lock_of_a_killed_process_is_taken_at_once(database: &Database) {
        let fixture = WithRun::new(database);
        let (holder, token) = start_holder(database, 600 * SECOND);
        let error = fixture.run.lock("too early").err().expect("it is held");
        assert!(error.is_locked(), "{error}");
        holder.kill();
        holder.end();
        // Found to be dead, not waited for: its lease has ten minutes left. The server of PostgreSQL may need
        // a moment to see that its client has gone.
        let lock = fixture.run.lock_with("next", LockOptions::timeout(20 * SECOND)).expect("the lock");
        holds_what_was_kept(&fixture);
        assert!(lock.token() > token);
        let events = fixture.platform.locks().events(Some(fixture.run.id()), 10).expect("events");
        let event = &events[0];
        assert_eq!((event.event.as_str(), event.token, event.holder.as_str()), ("taken over", token, "holder"));
        assert_eq!((event.reason.as_str(), event.holder_reason.as_str()), ("its process ended", "long work"));
        assert_eq!(fixture.run.log().expect("log")[0].operation, "rollback of \"long work\": its process ended");
        lock.commit().expect("commit");
        fixture.verify();
    }

    fn who_waits_sees_the_holder_die(database: &Database) {
        let fixture = WithRun::new(database);
        let (holder, _) = start_holder(database, 600 * SECOND);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| fixture.run.lock_with("next", LockOptions::timeout(30 * SECOND)).map(drop));
            std::thread::sleep(SECOND / 2);
            assert!(!waiting.is_finished());
            holder.kill();
            waiting.join().expect("joined").expect("the lock");
        });
        holds_what_was_kept(&fixture);
    }

    fn a_stopped_process_loses_its_lock_after_its_lease_and_writes_nothing_more(database: &Database) {
        let fixture = WithRun::new(database);
        let (mut holder, token) = start_holder(database, SECOND);
        // It is at work and keeps its lock for longer than its lease.
        std::thread::sleep(2 * SECOND);
        assert!(fixture.run.lock("too early").err().expect("it is held").is_locked());
        stop_between_writes(database, &holder);
        let lock = fixture.run.lock_with("next", LockOptions::timeout(30 * SECOND)).expect("the lock");
        holds_what_was_kept(&fixture);
        lock.iamc().add(&points(&[(2060, 9.0)])).expect("add");
        holder.go_on();
        assert!(holder.next_report().expect("its error").starts_with("true the lock of run model / scenario"));
        assert_eq!(holder.next_report().as_deref(), Some("ended"));
        lock.commit().expect("commit");
        assert_eq!(fixture.now(), [(2020, 1.0), (2030, 2.0), (2060, 9.0)]);
        let event = &fixture.platform.locks().events(None, 10).expect("events")[0];
        assert_eq!((event.token, event.reason.as_str()), (token, "its lease ran out"));
        fixture.verify();
    }

    fn a_holder_that_only_thinks_keeps_its_lock(database: &Database) {
        let fixture = WithRun::new(database);
        let options = LockOptions { lease: Some(Lease::of(SECOND)), ..LockOptions::default() };
        let lock = fixture.run.lock_with("thinking", options).expect("the lock");
        let other = database.open();
        let run = other.runs().get_by_id(fixture.run.id()).expect("the run");
        let error = run.lock_with("impatient", LockOptions::timeout(3 * SECOND)).err().expect("it is held");
        assert!(error.is_locked(), "{error}");
        lock.commit().expect("commit");
    }

    fn a_lease_that_ran_out_and_that_nobody_took_is_renewed(database: &Database) {
        let clock = SimulatedClock::default();
        let platform = database.open_with(Platform::options().simulated_clock(&clock));
        let other = database.open_with(Platform::options().simulated_clock(&clock));
        let run = platform.runs().create("model", "scenario").expect("a run");
        let theirs = other.runs().get_by_id(run.id()).expect("the run");
        let lock = run.lock("a laptop that slept").expect("the lock");
        clock.advance(3600 * SECOND);
        assert_eq!(other.locks().list().expect("locks")[0].state, "expired");
        platform.beat().expect("a beat");
        assert_eq!(other.locks().list().expect("locks")[0].state, "held");
        assert!(theirs.lock("too late").err().expect("it is held").is_locked());
        // A write renews it too, where there is no beat.
        clock.advance(3600 * SECOND);
        lock.checkpoint("at work").expect("checkpoint");
        assert!(theirs.lock("too late").err().expect("it is held").is_locked());
        clock.advance(3600 * SECOND);
        let taken = theirs.lock("in time").expect("the lock");
        assert!(lock.commit().expect_err("lost").is_lock_lost());
        platform.beat().expect("a beat");
        assert_eq!(other.locks().list().expect("locks")[0].holder.token, taken.token());
    }

    fn the_lease_can_be_set_for_each_lock(database: &Database) {
        let clock = SimulatedClock::default();
        let platform = database.open_with(Platform::options().simulated_clock(&clock).lease(Lease::of(10 * SECOND)));
        for (lease, lasts) in [(None, 10), (Some(Lease::of(100 * SECOND)), 100)] {
            let run = platform.runs().create("model", "scenario").expect("a run");
            let lock = run.lock_with("m", LockOptions { lease, ..LockOptions::default() }).expect("the lock");
            clock.advance((lasts - 1) * SECOND);
            let holder = platform.locks().list().expect("locks").remove(0);
            assert_eq!(holder.state, "held");
            let lasted = holder.holder.expires_at - holder.holder.acquired_at;
            assert_eq!(lasted.num_seconds(), i64::from(lasts));
            clock.advance(2 * SECOND);
            assert_eq!(platform.locks().list().expect("locks")[0].state, "expired");
            lock.commit().expect("commit");
        }
        for lease in [Lease::of(Duration::ZERO), Lease::of(10 * SECOND).renewed_every(9 * SECOND), Lease::of(100_000 * SECOND)] {
            let error = Platform::options().lease(lease).open(&database.url).err().expect("refused");
            assert!(matches!(error, Error::InvalidLease(_)), "{error}");
        }
    }

    fn of_many_that_find_a_dead_holder_one_takes_over(database: &Database) {
        let clock = SimulatedClock::default();
        let fixture = WithRun::new(database);
        let platform = database.open_with(Platform::options().simulated_clock(&clock));
        let dead = platform.runs().get_by_id(fixture.run.id()).expect("the run").lock("dead").expect("the lock");
        dead.iamc().add(&points(&[(2040, 4.0)])).expect("add");
        clock.advance(3600 * SECOND);
        let barrier = Barrier::new(6);
        let winners: Vec<_> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..6)
                .map(|_| scope.spawn(|| {
                    let platform = database.open_with(Platform::options().simulated_clock(&clock));
                    let run = platform.runs().get_by_id(fixture.run.id()).expect("the run");
                    barrier.wait();
                    run.lock("race")
                }))
                .collect();
            let results: Vec<_> = racers.into_iter().map(|racer| racer.join().expect("joined")).collect();
            results.into_iter().filter_map(|result| match result {
                Ok(lock) => Some(lock),
                Err(error) => { assert!(error.is_locked(), "{error}"); None }
            }).collect()
        });
        assert_eq!(winners.len(), 1);
        assert_eq!(fixture.now(), [(2020, 1.0)]);
        assert_eq!(fixture.platform.locks().events(None, 10).expect("events").len(), 1);
        assert!(dead.rollback().expect_err("lost").is_lock_lost());
        drop(winners);
        fixture.verify();
    }

    fn sixteen_waiters_all_get_their_turn(database: &Database) {
        let fixture = WithRun::new(database);
        let first = fixture.run.lock("first").expect("the lock");
        let barrier = Barrier::new(17);
        std::thread::scope(|scope| {
            let waiters: Vec<_> = (0..16)
                .map(|number| {
                    let barrier = &barrier;
                    scope.spawn(move || {
                        let platform = database.open();
                        let run = platform.runs().get_by_id(RunId(1)).expect("the run");
                        barrier.wait();
                        let lock = run.lock_with("turn", LockOptions::timeout(120 * SECOND)).expect("its turn");
                        lock.iamc().add(&points(&[(3000 + number, 1.0)])).expect("add");
                        lock.commit().expect("commit");
                    })
                })
                .collect();
            barrier.wait();
            std::thread::sleep(SECOND / 4);
            first.commit().expect("commit");
            for waiter in waiters {
                waiter.join().expect("a waiter");
            }
        });
        assert_eq!(fixture.now().len(), 17);
        fixture.verify();
    }

    fn a_lock_is_ended_by_hand(database: &Database) {
        let fixture = WithRun::new(database);
        let locks = fixture.platform.locks();
        let lock = fixture.run.lock("out for lunch").expect("the lock");
        lock.iamc().add(&points(&[(2040, 4.0)])).expect("add");
        let token = lock.token();
        let wrong = locks.force_unlock(&fixture.run, LockToken(token.0 + 1), "I say so").expect_err("another token");
        assert!(matches!(&wrong, Error::LockTokenMismatch { found: Some(holder), .. } if holder.reason == "out for lunch"), "{wrong}");
        let silent = locks.force_unlock(&fixture.run, token, " ").expect_err("no reason");
        assert!(silent.to_string().contains("say why"), "{silent}");
        assert_eq!(fixture.now(), [(2020, 1.0), (2040, 4.0)]);

        let undone = locks.force_unlock(&fixture.run, token, "deadline at noon").expect("unlocking");
        assert_eq!(undone.deleted, 1);
        assert_eq!(fixture.now(), [(2020, 1.0)]);
        assert!(locks.list().expect("locks").is_empty());
        let events = locks.events(Some(fixture.run.id()), 10).expect("events");
        assert_eq!(events.len(), 1);
        assert_eq!((events[0].event.as_str(), events[0].reason.as_str(), events[0].token), ("forced", "deadline at noon", token));
        assert_eq!(events[0].holder_reason, "out for lunch");
        assert_eq!(fixture.run.log().expect("log")[0].operation, "rollback of \"out for lunch\": deadline at noon");
        assert!(lock.iamc().add(&points(&[(2041, 4.0)])).expect_err("lost").is_lock_lost());
        let free = locks.force_unlock(&fixture.run, token, "again").expect_err("it is free");
        assert!(matches!(free, Error::LockTokenMismatch { found: None, .. }), "{free}");
        drop(lock);
        fixture.verify();
    }

    fn raw_sql_with_the_old_token_is_refused_after_a_takeover(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("will be lost").expect("the lock");
        let token = lock.token();
        let mut plain = database.plain();
        plain.begin(1, token.0).expect("it is the holder still");
        plain.run("UPDATE datapoints SET value = 7.0").expect("update");
        plain.commit().expect("commit");
        fixture.platform.locks().force_unlock(&fixture.run, token, "test").expect("unlocking");
        assert_eq!(fixture.now(), [(2020, 1.0)]);
        let next = fixture.run.lock("next").expect("the lock");
        for stale in [token.0, token.0 + 1, 0] {
            let refused = plain.begin(1, stale).expect_err("refused").to_string();
            assert!(refused.contains("stratalog:lock_lost"), "{refused}");
            plain.roll_back();
        }
        plain.begin(1, next.token().0).expect("the holder's token");
        plain.roll_back();
        drop(next);
        drop(lock);
        fixture.verify();
    }

    fn a_lock_taken_by_hand_lasts_as_long_as_its_lease(database: &Database) {
        let fixture = WithRun::new(database);
        let mut plain = database.plain();
        plain.run("UPDATE run_locks SET token = token + 1, state = 'held', holder_user = 'me', reason = 'by hand'").expect("locking");
        plain.run("UPDATE run_leases SET expires_at = '2099-12-31 00:00:00'").expect("a lease");
        let error = fixture.run.lock("too early").err().expect("it is held");
        assert!(error.is_locked() && error.to_string().contains("by hand"), "{error}");
        plain.run("UPDATE run_leases SET expires_at = '2020-12-31 00:00:00'").expect("its end");
        fixture.run.lock("next").expect("the lock").commit().expect("commit");
        assert_eq!(fixture.platform.locks().events(None, 10).expect("events")[0].reason, "its lease ran out");
    }

    fn who_takes_over_says_what_hinders_the_rollback(database: &Database) {
        let clock = SimulatedClock::default();
        let fixture = WithRun::new(database);
        let platform = database.open_with(Platform::options().simulated_clock(&clock));
        let run = platform.runs().get_by_id(fixture.run.id()).expect("the run");
        let lost = run.lock("dead").expect("the lock");
        lost.iamc().remove(&points(&[(2020, 0.0)])).expect("remove");
        platform.regions().delete("World").expect("delete");
        clock.advance(3600 * SECOND);
        for _ in 0..2 {
            // Each tries at once: nobody waits for the one that failed.
            let error = run.lock("next").err().expect("not yet");
            assert!(matches!(error, Error::RevertNeedsMissing { .. }), "{error}");
            let locks = platform.locks().list().expect("locks");
            assert_eq!((locks[0].state.as_str(), locks[0].holder.reason.as_str()), ("recovering", "next"));
        }
        let events: Vec<_> = platform.locks().events(None, 10).expect("events").into_iter().rev().map(|event| (event.event, event.reason.contains("World"))).collect();
        let taken = |why: bool| ("taken over".to_owned(), why);
        let failed = ("rollback failed".to_owned(), true);
        assert_eq!(events, [taken(false), failed.clone(), taken(false), failed]);
        platform.regions().create("World").expect("create");
        run.lock("next").expect("the lock").commit().expect("commit");
        assert_eq!(fixture.now(), [(2020, 1.0)]);
        drop(lost);
        fixture.verify();
    }

    fn lock_events_are_never_changed(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("m").expect("the lock");
        fixture.platform.locks().force_unlock(&fixture.run, lock.token(), "test").expect("unlocking");
        let mut plain = database.plain();
        for sql in ["UPDATE lock_events SET reason = 'other'", "DELETE FROM lock_events"] {
            assert!(plain.refused(sql).contains("stratalog:append_only"), "{sql}");
        }
        drop(lock);
    }

    fn a_lock_is_given_up_when_the_database_can_be_reached_again(database: &Database) {
        let fixture = WithRun::new(database);
        processes::alone("leases::a_holder_that_cannot_even_give_up", &database.url, "");
        assert_eq!(fixture.now(), [(2020, 1.0)]);
        fixture.verify();
    }

    fn nothing_stays_beside_the_database_when_it_is_closed(database: &Database) {
        let fixture = WithRun::new(database);
        fixture.run.lock("m").expect("the lock").commit().expect("commit");
        let (holder, _) = start_holder(database, 600 * SECOND);
        holder.kill();
        holder.end();
        fixture.run.lock_with("next", LockOptions::timeout(20 * SECOND)).expect("the lock").commit().expect("commit");
        drop(fixture);
        match database.engine {
            Engine::Sqlite => {
                let folder = std::path::Path::new(&database.url).parent().expect("a folder");
                let files: Vec<_> = folder.read_dir().expect("a folder").map(|file| file.expect("a file").file_name()).collect();
                assert_eq!(files, ["test.db"]);
            }
            Engine::Postgres => {
                let mut plain = database.plain();
                let started = Instant::now();
                while plain.number("SELECT count(*) FROM pg_stat_activity WHERE application_name = current_schema() AND pid <> pg_backend_pid()") > 0 {
                    assert!(started.elapsed() < 20 * SECOND, "a session is still there");
                    std::thread::sleep(SECOND / 20);
                }
            }
        }
    }
}

/// On SQLite only: there one process that writes for long keeps all others, their heartbeats included, from
/// writing.
#[test]
fn a_long_write_of_another_process_costs_nobody_his_lock() {
    let database = Database::sqlite();
    let fixture = WithRun::new(&database);
    let options = LockOptions {
        lease: Some(Lease::of(SECOND)),
        ..LockOptions::default()
    };
    let lock = fixture
        .run
        .lock_with("thinking", options)
        .expect("the lock");
    let mut plain = database.plain();
    plain
        .run("PRAGMA busy_timeout = 20000; BEGIN IMMEDIATE")
        .expect("a long write");
    std::thread::sleep(3 * SECOND);
    let locks = fixture.platform.locks().list().expect("locks");
    assert!(
        locks[0].holder.expires_at < chrono::Utc::now().naive_utc(),
        "the row could be renewed"
    );
    assert_eq!(locks[0].state, "held");
    plain.run("ROLLBACK").expect("its end");
    assert!(
        fixture
            .run
            .lock("second")
            .err()
            .expect("it is held")
            .is_locked()
    );
    lock.commit().expect("commit");
}

/// On PostgreSQL only: there a process stopped in the middle of a write keeps the lock row locked. SQLite has one
/// writer, and nobody can write until such a process goes on or ends.
#[test]
fn a_process_stopped_in_the_middle_of_a_write_is_taken_over() {
    let database = Database::postgres();
    let fixture = WithRun::new(&database);
    let clock = SimulatedClock::default();
    let platform = database.open_with(Platform::options().simulated_clock(&clock));
    let run = platform
        .runs()
        .get_by_id(fixture.run.id())
        .expect("the run");
    let lock = run.lock("stopped").expect("the lock");
    // As the holder's connection would be, in the middle of a write and silent.
    let mut silent = database.plain();
    silent.begin(1, lock.token().0).expect("begin");
    silent
        .run("UPDATE datapoints SET value = 7.0")
        .expect("update");
    clock.advance(3600 * SECOND);
    let next = run
        .lock_with("next", LockOptions::timeout(20 * SECOND))
        .expect("the lock");
    assert_eq!(fixture.now(), [(2020, 1.0)]);
    assert!(silent.commit().is_err(), "its session was ended");
    next.commit().expect("commit");
    drop(lock);
    fixture.verify();
}
