//! The records of imported runs. What importing does is tested in Python, where ixmp4 is.

use stratalog::{Ixmp4Options, Platform};

use crate::both_engines;

const RECORD: &str = "INSERT INTO imported_runs (run_id, source, identity, source_run, copied_until, checkpoints, transaction_id, actor)
    VALUES (7, 'a.sqlite3', 'x', 3, 0, 0, 0, 'me')";

both_engines! {
    fn they_only_grow_until_they_are_finished(database: &Database) {
        let _platform = Platform::open(&database.url).expect("opening");
        let mut plain = database.plain();
        plain.run(RECORD).expect("a record");
        for refused in [
            "UPDATE imported_runs SET source = 'b.sqlite3'",
            "UPDATE imported_runs SET identity = 'y'",
            "UPDATE imported_runs SET run_id = 8",
            "DELETE FROM imported_runs",
        ] {
            assert!(plain.refused(refused).contains("append_only"), "{refused}");
        }
        plain
            .run("UPDATE imported_runs SET copied_until = 5, checkpoints = 1, transaction_id = 2")
            .expect("progress");
        plain
            .run("UPDATE imported_runs SET finished_at = '2026-01-01 00:00:00'")
            .expect("the end");
        for refused in [
            "UPDATE imported_runs SET finished_at = NULL",
            "UPDATE imported_runs SET copied_until = 6",
        ] {
            assert!(plain.refused(refused).contains("append_only"), "{refused}");
        }
        // One run there is one run here.
        assert!(!plain.refused(&RECORD.replace('7', "8")).is_empty());
    }

    fn what_is_no_ixmp4_database_is_refused(database: &Database) {
        let platform = Platform::open(&database.url).expect("opening");
        for (source, says) in [
            ("nowhere.sqlite3", "no such file"),
            (database.url.as_str(), "not a database of ixmp4"),
        ] {
            let error = platform
                .import_ixmp4(source, Ixmp4Options::default())
                .expect_err("it is none");
            assert!(error.to_string().contains(says), "{error}");
        }
        assert!(platform.log(&stratalog::LogFilter::default()).expect("the log").is_empty());
    }
}
