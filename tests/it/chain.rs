//! Hash chains: whatever is done to history behind the log's back is found and named.

use stratalog::{
    ChainHead, CompactOptions, Engine, Filter, Keep, Platform, Problem, RedactOptions,
};

use crate::both_engines;
use crate::support::{Database, WithRun, points, verify, without_guards};

fn problems(platform: &Platform, heads: &[ChainHead]) -> Vec<Problem> {
    platform
        .verify_chain(heads, |_| ())
        .expect("verifying")
        .problems
}

fn write(fixture: &WithRun, message: &str, rows: &[(i64, f64)]) {
    let lock = fixture.run.lock(message).expect("the lock");
    lock.iamc().add(&points(rows)).expect("add");
    lock.commit().expect("commit");
}

/// Two transactions of a run after its first: 2030 and 2040 added, then 2030 changed.
fn with_history(database: &Database) -> WithRun {
    let fixture = WithRun::new(database);
    write(&fixture, "second", &[(2030, 2.0), (2040, -0.0)]);
    fixture.platform.chain().enable().expect("chains");
    write(&fixture, "third", &[(2030, 3.0)]);
    fixture
}

/// Two ids that no transaction has, below those of the ones to come. Returns the first.
fn burn_two_ids(database: &Database) -> i64 {
    let mut plain = database.plain();
    let last = plain.number("SELECT max(id) FROM transactions");
    match database.engine {
        Engine::Sqlite => plain
            .run("UPDATE sqlite_sequence SET seq = seq + 2 WHERE name = 'transactions'")
            .expect("burning ids"),
        Engine::Postgres => {
            let _drawn = plain.number(&format!(
                "SELECT setval('transactions_id_seq', {})",
                last + 2
            ));
        }
    }
    last + 1
}

/// SQL that puts two transactions of a run in, or of the platform (`NULL`), and what a trigger would fill in.
fn two_transactions(database: &Database, first: i64, run: &str) -> String {
    let (column, value) = match database.engine {
        Engine::Sqlite => ("", ""),
        Engine::Postgres => (", xact_id", ", pg_current_xact_id()"),
    };
    let (run, token) = match run {
        "NULL" => ("CAST(NULL AS BIGINT)", "CAST(NULL AS BIGINT)"),
        run => (run, "1"),
    };
    format!(
        "INSERT INTO transactions (id, run_id, lock_token, actor, operation, client_uuid{column})
         SELECT {first}, {run}, {token}, 'nobody', 'add', 'x'{value} UNION ALL
         SELECT {first} + 1, {run}, {token}, 'nobody', 'remove', 'y'{value}"
    )
}

/// Takes the last link of a chain out, and puts it in for another transaction.
fn move_last_link(database: &Database, chain: i64, transaction: i64) {
    let mut plain = database.plain();
    let last = format!(
        "run_id = {chain} AND position = (SELECT max(position) FROM chain_links WHERE run_id = {chain})"
    );
    plain
        .run(&format!(
            "UPDATE chain_links SET transaction_id = {transaction} WHERE {last}"
        ))
        .expect("moving a link");
}

fn names(found: &[Problem], problem: &str, row: &str) -> bool {
    found.iter().any(|found| {
        found.problem.contains(problem) && found.rows.iter().any(|named| named.contains(row))
    })
}

both_engines! {
    fn everything_is_linked_from_the_first_transaction_on(database: &Database) {
        let fixture = with_history(database);
        assert!(fixture.platform.chain().is_enabled().expect("asking"));
        let heads = fixture.platform.chain().heads().expect("heads");
        assert_eq!(heads.iter().map(|head| head.run_id.0).collect::<Vec<_>>(), [0, 1]);
        assert!(heads.iter().all(|head| head.head.len() == 64));
        let report = fixture.platform.verify_chain(&heads, |_| ()).expect("verifying");
        assert!(report.is_ok(), "{report:#?}");
        let chain = report.chain.expect("a report");
        let all = database.plain().number("SELECT count(*) FROM transactions");
        assert_eq!((chain.chains, chain.links, chain.unlinked, chain.heads), (2, all as u64, 0, 2));
        // A new run, a deleted one, platform tables, a revert: all of it is linked.
        let run = fixture.platform.runs().create("model", "scenario").expect("a run");
        let lock = run.lock("block").expect("the lock");
        lock.iamc().add(&points(&[(2020, 1.0)])).expect("add");
        drop(lock);
        fixture.run.revert_to("second").expect("revert");
        fixture.platform.runs().delete(&run).expect("delete");
        fixture.platform.regions().create("Moon").expect("a region");
        let report = fixture.platform.verify_chain(&heads, |_| ()).expect("verifying");
        assert!(report.is_ok(), "{report:#?}");
        let chain = report.chain.expect("a report");
        let all = database.plain().number("SELECT count(*) FROM transactions");
        assert_eq!((chain.chains, chain.links, chain.unlinked, chain.heads), (3, all as u64, 0, 2));
        assert_eq!(fixture.platform.chain().enable().expect("again"), 0);
    }

    fn without_chains_there_is_nothing_to_verify(database: &Database) {
        let fixture = WithRun::new(database);
        let error = fixture.platform.verify_chain(&[], |_| ()).expect_err("off");
        assert!(error.to_string().contains("stratalog chain enable"), "{error}");
        assert_eq!(database.plain().number("SELECT count(*) FROM chain_links"), 0);
        assert!(fixture.platform.verify().expect("verifying").chain.is_none());
    }

    fn what_was_done_to_history_is_named(database: &Database) {
        let columns = "run_id, region_id, variable_id, unit_id, point_type, step, category, value";
        let run = "run_id = 1";
        let cases = [
            ("UPDATE datapoints_version SET value = 9.0 WHERE value = 2.0", "not what was linked", "step=2030, category=, transaction_id="),
            ("UPDATE datapoints_version SET value = 0.0 WHERE step = 2040", "not what was linked", "step=2040"),
            ("UPDATE datapoints_version SET operation_type = 0 WHERE value = 3.0", "not what was linked", "step=2030"),
            ("UPDATE regions_version SET name = 'Mars'", "not what was linked", "id=1, transaction_id="),
            (&format!("INSERT INTO datapoints_version ({columns}, transaction_id, end_transaction_id, operation_type)
                SELECT 1, region_id, variable_id, unit_id, point_type, 2098, '', 1.0, transaction_id, NULL, 0
                FROM datapoints_version WHERE value = 3.0"), "came in later", "step=2098"),
            ("DELETE FROM datapoints_version WHERE step = 2040", "of which version rows are gone", "1 of 2 rows, the first after datapoints run_id=1"),
            ("UPDATE transactions SET actor = 'nobody' WHERE id = (SELECT max(id) FROM transactions)", "not what was linked", "id="),
            ("UPDATE transactions SET issued_at = '2001-01-01 00:00:00' WHERE id = 1", "not what was linked", "id=1"),
            ("DELETE FROM transactions WHERE id = (SELECT max(id) FROM transactions)", "transactions that are gone", "id="),
            (&format!("DELETE FROM chain_links WHERE {run} AND position = 1"), "links that are gone", "run_id=1, position=1"),
            (&format!("UPDATE chain_links SET head = 'f' || substr(head, 2) WHERE {run} AND position = 2 AND head NOT LIKE 'f%'"), "", ""),
            (&format!("UPDATE chain_links SET leaves = '' WHERE {run} AND position = 2"), "their links are not", "id="),
            ("INSERT INTO reverts (transaction_id, run_id, kind, target_id) SELECT max(id), 1, 'revert', 1 FROM transactions", "not what was linked", "id="),
        ];
        for (sql, problem, row) in cases {
            let database = Database::new(database.engine);
            let fixture = with_history(&database);
            let report = fixture.platform.verify_chain(&[], |_| ()).expect("verifying");
            assert!(report.is_ok(), "{report:#?}");
            let before = database.plain().texts("SELECT head AS text FROM chain_links ORDER BY run_id, position");
            without_guards(&database, sql);
            let after = database.plain().texts("SELECT head AS text FROM chain_links ORDER BY run_id, position");
            if problem.is_empty() {
                // One in sixteen heads begins with that digit: nothing was done then.
                assert_eq!(problems(&fixture.platform, &[]).is_empty(), before == after, "{sql}");
                continue;
            }
            let found = problems(&fixture.platform, &[]);
            assert!(
                found.iter().any(|found| found.problem.contains(problem) && found.rows.iter().any(|named| named.contains(row))),
                "{sql}: {found:#?}"
            );
        }
    }

    fn a_chain_that_was_computed_anew_or_cut_differs_from_a_kept_head(database: &Database) {
        let fixture = with_history(database);
        let heads = fixture.platform.chain().heads().expect("heads");
        let last = "(SELECT max(id) FROM transactions WHERE run_id = 1)";
        // The last transaction never was.
        without_guards(database, &format!(
            "DELETE FROM datapoints WHERE value = 3.0; DELETE FROM datapoints_version WHERE transaction_id = {last};
             UPDATE datapoints_version SET end_transaction_id = NULL WHERE end_transaction_id = {last};
             INSERT INTO datapoints SELECT run_id, region_id, variable_id, unit_id, point_type, step, category, value
                FROM datapoints_version WHERE value = 2.0;
             DELETE FROM checkpoints WHERE transaction_id = {last};
             DELETE FROM chain_links WHERE transaction_id = {last}; DELETE FROM transactions WHERE id = {last}"
        ));
        assert!(problems(&fixture.platform, &[]).is_empty(), "nothing in the database itself tells");
        let found = problems(&fixture.platform, &heads);
        assert!(found.len() == 1 && found[0].problem.contains("transactions are gone"), "{found:#?}");
        assert!(found[0].rows[0].contains("run_id=1, position=3"), "{found:#?}");
        // And all of it anew, by the library itself.
        database.plain().run("UPDATE transactions SET actor = 'nobody'; DELETE FROM chain_links").expect("anew");
        fixture.platform.chain().enable().expect("chains");
        assert!(problems(&fixture.platform, &[]).is_empty());
        let found = problems(&fixture.platform, &heads);
        assert!(found.iter().any(|found| found.problem.contains("written anew")), "{found:#?}");
        assert_eq!(found.iter().map(|found| found.count).sum::<u64>(), 2);
    }

    fn a_transaction_put_into_the_past_stays_named_when_the_library_links_it(database: &Database) {
        for (run_id, table, columns, from) in [
            ("1", "datapoints_version", "run_id, region_id, variable_id, unit_id, point_type, step, category, value",
             "SELECT run_id, region_id, variable_id, unit_id, point_type, 2097, category, value FROM datapoints WHERE step = 2040"),
            ("NULL", "regions_version", "id, name, hierarchy", "SELECT 77, 'Atlantis', hierarchy FROM regions"),
        ] {
            let database = Database::new(database.engine);
            let fixture = WithRun::new(&database);
            fixture.platform.chain().enable().expect("chains");
            let gap = burn_two_ids(&database);
            for (checkpoint, region) in [("second", "Moon"), ("third", "Mars")] {
                write(&fixture, checkpoint, &[(2030, 2.0), (2040, -0.0)]);
                write(&fixture, &format!("{checkpoint} changed"), &[(2030, 3.0)]);
                fixture.platform.regions().create(region).expect("a region");
            }
            let heads = fixture.platform.chain().heads().expect("heads");
            assert!(problems(&fixture.platform, &heads).is_empty());
            // A row that came and went, long ago: the live tables agree with it.
            without_guards(&database, &format!(
                "{};
                 INSERT INTO {table} ({columns}, transaction_id, end_transaction_id, operation_type) SELECT forged.*, {gap}, {gap} + 1, 0 FROM ({from} LIMIT 1) forged;
                 INSERT INTO {table} ({columns}, transaction_id, end_transaction_id, operation_type) SELECT forged.*, {gap} + 1, NULL, 2 FROM ({from} LIMIT 1) forged",
                two_transactions(&database, gap, run_id)
            ));
            verify(&fixture.platform);
            for heads in [&[][..], &heads] {
                let found = problems(&fixture.platform, heads);
                assert!(names(&found, "before some that have one", &format!("id={gap}")), "{table}: {found:#?}");
            }
            fixture.platform.chain().enable().expect("again");
            // On PostgreSQL writers of platform tables may commit in another order than that of their ids.
            let in_order = run_id == "1" || database.engine == Engine::Sqlite;
            let found = problems(&fixture.platform, &heads);
            assert_eq!(names(&found, "before some that have one", &format!("id={gap}")), in_order, "{table}: {found:#?}");
            // Nor does a link at the end of the chain help.
            if in_order {
                let chain = if run_id == "1" { 1 } else { 0 };
                move_last_link(&database, chain, gap);
                let found = problems(&fixture.platform, &heads);
                assert!(names(&found, "not in the order of their transactions", &format!("transaction_id={gap}")), "{table}: {found:#?}");
            }
        }
    }

    fn a_transaction_before_the_first_is_named(database: &Database) {
        let fixture = with_history(database);
        without_guards(database, &format!(
            "{};
             INSERT INTO datapoints_version (run_id, region_id, variable_id, unit_id, point_type, step, category, value, transaction_id, end_transaction_id, operation_type)
               SELECT run_id, region_id, variable_id, unit_id, point_type, 2097, category, value, -5, -4, 0 FROM datapoints WHERE step = 2040;
             INSERT INTO datapoints_version (run_id, region_id, variable_id, unit_id, point_type, step, category, value, transaction_id, end_transaction_id, operation_type)
               SELECT run_id, region_id, variable_id, unit_id, point_type, 2097, category, value, -4, NULL, 2 FROM datapoints WHERE step = 2040", two_transactions(database, -5, "1")));
        verify(&fixture.platform);
        let found = problems(&fixture.platform, &[]);
        assert!(names(&found, "before some that have one", "id=-5"), "{found:#?}");
    }

    fn a_whole_chain_that_is_gone_is_named(database: &Database) {
        let fixture = with_history(database);
        // Made after the chains were switched on, and written to by hand only: its chain has begun.
        let other = fixture.platform.runs().create("model", "by hand").expect("a run");
        let lock = other.lock("by hand").expect("the lock");
        let mut plain = database.plain();
        plain.begin(other.id().0, lock.token().0).expect("beginning");
        plain.run("INSERT INTO datapoints SELECT 2, region_id, variable_id, unit_id, point_type, step, category, value FROM datapoints").expect("insert");
        plain.commit().expect("committing");
        lock.commit().expect("commit");
        let report = fixture.platform.verify_chain(&[], |_| ()).expect("verifying");
        assert!(report.is_ok(), "{report:#?}");
        assert_eq!(report.chain.expect("a report").unlinked, 1);
        without_guards(database, "DELETE FROM chain_links WHERE run_id = 1");
        let found = problems(&fixture.platform, &[]);
        assert!(names(&found, "links that are gone", "run_id=1, position=0"), "{found:#?}");
        assert!(found.iter().all(|found| found.rows.iter().all(|row| !row.contains("run_id=2"))), "{found:#?}");
    }

    fn a_redacted_row_is_excused_only_while_it_has_no_values(database: &Database) {
        let fixture = with_history(database);
        let only = Filter::all().year([2030]);
        let redacted = RedactOptions { only, ..RedactOptions::default() };
        fixture.run.redact("a request", &redacted).expect("redacting").expect("something");
        assert!(problems(&fixture.platform, &[]).is_empty());
        without_guards(database, "UPDATE datapoints_version SET value = 9.0 WHERE value IS NULL");
        verify(&fixture.platform);
        let found = problems(&fixture.platform, &[]);
        assert!(names(&found, "not what was linked", "step=2030"), "{found:#?}");
    }

    fn links_are_append_only(database: &Database) {
        let fixture = with_history(database);
        let mut plain = database.plain();
        for refused in [
            "UPDATE chain_links SET head = 'x'",
            "DELETE FROM chain_links",
            "INSERT INTO chain_links (run_id, position, transaction_id, leaves, head) VALUES (1, 99, 99, '', '')",
        ] {
            assert!(plain.refused(refused).contains("append_only"), "{refused}");
        }
        drop(fixture);
    }

    fn writes_by_hand_are_linked_by_the_next_write(database: &Database) {
        let fixture = with_history(database);
        let lock = fixture.run.lock("by hand").expect("the lock");
        let mut plain = database.plain();
        plain.begin(fixture.run.id().0, lock.token().0).expect("beginning");
        plain.run("UPDATE datapoints SET value = 7.0 WHERE step = 2040").expect("update");
        plain.commit().expect("committing");
        let report = fixture.platform.verify_chain(&[], |_| ()).expect("verifying");
        assert!(report.is_ok(), "{report:#?}");
        assert_eq!(report.chain.expect("a report").unlinked, 1);
        lock.iamc().add(&points(&[(2020, 8.0)])).expect("add");
        lock.commit().expect("commit");
        let report = fixture.platform.verify_chain(&[], |_| ()).expect("verifying");
        assert!(report.is_ok(), "{report:#?}");
        assert_eq!(report.chain.expect("a report").unlinked, 0);
    }

    fn what_was_compacted_or_redacted_is_excused_and_nothing_else(database: &Database) {
        let fixture = with_history(database);
        write(&fixture, "fourth", &[(2030, 4.0)]);
        let only = Filter::all().year([2030]);
        let redacted = RedactOptions { only, ..RedactOptions::default() };
        fixture.run.redact("a request", &redacted).expect("redacting").expect("something");
        let found = problems(&fixture.platform, &[]);
        assert!(found.is_empty(), "{found:#?}");
        fixture.platform.compact(None, Keep::LastCheckpoints(2), CompactOptions::default()).expect("compacting");
        let found = problems(&fixture.platform, &[]);
        assert!(found.is_empty(), "{found:#?}");
        without_guards(database, "UPDATE datapoints_version SET value = 1.5 WHERE step = 2040");
        let found = problems(&fixture.platform, &[]);
        assert!(found.iter().any(|found| found.problem.contains("not what was linked")), "{found:#?}");
    }

    fn writers_of_many_runs_and_names_link_side_by_side(database: &Database) {
        let fixture = WithRun::new(database);
        fixture.platform.chain().enable().expect("chains");
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let platform = fixture.platform.clone();
                scope.spawn(move || {
                    let run = platform.runs().create("model", "side by side").expect("a run");
                    for turn in 0..6 {
                        platform.regions().create(&format!("region {writer} {turn}")).expect("a region");
                        let lock = run.lock("turn").expect("the lock");
                        lock.iamc().add(&points(&[(2020, f64::from(turn) + 0.5)])).expect("add");
                        lock.commit().expect("commit");
                    }
                });
            }
        });
        let report = fixture.platform.verify_chain(&fixture.platform.chain().heads().expect("heads"), |_| ()).expect("verifying");
        assert!(report.is_ok(), "{report:#?}");
        let chain = report.chain.expect("a report");
        let all = database.plain().number("SELECT count(*) FROM transactions");
        assert_eq!((chain.chains, chain.links, chain.unlinked), (6, all as u64, 0));
        verify(&fixture.platform);
    }
}

/// The bytes that are hashed do not depend on the engine.
#[test]
fn the_same_history_has_the_same_leaves_on_both_engines() {
    let leaves = [Engine::Sqlite, Engine::Postgres].map(|engine| {
        let database = Database::new(engine);
        let _fixture = with_history(&database);
        database
            .plain()
            .texts("SELECT run_id || ' ' || position || ' ' || leaves AS text FROM chain_links ORDER BY run_id, position")
    });
    assert!(leaves[0].len() > 4 && leaves[0].iter().any(|link| link.len() > 60));
    assert_eq!(leaves[0], leaves[1]);
}
