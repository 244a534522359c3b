//! Run locks (docs/design.md, "Run locks").

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use stratalog::{Error, LockOptions, Platform, TransactionId};

use crate::both_engines;
use crate::support::{Plain, WithRun, points};

both_engines! {
    fn commit_makes_the_checkpoint_and_releases(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("second").expect("the lock");
        lock.iamc().add(&points(&[(2030, 2.0)])).expect("add");
        let checkpoint = lock.commit().expect("commit");
        assert_eq!(checkpoint.message, "second");
        assert_eq!(checkpoint.transaction_id, fixture.run.last_transaction().expect("last"));
        assert_eq!(fixture.now(), [(2020, 1.0), (2030, 2.0)]);
        assert!(fixture.platform.locks().list().expect("locks").is_empty());
        fixture.verify();
    }

    fn dropping_the_guard_rolls_back(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("fails").expect("the lock");
        lock.iamc().add(&points(&[(2020, 9.0), (2030, 2.0)])).expect("add");
        drop(lock);
        assert_eq!(fixture.now(), [(2020, 1.0)]);
        let last = &fixture.run.log().expect("log")[0];
        assert_eq!(last.operation, "rollback of \"fails\"");
        assert!(fixture.platform.locks().list().expect("locks").is_empty());
        fixture.verify();
    }

    fn a_panic_rolls_back(database: &Database) {
        let fixture = WithRun::new(database);
        let result = catch_unwind(AssertUnwindSafe(|| {
            let lock = fixture.run.lock("panics").expect("the lock");
            lock.iamc().add(&points(&[(2030, 2.0)])).expect("add");
            panic!("the model crashed");
        }));
        assert!(result.is_err());
        assert_eq!(fixture.now(), [(2020, 1.0)]);
        assert!(fixture.platform.locks().list().expect("locks").is_empty());
        fixture.verify();
    }

    fn checkpoints_made_inside_survive_a_failure(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("fails").expect("the lock");
        lock.iamc().add(&points(&[(2030, 2.0)])).expect("add");
        lock.checkpoint("kept").expect("checkpoint");
        lock.iamc().add(&points(&[(2040, 3.0)])).expect("add");
        let undone = lock.rollback().expect("rollback");
        assert_eq!(undone.deleted, 1);
        assert_eq!(fixture.now(), [(2020, 1.0), (2030, 2.0)]);
        let messages: Vec<_> = fixture.run.checkpoints().expect("checkpoints").into_iter().map(|c| c.message).collect();
        assert_eq!(messages, ["first point", "kept"]);
        fixture.verify();
    }

    fn a_failing_block_goes_back_to_where_it_was_locked_not_to_an_older_checkpoint(database: &Database) {
        let fixture = WithRun::new(database);
        // Written after the last checkpoint, by a holder that could not checkpoint: a raw transaction.
        let lock = fixture.run.lock("by hand").expect("the lock");
        let mut plain = database.plain();
        plain.begin(1, lock.token().0).expect("beginning");
        plain.run("UPDATE datapoints SET value = 5.0").expect("update");
        plain.run("UPDATE run_locks SET state = 'free'").expect("release");
        plain.commit().expect("commit");
        assert!(lock.commit().expect_err("lost").is_lock_lost());
        let lock = fixture.run.lock("fails").expect("the lock");
        lock.iamc().add(&points(&[(2020, 6.0)])).expect("add");
        drop(lock);
        assert_eq!(fixture.now(), [(2020, 5.0)]);
        fixture.verify();
    }

    fn the_second_writer_is_told_who_holds_it_since_when_and_why(database: &Database) {
        let platform = database.open_with(Platform::options().actor("ada"));
        let run = platform.runs().create("model", "scenario").expect("a run");
        let lock = run.lock("calibration").expect("the lock");
        let other = database.open_with(Platform::options().actor("bob"));
        let error = other.runs().get_by_id(run.id()).expect("the run").lock("edit").err().expect("refused");
        assert!(error.is_locked());
        let Error::RunIsLocked { holder, run_id, .. } = &error else { panic!("{error}") };
        assert_eq!((holder.user.as_str(), holder.reason.as_str(), *run_id), ("ada", "calibration", run.id()));
        assert_eq!(holder.pid, i64::from(std::process::id()));
        assert_eq!(holder.token, lock.token());
        let age = chrono::Utc::now().naive_utc() - holder.acquired_at;
        assert!(age < chrono::TimeDelta::minutes(1) && age >= chrono::TimeDelta::zero(), "{age}");
        let text = error.to_string();
        for part in ["model / scenario, version 1", "ada", "calibration", &holder.host] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let listed = other.locks().list().expect("locks");
        assert_eq!((listed.len(), listed[0].run_id, listed[0].state.as_str()), (1, run.id(), "held"));
        drop(lock);
    }

    fn waiting_gets_the_lock_when_it_is_released(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("first").expect("the lock");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let lock = fixture.run.lock_with("second", LockOptions::timeout(Duration::from_secs(60)))?;
                lock.iamc().add(&points(&[(2030, 2.0)]))?;
                lock.commit()
            });
            std::thread::sleep(Duration::from_millis(300));
            assert!(!waiting.is_finished());
            lock.commit().expect("commit");
            waiting.join().expect("joined").expect("the second block");
        });
        assert_eq!(fixture.now(), [(2020, 1.0), (2030, 2.0)]);
    }

    fn waiting_ends_at_the_timeout_and_says_how_long(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("first").expect("the lock");
        let error = fixture.run.lock_with("second", LockOptions::timeout(Duration::from_millis(250))).err().expect("refused");
        let Error::RunIsLocked { waited_seconds, .. } = error else { panic!("{error}") };
        assert!(waited_seconds >= 0.25, "{waited_seconds}");
        drop(lock);
    }

    fn waiting_can_be_interrupted(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("first").expect("the lock");
        let asked = AtomicUsize::new(0);
        let interrupt = || {
            if asked.fetch_add(1, Ordering::Relaxed) == 3 { Err(Error::Interrupted) } else { Ok(()) }
        };
        let options = LockOptions { timeout: Some(Duration::from_secs(3600)), interrupt: Some(&interrupt), ..LockOptions::default() };
        let error = fixture.run.lock_with("second", options).err().expect("interrupted");
        assert!(matches!(error, Error::Interrupted), "{error}");
        lock.commit().expect("commit");
        drop(fixture.run.lock("third").expect("the interrupted one left nothing behind"));
    }

    fn of_many_that_race_for_the_lock_one_wins(database: &Database) {
        let fixture = WithRun::new(database);
        for round in 0..5 {
            let barrier = std::sync::Barrier::new(8);
            let winners: Vec<_> = std::thread::scope(|scope| {
                let racers: Vec<_> = (0..8)
                    .map(|_| scope.spawn(|| {
                        let platform = database.open();
                        let run = platform.runs().get_by_id(fixture.run.id()).expect("the run");
                        barrier.wait();
                        run.lock("race")
                    }))
                    .collect();
                racers
                    .into_iter()
                    .map(|racer| racer.join().expect("joined"))
                    .filter_map(|result| match result {
                        Ok(lock) => Some(lock),
                        Err(error) => {
                            assert!(error.is_locked(), "{error}");
                            None
                        }
                    })
                    .collect()
            });
            assert_eq!(winners.len(), 1, "round {round}");
        }
    }

    fn tokens_grow_with_every_acquisition(database: &Database) {
        let fixture = WithRun::new(database);
        let mut last = 0;
        for _ in 0..3 {
            let lock = fixture.run.lock("again").expect("the lock");
            assert!(lock.token().0 > last);
            last = lock.token().0;
        }
    }

    fn a_holder_that_lost_its_lock_writes_nothing_more(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("will be lost").expect("the lock");
        lock.iamc().add(&points(&[(2030, 2.0)])).expect("add");
        // What taking it over does to the row.
        database.plain().run("UPDATE run_locks SET token = token + 1").expect("taking over");
        let refused = lock.iamc().add(&points(&[(2040, 3.0)])).expect_err("refused");
        assert!(refused.is_lock_lost(), "{refused}");
        assert!(refused.to_string().contains("was lost"), "{refused}");
        assert!(lock.iamc().remove(&points(&[(2020, 3.0)])).expect_err("refused").is_lock_lost());
        assert!(lock.revert_to("first point").expect_err("refused").is_lock_lost());
        assert!(lock.checkpoint("x").expect_err("refused").is_lock_lost());
        assert!(lock.rollback().expect_err("refused").is_lock_lost());
        assert_eq!(fixture.now(), [(2020, 1.0), (2030, 2.0)]);
        assert_eq!(fixture.platform.locks().list().expect("locks")[0].state, "held");
        fixture.verify();
    }

    fn no_database_transaction_is_open_while_the_user_works(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("long work").expect("the lock");
        lock.iamc().add(&points(&[(2030, 2.0)])).expect("add");
        // Another run is written meanwhile, through another connection that does not wait.
        let other = database.open();
        let run = other.runs().create("model", "other").expect("a run");
        let second = run.lock("meanwhile").expect("the lock");
        second.iamc().add(&points(&[(2030, 7.0)])).expect("add");
        second.commit().expect("commit");
        let mut plain = database.plain();
        match &plain {
            Plain::Sqlite(_) => plain.run("PRAGMA busy_timeout = 0; BEGIN IMMEDIATE; ROLLBACK").expect("nobody writes"),
            Plain::Postgres(_) => assert_eq!(plain.number(
                "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'
                 AND query LIKE '%' || current_schema() || '%'"
            ), 0),
        }
        lock.commit().expect("commit");
        fixture.verify();
    }

    fn a_run_whose_rollback_failed_is_not_free(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("will fail").expect("the lock");
        lock.iamc().remove(&points(&[(2020, 0.0)])).expect("remove");
        // Nothing uses the region now, so it can go; the rollback will need it.
        fixture.platform.regions().delete("World").expect("delete");
        let error = lock.rollback().expect_err("the rollback fails");
        assert!(matches!(error, Error::RevertNeedsMissing { .. }), "{error}");
        assert_eq!(fixture.platform.locks().list().expect("locks")[0].state, "recovering");
        // The next one to ask has to finish it, and cannot yet.
        let error = fixture.run.lock("next").err().expect("not free");
        assert!(error.to_string().contains("World"), "{error}");
        assert_eq!(fixture.platform.locks().list().expect("locks")[0].state, "recovering");
        fixture.platform.regions().create("World").expect("create");
        let lock = fixture.run.lock("next").expect("the lock, after the rollback");
        assert_eq!(fixture.now(), [(2020, 1.0)]);
        assert_eq!(fixture.run.log().expect("log")[0].operation, "rollback of \"next\": its rollback failed");
        lock.iamc().add(&points(&[(2030, 2.0)])).expect("add");
        drop(lock);
        assert_eq!(fixture.now(), [(2020, 1.0)]);
        assert!(fixture.platform.locks().list().expect("locks").is_empty());
        fixture.verify();
    }

    fn the_lock_sees_what_was_committed_while_it_waited_for_the_row(database: &Database) {
        // A holder writes and releases in one transaction while another asks: the newcomer's statement began
        // before that commit, and must still lock at the transaction after it.
        let fixture = WithRun::new(database);
        let first = fixture.run.lock("first").expect("the lock");
        let token = first.token().0;
        let mut plain = database.plain();
        let mut other = database.plain();
        plain.begin(1, token).expect("beginning");
        plain.run("UPDATE datapoints SET value = 5.0").expect("update");
        plain.run("UPDATE run_locks SET state = 'free'").expect("release");
        if let Plain::Postgres(_) = other {
            // Free for the newcomer's snapshot already, and locked by the transaction above.
            assert_eq!(other.number("SELECT count(*) FROM run_locks WHERE state = 'held'"), 1);
        }
        std::thread::scope(|scope| {
            let second = scope.spawn(|| {
                fixture.run.lock_with("second", LockOptions::timeout(Duration::from_secs(60)))
            });
            std::thread::sleep(Duration::from_millis(300));
            plain.commit().expect("commit");
            let second = second.join().expect("joined").expect("the lock");
            second.iamc().add(&points(&[(2020, 6.0)])).expect("add");
            drop(second);
        });
        assert_eq!(fixture.now(), [(2020, 5.0)], "the first holder's write is not undone");
        assert!(first.commit().expect_err("lost").is_lock_lost());
        fixture.verify();
    }

    fn an_empty_block_leaves_a_checkpoint_and_no_transaction(database: &Database) {
        let platform = database.open();
        let run = platform.runs().create("model", "scenario").expect("a run");
        let checkpoint = run.lock("nothing").expect("the lock").commit().expect("commit");
        assert_eq!(checkpoint.transaction_id, TransactionId::BEFORE_FIRST);
        drop(run.lock("nothing").expect("the lock"));
        assert_eq!(run.log().expect("log").len(), 0);
        assert!(run.lock("").err().expect("refused").to_string().contains("message"));
    }
}
