//! Compaction and redaction: what is kept reads as before, what is gone says so. Random histories with compactions
//! are in `state_machine`.

use std::time::Duration;

use stratalog::arrow::array::{Array, AsArray};
use stratalog::arrow::datatypes::Float64Type;
use stratalog::{
    CompactOptions, CompactReport, Error, Filter, Keep, LockOptions, Platform, RedactOptions,
    RevertKind, Run, Target, TransactionId,
};

use crate::both_engines;
use crate::processes::{self, Process};
use crate::roles_support::WithRoles;
use crate::support::{Database, WithRun, points, verify, without_guards, years_and_values};

/// A commit of one value for 2020, and for the years that are named a value of their own.
fn commit(run: &Run, message: &str, rows: &[(i64, f64)]) -> TransactionId {
    let lock = run.lock(message).expect("the lock");
    lock.iamc().add(&points(rows)).expect("add");
    lock.commit().expect("commit").transaction_id
}

/// 2020 = 1, 2, 3 … 9 after as many commits; checkpoints "v2", "v3" … and one transaction between without one.
fn nine_values(fixture: &WithRun) -> Vec<TransactionId> {
    let mut ids = vec![fixture.run.last_transaction().expect("the first")];
    for value in 2..9_i32 {
        ids.push(commit(
            &fixture.run,
            &format!("v{value}"),
            &[(2020, f64::from(value))],
        ));
    }
    let lock = fixture.run.lock("v9").expect("the lock");
    lock.iamc().add(&points(&[(2020, 8.5)])).expect("add");
    ids.push(fixture.run.last_transaction().expect("in between"));
    lock.iamc().add(&points(&[(2020, 9.0)])).expect("add");
    ids.push(lock.commit().expect("commit").transaction_id);
    ids
}

fn compact(platform: &Platform, keep: Keep) -> CompactReport {
    platform
        .compact(None, keep, CompactOptions::default())
        .expect("compacting")
}

fn value_at(run: &Run, target: impl Into<Target>) -> f64 {
    let view = run.as_of(target).expect("a view");
    let rows = years_and_values(&view.iamc().tabulate(&Filter::all()).expect("points"));
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows[0].1
}

both_engines! {
    fn checkpoints_stay_and_the_rest_goes(database: &Database) {
        let fixture = WithRun::new(database);
        let ids = nine_values(&fixture);
        let dry = CompactOptions { dry_run: true, ..CompactOptions::default() };
        let expected = fixture.platform.compact(None, Keep::Checkpoints, dry).expect("a dry run");
        assert_eq!((expected.runs[0].rows_before, expected.runs[0].rows_after), (10, 9));
        assert_eq!(value_at(&fixture.run, ids[8]), 8.5, "a dry run removes nothing");
        let report = compact(&fixture.platform, Keep::Checkpoints);
        assert_eq!((report.runs[0].rows_before, report.runs[0].rows_after), (10, 9));
        assert!(report.locked.is_empty() && report.bytes_after > 0);
        for value in 2..=9_i32 {
            assert_eq!(value_at(&fixture.run, format!("v{value}").as_str()), f64::from(value));
        }
        let error = fixture.run.as_of(ids[8]).expect_err("gone");
        assert!(error.is_compacted() && error.is_not_found(), "{error}");
        let text = error.to_string();
        for part in [ids[7].to_string(), ids[9].to_string(), "keeping the checkpoints".into(), "is gone".into()] {
            assert!(text.contains(&part), "{part}: {text}");
        }
        for error in [
            fixture.run.revert_to(ids[8]).map(|_| ()).expect_err("gone"),
            fixture.run.diff(ids[8], None).map(|_| ()).expect_err("gone"),
            fixture.run.undo(ids[8]).map(|_| ()).expect_err("gone"),
            fixture.run.undo(ids[9]).map(|_| ()).expect_err("what was before it is gone"),
        ] {
            assert!(error.is_compacted(), "{error}");
        }
        assert!(compact(&fixture.platform, Keep::Checkpoints).runs.is_empty(), "nothing is left to do");
        assert_eq!(fixture.run.revert_to("v3").expect("revert").updated, 1);
        assert_eq!(fixture.now(), [(2020, 3.0)]);
        fixture.verify();
    }

    fn a_view_that_was_open_says_that_its_state_is_gone(database: &Database) {
        let fixture = WithRun::new(database);
        let ids = nine_values(&fixture);
        let view = fixture.run.as_of(ids[8]).expect("a view");
        let diff = fixture.run.diff(ids[8], Some(ids[2].into())).expect("a diff");
        let kept = fixture.run.as_of("v5").expect("a view");
        compact(&fixture.platform, Keep::Checkpoints);
        assert!(view.iamc().tabulate(&Filter::all()).expect_err("gone").is_compacted());
        assert!(diff.counts().expect_err("gone").is_compacted());
        assert!(diff.points().expect_err("gone").is_compacted());
        assert_eq!(years_and_values(&kept.iamc().tabulate(&Filter::all()).expect("points")), [(2020, 5.0)]);
    }

    fn only_the_last_checkpoints_or_what_is_young_enough(database: &Database) {
        let fixture = WithRun::new(database);
        let ids = nine_values(&fixture);
        compact(&fixture.platform, Keep::LastCheckpoints(3));
        assert_eq!(value_at(&fixture.run, "v7"), 7.0);
        assert_eq!(value_at(&fixture.run, ids[8]), 8.5, "all from the oldest kept one on");
        assert!(fixture.run.as_of("v6").expect_err("gone").is_compacted());
        std::thread::sleep(Duration::from_millis(5));
        let lock = fixture.run.lock("later").expect("the lock");
        lock.iamc().add(&points(&[(2020, 10.0)])).expect("add");
        let later = lock.commit().expect("commit").transaction_id;
        let began = fixture.run.log().expect("the log")[0].issued_at;
        compact(&fixture.platform, Keep::Since(began - Duration::from_millis(2)));
        assert_eq!(value_at(&fixture.run, "v9"), 9.0, "the state at that time");
        assert_eq!(value_at(&fixture.run, later), 10.0);
        assert!(fixture.run.as_of("v8").expect_err("gone").is_compacted());
        // Checkpoints cannot bring back what is gone.
        compact(&fixture.platform, Keep::Checkpoints);
        assert!(fixture.run.as_of("v8").expect_err("gone").is_compacted());
        assert_eq!(value_at(&fixture.run, "v9"), 9.0);
        assert_eq!(fixture.run.as_of(TransactionId::BEFORE_FIRST).expect("the empty run")
            .iamc().tabulate(&Filter::all()).expect("points").num_rows(), 0);
        let none = fixture.platform.compact(None, Keep::LastCheckpoints(0), CompactOptions::default());
        assert!(none.expect_err("nothing to go back to").is_invalid_input());
        fixture.verify();
    }

    fn deletions_of_what_is_gone_go_too(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("there and gone").expect("the lock");
        lock.iamc().add(&points(&[(2030, 1.0), (2040, 1.0)])).expect("add");
        lock.iamc().remove(&points(&[(2030, 0.0), (2040, 0.0)])).expect("remove");
        lock.iamc().add(&points(&[(2040, 2.0)])).expect("add");
        lock.commit().expect("commit");
        let report = compact(&fixture.platform, Keep::Checkpoints);
        // Left: 2020, and 2040 as it is.
        assert_eq!((report.runs[0].rows_before, report.runs[0].rows_after), (6, 2));
        fixture.verify();
        assert_eq!(commit(&fixture.run, "again", &[(2030, 3.0)]), fixture.run.last_transaction().expect("last"));
        fixture.run.revert_to("first point").expect("revert");
        assert_eq!(fixture.now(), [(2020, 1.0)]);
        fixture.verify();
    }

    fn one_that_is_broken_off_is_gone_on_with(database: &Database) {
        let fixture = WithRun::new(database);
        let many: Vec<_> = (0..15_000).map(|year| (year, 1.0)).collect();
        let lock = fixture.run.lock("many").expect("the lock");
        for value in [2.0, 3.0, 4.0] {
            let rows: Vec<_> = many.iter().map(|(year, _)| (*year, value)).collect();
            lock.iamc().add(&points(&rows)).expect("add");
        }
        lock.commit().expect("commit");
        let mut told = 0;
        let mut stop = |progress: stratalog::CompactProgress| {
            told += 1;
            assert!(progress.looked_at <= progress.total);
            Err(Error::Interrupted)
        };
        let options = CompactOptions { progress: Some(&mut stop), ..CompactOptions::default() };
        let error = fixture.platform.compact(None, Keep::Checkpoints, options).expect_err("stopped");
        assert!(matches!(error, Error::Interrupted) && told == 1, "{error}");
        assert!(fixture.platform.locks().list().expect("locks").is_empty());
        fixture.verify();
        let before = database.plain().number("SELECT count(*) FROM datapoints_version");
        assert!(before > 15_001, "there is something left to do: {before}");
        // Even by another policy, which would have kept more.
        let report = compact(&fixture.platform, Keep::LastCheckpoints(99));
        assert_eq!(report.runs.len(), 1);
        assert_eq!(database.plain().number("SELECT count(*) FROM datapoints_version"), 15_001);
        assert_eq!(database.plain().number("SELECT count(*) FROM compactions WHERE finished_at IS NOT NULL"), 1);
        fixture.run.revert_to("first point").expect("revert");
        assert_eq!(fixture.now(), [(2020, 1.0)]);
        fixture.verify();
    }

    fn a_run_that_is_locked_is_passed_over_and_named(database: &Database) {
        let fixture = WithRun::new(database);
        nine_values(&fixture);
        let other = fixture.platform.runs().create("model", "scenario").expect("a run");
        commit(&other, "a", &[(2020, 1.0)]);
        let lock = other.lock("a\u{e9}rosols").expect("the lock");
        lock.iamc().add(&points(&[(2020, 2.0)])).expect("add");
        let report = compact(&fixture.platform, Keep::LastCheckpoints(1));
        assert_eq!(report.runs.len(), 1);
        assert_eq!(report.locked.len(), 1);
        assert_eq!((report.locked[0].run_id, report.locked[0].holder.reason.as_str()), (other.id(), "a\u{e9}rosols"));
        lock.commit().expect("commit");
        assert_eq!(value_at(&other, "a"), 1.0);
        fixture.verify();
    }

    fn only_a_compaction_removes_and_only_what_it_does_not_need(database: &Database) {
        let fixture = WithRun::new(database);
        nine_values(&fixture);
        let mut plain = database.plain();
        let run = fixture.run.id();
        let lock = fixture.run.lock("by hand").expect("the lock");
        let begin = |token: i64, horizon: i64| format!(
            "INSERT INTO compactions (run_id, started_at, actor, policy, lock_token, horizon, rows_before)
             VALUES ({run}, '2026-01-01 00:00:00', 'me', 'by hand', {token}, {horizon}, 0)"
        );
        let last = fixture.run.last_transaction().expect("last").0;
        for refused in [begin(99, 1), begin(lock.token().0, last + 1)] {
            assert!(plain.refused(&refused).contains("stratalog:append_only"), "{refused}");
        }
        plain.run(&begin(lock.token().0, last)).expect("a plan by hand");
        plain.run("INSERT INTO retained_states (compaction_id, transaction_id) SELECT max(compactions.id), max(transaction_id)
                   FROM compactions, checkpoints WHERE message = 'v5'").expect("what stays");
        for refused in [
            "DELETE FROM datapoints_version WHERE end_transaction_id IS NULL",
            "DELETE FROM datapoints_version WHERE value = 5.0",
            "DELETE FROM datapoints_version",
            "UPDATE compactions SET horizon = 0",
            "DELETE FROM compactions",
            "DELETE FROM retained_states",
            "UPDATE datapoints_version SET value = NULL",
        ] {
            assert!(plain.refused(refused).contains("stratalog:append_only"), "{refused}");
        }
        plain.run("DELETE FROM datapoints_version WHERE value = 4.0").expect("nobody needs it");
        fixture.verify();
        lock.rollback().expect("releasing");
        let error = plain.refused("DELETE FROM datapoints_version WHERE value = 3.0");
        assert!(error.contains("append_only"), "without the lock: {error}");
        assert_eq!(value_at(&fixture.run, "v5"), 5.0);
    }

    fn verify_excuses_only_what_a_compaction_may_have_removed(database: &Database) {
        for (sql, problem) in [
            ("DELETE FROM datapoints_version WHERE value = 5.0", "no version row follows"),
            ("DELETE FROM datapoints_version WHERE value = 10.0", "no version row follows"),
            ("UPDATE datapoints_version SET value = NULL WHERE value = 5.0", "which no redaction names"),
            ("UPDATE compactions SET horizon = 999", "beyond their run's last transaction"),
        ] {
            let database = Database::new(database.engine);
            let fixture = WithRun::new(&database);
            nine_values(&fixture);
            compact(&fixture.platform, Keep::Checkpoints);
            commit(&fixture.run, "v10", &[(2020, 10.0)]);
            commit(&fixture.run, "v11", &[(2020, 11.0)]);
            fixture.verify();
            without_guards(&database, sql);
            let report = fixture.platform.verify().expect("verifying");
            assert!(report.problems.iter().any(|found| found.problem.contains(problem)), "{sql}: {:#?}", report.problems);
        }
    }

    fn the_log_says_what_a_transaction_went_back_to(database: &Database) {
        let fixture = WithRun::new(database);
        let ids = nine_values(&fixture);
        fixture.run.revert_to("v3").expect("revert");
        let lock = fixture.run.lock("fails").expect("the lock");
        lock.iamc().add(&points(&[(2020, 77.0)])).expect("add");
        let locked_at = fixture.run.log().expect("the log")[1].id;
        drop(lock);
        let change = commit(&fixture.run, "change", &[(2020, 5.0)]);
        fixture.run.undo(change).expect("undo");
        let log = fixture.run.log().expect("the log");
        let reverted: Vec<_> = log.iter().filter_map(|entry| entry.reverted).map(|r| (r.kind, r.target)).collect();
        assert_eq!(reverted, [
            (RevertKind::Undo, change),
            (RevertKind::Rollback, locked_at),
            (RevertKind::Revert, ids[2]),
        ]);
        let mut plain = database.plain();
        for refused in ["DELETE FROM reverts", "UPDATE reverts SET target_id = 1",
            "INSERT INTO reverts (transaction_id, run_id, kind, target_id) VALUES (1, 1, 'revert', 0)"] {
            let error = plain.refused(refused);
            assert!(error.contains("stratalog:"), "{refused}: {error}");
        }
        fixture.verify();
    }

    fn redacted_values_are_gone_and_it_is_said_who_did_it(database: &Database) {
        let fixture = WithRun::new(database);
        let ids = nine_values(&fixture);
        commit(&fixture.run, "other", &[(2030, 5.0)]);
        let anna = database.open_with(Platform::options().actor("anna"));
        let run = anna.runs().get_by_id(fixture.run.id()).expect("the run");
        let only = Filter::all().year([2020]);
        let all = RedactOptions { only: only.clone(), transaction: Some(ids[4]), ..RedactOptions::default() };
        let dry = run.redact("court order", &RedactOptions { dry_run: true, ..all.clone() }).expect("a dry run");
        assert_eq!(dry.map(|redaction| redaction.rows), Some(1));
        assert!(anna.redactions().expect("redactions").is_empty());
        let done = run.redact("court order", &all).expect("redacting").expect("something was there");
        assert_eq!((done.rows, done.actor.as_str(), done.reason.as_str()), (1, "anna", "court order"));
        assert_eq!(run.redact("court order", &all).expect("redacting"), None, "nothing is left");
        let then = run.as_of(ids[4]).expect("a view").iamc().tabulate(&Filter::all()).expect("points");
        let values = then.column_by_name("value").expect("values").as_primitive::<Float64Type>().clone();
        assert_eq!((values.len(), values.null_count()), (1, 1));
        assert_eq!(value_at(&run, ids[3]), 4.0);
        let report = anna.verify().expect("verifying");
        assert!(report.is_ok(), "{report:?}");
        assert_eq!(report.redactions, std::slice::from_ref(&done));
        assert_eq!(run.redactions().expect("redactions"), [done]);
        // Going back there would need the value.
        let error = database.refused(|| run.revert_to(ids[4]));
        assert!(matches!(error, Error::RevertNeedsRedacted { count: 1, .. }), "{error}");
        assert!(error.to_string().contains("region World, variable Energy, unit EJ/yr"), "{error}");
        assert_eq!(run.revert_to(ids[3]).expect("revert").total(), 2);
        let diff = run.diff(ids[4], Some(ids[3].into())).expect("a diff").points().expect("points");
        assert_eq!(diff.num_rows(), 1);
        // The whole past of the point, but not what is there.
        let rest = RedactOptions { only, ..RedactOptions::default() };
        run.redact("court order", &rest).expect("redacting").expect("more");
        let left = database.plain().number("SELECT count(*) FROM datapoints_version WHERE step = 2020 AND value IS NOT NULL");
        assert_eq!(left, 1);
        assert_eq!(fixture.now(), [(2020, 4.0)]);
        verify(&anna);
        compact(&anna, Keep::LastCheckpoints(1));
        verify(&anna);
    }

    fn a_redaction_needs_a_reason_and_a_selection(database: &Database) {
        let fixture = WithRun::new(database);
        let of_all = RedactOptions { only: Filter::all().year([2020]), ..RedactOptions::default() };
        assert!(database.refused(|| fixture.run.redact(" ", &of_all)).is_invalid_input());
        assert!(database.refused(|| fixture.run.redact("why", &RedactOptions::default())).is_invalid_input());
        let _held = fixture.run.lock_with("held", LockOptions::default()).expect("the lock");
        assert!(database.refused(|| fixture.run.redact("why", &of_all)).is_locked());
        let mut plain = database.plain();
        assert!(plain.refused("UPDATE datapoints_version SET value = NULL").contains("append_only"));
    }

    fn a_compaction_that_is_killed_is_gone_on_with(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("many").expect("the lock");
        for value in [2.0, 3.0, 4.0] {
            let rows: Vec<_> = (0..15_000).map(|year| (year, value)).collect();
            lock.iamc().add(&points(&rows)).expect("add");
        }
        let many = lock.commit().expect("commit");
        let mut process = Process::start("retention::a_process_that_compacts", &database.url, "");
        assert_eq!(process.next_report().as_deref(), Some("a batch"));
        process.kill();
        assert_eq!(process.end().1, Some(9));
        fixture.verify();
        assert!(fixture.run.as_of(TransactionId(many.transaction_id.0 - 1)).expect_err("gone").is_compacted());
        let before = database.plain().number("SELECT count(*) FROM datapoints_version");
        let report = compact(&fixture.platform, Keep::Checkpoints);
        assert!(report.locked.is_empty(), "its lock is taken over: {report:?}");
        let after = database.plain().number("SELECT count(*) FROM datapoints_version");
        assert_eq!((after, before > after), (15_001, true));
        assert_eq!(fixture.run.revert_to("first point").expect("revert").total(), 15_000);
        assert_eq!(fixture.now(), [(2020, 1.0)]);
        fixture.verify();
    }
}

#[test]
#[ignore = "started by the tests of this file"]
fn a_process_that_compacts() {
    let Some((url, _)) = processes::task() else {
        return;
    };
    let platform = Platform::open(&url).expect("opening");
    let mut stay = |_: stratalog::CompactProgress| {
        processes::report("a batch");
        std::thread::sleep(Duration::from_secs(60));
        Ok(())
    };
    let options = CompactOptions {
        progress: Some(&mut stay),
        ..CompactOptions::default()
    };
    let _ = platform.compact(None, Keep::Checkpoints, options);
}

/// What the owner of the tables may do, and nobody else.
#[test]
fn the_app_role_may_neither_compact_nor_redact() {
    let roles = WithRoles::new();
    let platform = roles.user.open();
    let fixture = WithRun::of(&platform);
    commit(&fixture.run, "second", &[(2020, 2.0)]);
    let all = RedactOptions {
        only: Filter::all().year([2020]),
        ..RedactOptions::default()
    };
    let compacted = platform.compact(None, Keep::LastCheckpoints(1), CompactOptions::default());
    for error in [
        compacted.map(|_| ()).expect_err("refused"),
        fixture
            .run
            .redact("why", &all)
            .map(|_| ())
            .expect_err("refused"),
    ] {
        assert!(error.is_refused_by_change_log(), "{error}");
        assert!(
            error.to_string().contains("for the owner of the tables"),
            "{error}"
        );
    }
    assert!(platform.locks().list().expect("locks").is_empty());
    let owner = roles.admin.open();
    let run = owner.runs().get_by_id(fixture.run.id()).expect("the run");
    assert_eq!(
        run.redact("why", &all)
            .expect("redacting")
            .expect("something")
            .rows,
        1
    );
    compact(&owner, Keep::LastCheckpoints(1));
    fixture.verify();
}

/// The files of a server are its own affair; there the tables are vacuumed.
#[test]
fn a_redacted_value_is_not_in_sqlites_file_any_more() {
    let database = Database::sqlite();
    let fixture = WithRun::new(&database);
    let secret = 1_234.567_890_123_4_f64;
    commit(&fixture.run, "secret", &[(2020, secret)]);
    commit(&fixture.run, "public", &[(2020, 2.0)]);
    let bytes = secret.to_be_bytes();
    let in_files = || {
        ["", "-wal"].iter().any(|suffix| {
            std::fs::read(format!("{}{suffix}", database.url))
                .is_ok_and(|file| file.windows(8).any(|window| window == bytes))
        })
    };
    assert!(in_files());
    let all = RedactOptions {
        only: Filter::all().year([2020]),
        ..RedactOptions::default()
    };
    fixture
        .run
        .redact("a secret", &all)
        .expect("redacting")
        .expect("something");
    assert!(!in_files());
    fixture.verify();
}
