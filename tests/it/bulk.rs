//! What a bulk write asks of the engine, counted: a number of statements that does not grow with the rows, beside the
//! load itself; each row read and written a fixed number of times; and on SQLite, plans that search and never scan.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Once;

use diesel::connection::{InstrumentationEvent, SimpleConnection, set_default_instrumentation};
use diesel::prelude::*;
use stratalog::{
    AddOptions, ChangeCounts, CloneOptions, CompactOptions, Diff, Filter, Frame, Keep, Platform,
    Run, RunLock, TransactionId,
};

use crate::both_engines;
use crate::support::{Database, Plain, WithRun};

diesel::define_sql_function! {
    fn stratalog_float_bits(value: diesel::sql_types::Double) -> diesel::sql_types::BigInt;
}

thread_local! {
    /// The SQL of this thread, in order.
    static SEEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    /// The statements that load, each once.
    static LOADS: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

fn watch() {
    static WATCHING: Once = Once::new();
    WATCHING.call_once(|| {
        set_default_instrumentation(|| {
            Some(Box::new(|event: InstrumentationEvent<'_>| {
                if let InstrumentationEvent::StartQuery { query, .. } = event {
                    let text = query.to_string();
                    let text = text.split(" -- binds").next().unwrap_or_default();
                    SEEN.with_borrow_mut(|seen| seen.push(text.to_owned()));
                }
            }))
        })
        .expect("watching");
    });
}

fn frame(rows: usize, factor: f64) -> Frame {
    Frame::yearly((0..rows).map(|row| {
        let variable = ["Coal", "Wind"][row % 2];
        (
            "World",
            variable,
            "EJ/yr",
            (row / 2) as i64,
            (row as f64 + 0.5) * factor,
        )
    }))
}

/// The statements of a write that are not the load itself.
fn statements<T>(work: impl FnOnce() -> T) -> (T, Vec<String>) {
    SEEN.with_borrow_mut(Vec::clear);
    let result = work();
    let mut seen = SEEN.take();
    let all = seen.len();
    seen.retain(|text| {
        // Rows, or the live ones between the first and the last of those that come in.
        let is_load = text.contains("VALUES (?, ?") || text.contains(") >= (?, ?");
        if is_load {
            LOADS.with_borrow_mut(|loads| loads.insert(text.clone()));
        }
        !is_load && !text.starts_with("COPY ")
    });
    // Few rows are a parameter of what writes them.
    let given = |text: &String| text.contains("json_to_recordset");
    assert!(
        seen.len() < all || seen.iter().any(given),
        "nothing was loaded: {seen:#?}"
    );
    (result, seen)
}

fn counts(inserted: u64, updated: u64, deleted: u64) -> ChangeCounts {
    let mut counts = ChangeCounts::default();
    (counts.inserted, counts.updated, counts.deleted) = (inserted, updated, deleted);
    counts
}

/// The name of each bulk operation and its statements.
fn operations(lock: &RunLock, rows: usize) -> Vec<(&'static str, Vec<String>)> {
    let (first, second, third) = (frame(rows, 1.0), frame(rows, 2.0), frame(rows / 2, 3.0));
    let n = rows as u64;
    let mut all = Vec::new();
    let mut measure = |name, expected: ChangeCounts, work: &dyn Fn() -> ChangeCounts| {
        let (found, seen) = statements(work);
        assert_eq!(found, expected, "{name}");
        all.push((name, seen));
    };
    let add = |frame: &Frame| lock.iamc().add(frame).expect("adding");
    measure("add", counts(n, 0, 0), &|| add(&first));
    measure("add again", counts(0, 0, 0), &|| add(&first));
    measure("update", counts(0, n, 0), &|| add(&second));
    let remove = |frame: &Frame| lock.iamc().remove(frame).expect("removing");
    measure("update some", counts(0, n / 2, 0), &|| add(&third));
    measure("remove some", counts(0, 0, n / 2), &|| remove(&third));
    // Those that are gone already are passed over.
    measure("remove", counts(0, 0, n / 2), &|| remove(&first));
    measure("add a stream", counts(n, 0, 0), &|| {
        let size = rows.div_ceil(4);
        let batches = (0..4).map(|nth| {
            let begin = nth * size;
            Ok(first.batch().slice(begin, size.min(rows - begin)))
        });
        lock.iamc()
            .add_batches(batches, AddOptions::default())
            .expect("adding")
    });
    all
}

fn fixture(database: &Database) -> WithRun {
    let fixture = WithRun::new(database);
    // The names are there: making them is another matter.
    let lock = fixture.run.lock("names").expect("the lock");
    lock.iamc().add(&frame(2, 1.0)).expect("adding");
    lock.iamc().remove(&frame(2, 1.0)).expect("removing");
    lock.commit().expect("commit");
    fixture
}

/// The operations on a run of its own. Each leaves a version row for each row that it changed, and one transaction;
/// the one that changes nothing leaves neither.
fn measured(
    database: &Database,
    fixture: &WithRun,
    rows: usize,
) -> Vec<(&'static str, Vec<String>)> {
    let scenario = format!("{rows} rows");
    let run = fixture
        .platform
        .runs()
        .create("model", &scenario)
        .expect("a run");
    let lock = run.lock("bulk").expect("the lock");
    let operations = operations(&lock, rows);
    lock.commit().expect("commit");
    let mut plain = database.plain();
    let id = run.id().0;
    let versions = plain.number(&format!(
        "SELECT count(*) FROM datapoints_version WHERE run_id = {id}"
    ));
    let transactions = plain.number(&format!(
        "SELECT count(*) FROM transactions WHERE run_id = {id}"
    ));
    assert_eq!((versions, transactions), (9 * rows as i64 / 2, 6));
    fixture.verify();
    operations
}

both_engines! {
    fn a_bulk_write_is_a_constant_number_of_statements(database: &Database) {
        watch();
        let fixture = fixture(database);
        let of_few = measured(database, &fixture, 40);
        let of_many = measured(database, &fixture, 2_000);
        let of_more = measured(database, &fixture, 6_000);
        for (((name, few), (_, many)), (_, more)) in of_few.iter().zip(&of_many).zip(&of_more) {
            // Aside from what is for many only on PostgreSQL: how to plan, whether the run has rows, where they are staged.
            let for_many = ["enable_seqscan", "has_history", "CREATE TEMPORARY"];
            let aside = |text: &&String| for_many.iter().any(|part| text.contains(part));
            let written = |all: &[String]| all.iter().filter(|text| !aside(text)).count();
            assert_eq!(written(many), written(more), "{name}: {many:#?}\n{more:#?}");
            // Many rows that are all that the run has need not be staged.
            assert!(written(many) <= written(few), "{name}: {few:#?}\n{many:#?}");
            assert!(few.len() <= 24, "{name}: {few:#?}");
        }
    }
}

const FEW: usize = 20;
const MANY: usize = 1_200;

both_engines! {
    fn what_is_about_all_of_a_run_is_about_no_other_row(database: &Database) {
        // Changes to all rows take another way than changes to all but one, and so do those of long histories and many rows.
        let fixture = fixture(database);
        let others = fixture.platform.runs().create("model", "others").expect("a run");
        let lock = others.lock("the same points").expect("the lock");
        lock.iamc().add(&frame(MANY, 7.0)).expect("adding");
        lock.commit().expect("commit");
        let before = others.iamc().tabulate(&Filter::all()).expect("points");
        let few = [1, 2, 3, 4, 5, 9].map(|versions| (FEW, versions));
        let many = [1, 4, 5].map(|versions| (MANY, versions));
        for (rows, versions) in [&few[..], &many].concat() {
            for left in [0, 1] {
                let run = fixture.platform.runs().create("model", "changing").expect("a run");
                let lock = run.lock("bulk").expect("the lock");
                let add = |frame: &Frame| lock.iamc().add(frame).expect("adding");
                for version in 1..=versions {
                    add(&frame(rows, version as f64));
                }
                let some = rows - left;
                let n = some as u64;
                assert_eq!(add(&frame(some, 100.0)), counts(0, n, 0));
                fixture.verify();
                let remove = |these| lock.iamc().remove(&frame(these, 1.0)).expect("removing");
                assert_eq!(remove(some), counts(0, 0, n));
                let now = run.iamc().tabulate(&Filter::all()).expect("points");
                assert_eq!(now.num_rows(), left);
                fixture.verify();
                // Over the records of the deletions, with a row that was not there before.
                assert_eq!(add(&frame(rows + 2, 50.0)).total(), rows as u64 + 2);
                assert_eq!(remove(rows + 4), counts(0, 0, rows as u64 + 2));
                fixture.verify();
                lock.commit().expect("commit");
                run.revert_to(TransactionId(run.last_transaction().expect("the last").0 - 1)).expect("all of it");
                assert_eq!(run.iamc().tabulate(&Filter::all()).expect("points").num_rows(), rows + 2);
                fixture.verify();
            }
        }
        assert_eq!(others.iamc().tabulate(&Filter::all()).expect("points"), before);
    }
}

#[test]
fn a_bulk_write_searches_and_never_scans_on_sqlite() {
    watch();
    let database = Database::sqlite();
    let fixture = fixture(&database);
    // Few rows are compared one by one, many side by side.
    let of_few = measured(&database, &fixture, 40);
    let operations = measured(&database, &fixture, 4_000);
    let Plain::Sqlite(mut plain) = database.plain() else {
        unreachable!()
    };
    stratalog_float_bits_utils::register_impl(&mut plain, |value: f64| value.to_bits() as i64)
        .expect("a function");
    let mut looked_at = 0;
    for (name, statements) in operations {
        for statement in statements {
            if statement.contains("CREATE TABLE IF NOT EXISTS temp.") {
                plain.batch_execute(&statement).expect("a staging table");
            } else if statement.contains("json_each") {
                // Of the names that there are, no others are read than those of the frame.
                let steps = plan(&mut plain, &statement);
                let of_names =
                    |step: &&String| step.starts_with("SEARCH") && step.contains("(name=?)");
                assert_eq!(steps.iter().filter(of_names).count(), 3, "{steps:#?}");
            } else if statement.contains("datapoints") {
                looked_at += 1;
                for step in plan(&mut plain, &statement) {
                    // The staging table is read as it lies there, and so is what was counted.
                    let staging = ["SCAN c", "SCAN k", "SCAN r", "SCAN temp.datapoints_changes"]
                        .contains(&step.as_str());
                    let scans = step.starts_with("SCAN") && !staging && step != "SCAN CONSTANT ROW";
                    // What came in any order is sorted.
                    let sorts = step.contains("TEMP B-TREE") && name != "add a stream"
                        || step.contains("AUTOMATIC");
                    // A search by the run alone reads all of it, or one row of it, or no more than some.
                    let whole_run = step.contains("(run_id=?)")
                        && !statement.starts_with("SELECT EXISTS")
                        && !statement.contains(" LIMIT ")
                        && !["add", "update", "remove"].contains(&name);
                    assert!(
                        !scans && !sorts && !whole_run,
                        "{name}: {statement}\n{step}"
                    );
                }
            }
        }
    }
    assert!(looked_at >= 30, "{looked_at}");
    // Of the versions that few rows have had, however many, only the last ones are read.
    let ends: Vec<_> = of_few
        .iter()
        .flat_map(|(_, statements)| statements)
        .filter(|text| text.starts_with("UPDATE \"datapoints_version\"") && text.contains(" FROM "))
        .collect();
    assert!(ends.len() >= 3, "{}", ends.len());
    for end in ends {
        let steps = plan(&mut plain, end);
        let of_the_last = |step: &String| {
            step.contains("datapoints_version") && step.ends_with("AND transaction_id=?)")
        };
        assert!(steps.iter().any(of_the_last), "{end}\n{steps:#?}");
    }
    let (mut one_by_one, mut side_by_side) = (0, 0);
    // What the rows that come in are called; one of its own has none.
    let given = ["VALUES CLAUSE", "CONSTANT ROW", "(subquery-1)"];
    for statement in LOADS.take() {
        let steps = plan(&mut plain, &statement);
        for step in steps
            .iter()
            .filter(|step| !given.iter().any(|name| step.contains(name)))
        {
            let its_own =
                step.starts_with("SEARCH l ") && step.contains("AND step=? AND category=?");
            one_by_one += usize::from(its_own);
            let those_between = step
                .starts_with("SEARCH datapoints USING PRIMARY KEY ((run_id,region_id,")
                && step.contains(")>(?,?")
                && step.contains(")<(?,?");
            side_by_side += usize::from(those_between);
            assert!(
                its_own || those_between || ["CO-ROUTINE v", "SCAN v"].contains(&step.as_str()),
                "{}\n{steps:#?}",
                statement.replace("(?, ?, ?, ?, ?, ?, ?, ?), ", "")
            );
        }
    }
    assert!(
        one_by_one >= 2 && side_by_side >= 1,
        "{one_by_one} {side_by_side}"
    );
}

/// What a statement consists of, its triggers included.
#[derive(QueryableByName)]
struct Instruction {
    #[diesel(sql_type = diesel::sql_types::Text)]
    opcode: String,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    p1: i64,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    p2: i64,
}

impl Instruction {
    /// Whether it may fail in a way that takes the statement back, and not the whole transaction: a constraint that aborts,
    /// a foreign key that is not deferred, or a function.
    fn may_take_the_statement_back(&self) -> bool {
        const ABORT: i64 = 2;
        match self.opcode.as_str() {
            "Halt" => self.p1 != 0 && self.p2 == ABORT,
            "HaltIfNull" => self.p2 == ABORT,
            "FkCounter" => self.p1 == 0 && self.p2 > 0,
            "Function" | "PureFunc" => true,
            _ => false,
        }
    }
}

/// For some conditions SQLite builds a table, for some tables it notes the rows down first: for each row, or of each row,
/// that is written.
#[test]
fn what_comes_in_by_the_many_goes_straight_into_its_table_on_sqlite() {
    watch();
    let database = Database::sqlite();
    let fixture = fixture(&database);
    let operations = measured(&database, &fixture, 12_000);
    let Plain::Sqlite(mut plain) = database.plain() else {
        unreachable!()
    };
    // As a write of many rows does.
    let triggers = [
        "datapoints_record_insert",
        "datapoints_record_update",
        "datapoints_version_append",
    ];
    plain.batch_execute("BEGIN").expect("a transaction");
    for trigger in triggers {
        let drop = format!("DROP TRIGGER {trigger}");
        plain.batch_execute(&drop).expect("a trigger");
    }
    let statements = operations
        .into_iter()
        .flat_map(|(_, statements)| statements)
        .chain(LOADS.take());
    let mut seen = BTreeSet::new();
    for statement in statements {
        if statement.contains("CREATE TABLE IF NOT EXISTS temp.") {
            plain.batch_execute(&statement).expect("a staging table");
        }
        let into = ["INTO \"datapoints\"", "INTO \"datapoints_version\""]
            .into_iter()
            .find(|into| statement.starts_with("INSERT") && statement.contains(into));
        let Some(into) = into else {
            continue;
        };
        let program: Vec<Instruction> = diesel::sql_query(format!("EXPLAIN {statement}"))
            .load(&mut plain)
            .expect("a program");
        let detour = program
            .iter()
            .find(|instruction| instruction.opcode == "OpenEphemeral");
        assert!(detour.is_none(), "{statement}");
        let form = match statement.find("VALUES") {
            Some(_) if statement.contains("ON CONFLICT") => "all that change",
            Some(_) => "new ones",
            None => "what was staged, or version rows",
        };
        seen.insert((into, form));
    }
    assert_eq!(seen.len(), 4, "{seen:#?}");
}

/// If a statement can be taken back, SQLite copies each page aside before it changes it, to a file from 64 kB on.
#[test]
fn a_change_of_few_rows_copies_no_page_aside_on_sqlite() {
    watch();
    let database = Database::sqlite();
    let fixture = fixture(&database);
    let operations = measured(&database, &fixture, 40);
    let Plain::Sqlite(mut plain) = database.plain() else {
        unreachable!()
    };
    plain
        .batch_execute("PRAGMA foreign_keys = ON; PRAGMA recursive_triggers = ON")
        .expect("as the library");
    let mut seen = BTreeSet::new();
    for (name, statements) in operations {
        for statement in statements {
            if statement.contains("CREATE TABLE IF NOT EXISTS temp.") {
                plain.batch_execute(&statement).expect("a staging table");
            }
            // New rows have to name what there is.
            let writes = ["UPDATE", "INSERT OR FAIL", "DELETE FROM \"datapoints\""]
                .iter()
                .any(|begin| statement.starts_with(begin));
            if !writes || !statement.contains("\"datapoints") {
                continue;
            }
            let program: Vec<Instruction> = diesel::sql_query(format!("EXPLAIN {statement}"))
                .load(&mut plain)
                .expect("a program");
            let may_be_taken_back: Vec<_> = program
                .iter()
                .filter(|instruction| instruction.may_take_the_statement_back())
                .map(|found| format!("{} {} {}", found.opcode, found.p1, found.p2))
                .collect();
            assert!(
                may_be_taken_back.is_empty(),
                "{name}: {statement}\n{may_be_taken_back:?}"
            );
            seen.insert(statement);
        }
    }
    let of = |begin: &str| seen.iter().filter(|text| text.starts_with(begin)).count();
    assert!(of("UPDATE \"datapoints_version\"") >= 1, "{seen:#?}");
    assert!(of("UPDATE OR FAIL \"datapoints\"") >= 1, "{seen:#?}");
    assert!(
        of("INSERT OR FAIL INTO \"datapoints_version\"") >= 2,
        "{seen:#?}"
    );
    assert!(of("DELETE FROM \"datapoints\"") >= 1, "{seen:#?}");
}

#[test]
fn reading_looks_up_no_other_names_than_those_of_its_rows_on_sqlite() {
    watch();
    let database = Database::sqlite();
    let fixture = fixture(&database);
    let run = &fixture.run;
    let before = run.last_transaction().expect("a transaction");
    let lock = run.lock("more").expect("the lock");
    lock.iamc().add(&frame(4, 1.0)).expect("adding");
    lock.commit().expect("commit");
    SEEN.with_borrow_mut(Vec::clear);
    run.iamc().tabulate(&Filter::all()).expect("points");
    let filtered = run.iamc().tabulate(&Filter::all().variable(["Coal"]));
    assert_eq!(filtered.expect("points").num_rows(), 2);
    run.as_of(before)
        .and_then(|view| view.iamc().tabulate(&Filter::all()))
        .expect("earlier points");
    run.diff(before, None)
        .and_then(|diff| diff.summary())
        .expect("a difference");
    let seen = SEEN.take();
    let Plain::Sqlite(mut plain) = database.plain() else {
        unreachable!()
    };
    let names: Vec<_> = seen
        .iter()
        .filter(|text| text.contains("AS nth, id, name FROM \"variables_version\""))
        .collect();
    assert_eq!(names.len(), 4, "{seen:#?}");
    // What a filter names is all that it reads.
    let of_filter = |text: &&String| text.contains("hierarchy, docs FROM \"variables_version\"");
    let filters: Vec<_> = seen.iter().filter(of_filter).collect();
    assert_eq!(filters.len(), 1, "{seen:#?}");
    assert!(filters[0].contains("name IN ("), "{}", filters[0]);
    for statement in names {
        let steps = plan(&mut plain, statement);
        let of_names = steps
            .iter()
            .filter(|step| step.starts_with("SEARCH") && step.contains("(id=?"));
        assert!(of_names.count() >= 2, "{statement}\n{steps:#?}");
        let scans = |step: &String| step.starts_with("SCAN") && !step.contains("json_each");
        assert!(!steps.iter().any(scans), "{statement}\n{steps:#?}");
    }
}

/// A run of so many points, read in batches of 100: first of the present state, then of one that is past.
fn read_in_batches(fixture: &WithRun, rows: usize) -> Vec<String> {
    let run = fixture
        .platform
        .runs()
        .create("model", "read")
        .expect("a run");
    let lock = run.lock("all").expect("the lock");
    lock.iamc().add(&frame(rows, 1.0)).expect("adding");
    lock.commit().expect("commit");
    SEEN.with_borrow_mut(Vec::clear);
    let size = NonZeroUsize::new(100).expect("100");
    for filter in [Filter::all(), Filter::all().region(["World"])] {
        let mut read = run.iamc().batches(&filter, size).expect("reading");
        let mut found = 0;
        for nth in 0.. {
            let Some(batch) = read.next() else { break };
            found += batch.expect("a batch").num_rows();
            if nth == rows / 200 && filter.is_all() {
                let seen = SEEN.take();
                let lock = run.lock("one").expect("the lock");
                lock.iamc().add(&frame(1, 7.0)).expect("adding");
                lock.commit().expect("commit");
                SEEN.set(seen);
            }
        }
        assert_eq!(found, rows);
    }
    SEEN.take()
}

#[test]
fn reading_in_batches_goes_on_where_it_was_on_sqlite() {
    watch();
    let database = Database::sqlite();
    let seen = read_in_batches(&fixture(&database), 4_000);
    let Plain::Sqlite(mut plain) = database.plain() else {
        unreachable!()
    };
    let pages: Vec<_> = seen
        .iter()
        .filter(|text| {
            text.contains("FROM \"datapoints") || text.contains("\"datapoints_version\" v")
        })
        .collect();
    assert!(pages.len() > 80, "{}", pages.len());
    for page in pages {
        let is_first = !page.contains(") > (");
        for step in plan(&mut plain, page) {
            let goes_on = step.starts_with("SEARCH ") && (is_first || step.contains(">(?"));
            // The names of the filter.
            let list = ["json_each", "LIST SUBQUERY", "BLOOM FILTER"]
                .iter()
                .any(|word| step.contains(word));
            assert!(goes_on || list, "{page}\n{step}");
        }
    }
}

/// PostgreSQL only: SQLite has no such counters, its plans are looked at above.
#[test]
fn reading_in_batches_reads_each_row_a_few_times_on_postgres() {
    const ROWS: i64 = 4_000;
    let database = Database::postgres();
    watch();
    let mut plain = database.plain();
    let read = |plain: &mut Plain, table: &str| {
        plain.number(&format!(
            "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_all_tables
             WHERE schemaname = current_schema() AND relname = '{table}'"
        ))
    };
    read_in_batches(&fixture(&database), ROWS as usize);
    wait_for_reports(&mut plain);
    // Twice the present state, once with its names; half of the past one.
    let (live, versions) = (
        read(&mut plain, "datapoints"),
        read(&mut plain, "datapoints_version"),
    );
    assert!((ROWS..6 * ROWS).contains(&live), "{live}");
    assert!((ROWS / 4..6 * ROWS).contains(&versions), "{versions}");
}

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = diesel::sql_types::Text)]
    detail: String,
}

fn plan(connection: &mut SqliteConnection, statement: &str) -> Vec<String> {
    let steps: Vec<Step> = diesel::sql_query(format!("EXPLAIN QUERY PLAN {statement}"))
        .load(connection)
        .unwrap_or_else(|error| panic!("{statement}: {error}"));
    steps.into_iter().map(|step| step.detail).collect()
}

/// A connection reports what it did when it closes.
fn wait_for_reports(plain: &mut Plain) {
    let others = "SELECT count(*) FROM pg_stat_activity
                  WHERE application_name = current_schema() AND pid <> pg_backend_pid()";
    while plain.number(others) > 0 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// A database whose statistics the server does not renew by itself.
fn without_new_statistics(database: &Database) -> Plain {
    let mut plain = database.plain();
    for table in ["datapoints", "datapoints_version"] {
        plain
            .run(&format!(
                "ALTER TABLE {table} SET (autovacuum_enabled = off)"
            ))
            .expect("no autovacuum");
    }
    plain
}

/// Statements of small writes are prepared once for each connection, and their plans kept: here while there is next to
/// nothing in the tables, whose statistics nobody renews before there is much.
#[test]
fn a_plan_kept_from_small_tables_serves_large_ones_on_postgres() {
    const ROWS: usize = 20_000;
    let database = Database::postgres();
    let mut plain = without_new_statistics(&database);
    let small = |run: &Run, factor: f64| {
        let lock = run.lock("small").expect("the lock");
        lock.checkpoint("before").expect("a checkpoint");
        assert_eq!(
            lock.iamc().add(&frame(2, factor)).expect("adding").total(),
            2
        );
        let undone = lock.revert_to("before").expect("back");
        assert_eq!(undone.total(), 2);
        assert_eq!(
            lock.iamc().add(&frame(4, factor)).expect("adding").total(),
            4
        );
        assert_eq!(
            lock.iamc()
                .remove(&frame(2, factor))
                .expect("removing")
                .total(),
            2
        );
        lock.commit().expect("commit");
    };
    {
        let _names_and_a_run = fixture(&database);
        let platform = Platform::options()
            .pool_size(1)
            .open(&database.url)
            .expect("a platform");
        let run = platform
            .runs()
            .get("model", "scenario", Some(1))
            .expect("the run");
        for round in 1..10 {
            small(&run, f64::from(round));
        }
        let other = platform.runs().create("model", "much").expect("a run");
        for run in [&run, &other] {
            let lock = run.lock("much").expect("the lock");
            lock.iamc().add(&frame(ROWS, 77.0)).expect("adding");
            lock.commit().expect("commit");
        }
        small(&run, 99.0);
    }
    wait_for_reports(&mut plain);
    for table in ["datapoints", "datapoints_version"] {
        let read = plain.number(&format!(
            "SELECT seq_tup_read FROM pg_stat_all_tables WHERE schemaname = current_schema() AND relname = '{table}'"
        ));
        assert!(
            read < ROWS as i64,
            "{read} rows of {table} were read to find some"
        );
    }
}

/// What a row was before it changes is its last version: the others, however many, are not looked at.
#[test]
fn a_row_with_many_versions_is_changed_and_set_back_as_fast_as_one_with_few_on_postgres() {
    const ROWS: usize = 50;
    const TIMES: usize = 30;
    let database = Database::postgres();
    let mut plain = without_new_statistics(&database);
    {
        let fixture = fixture(&database);
        let change = |factor: f64| {
            let lock = fixture.run.lock("again").expect("the lock");
            let changes = lock.iamc().add(&frame(ROWS, factor));
            assert_eq!(changes.expect("adding").total(), ROWS as u64);
            lock.commit().expect("commit").transaction_id
        };
        for time in 1..=TIMES {
            let before = change(time as f64);
            change(-(time as f64));
            let undone = fixture.run.revert_to(before).expect("reverted");
            assert_eq!(undone.updated, ROWS as u64);
        }
        let last = fixture.run.last_transaction().expect("the last");
        assert_eq!(fixture.run.undo(last).expect("undone").updated, ROWS as u64);
    }
    wait_for_reports(&mut plain);
    let read = plain.number(
        "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_all_tables
         WHERE schemaname = current_schema() AND relname = 'datapoints_version'",
    );
    assert!(
        read < (30 * ROWS * TIMES) as i64,
        "{read} versions were read"
    );
}

/// To fill, count and empty a staging table would take a tenth of such a revert.
#[test]
fn few_rows_are_set_back_without_staging_on_postgres() {
    const ROWS: usize = 100;
    watch();
    let database = Database::postgres();
    let fixture = fixture(&database);
    let lock = fixture.run.lock("first").expect("the lock");
    lock.iamc().add(&frame(ROWS, 1.0)).expect("adding");
    let first = lock.commit().expect("commit").transaction_id;
    let lock = fixture.run.lock("second").expect("the lock");
    let some = frame(ROWS / 2, 2.0);
    lock.iamc().add(&some).expect("changing");
    SEEN.with_borrow_mut(Vec::clear);
    assert_eq!(lock.revert_to(first).expect("reverted"), counts(0, 50, 0));
    let values_only = SEEN.take();
    lock.iamc().remove(&some).expect("removing");
    SEEN.with_borrow_mut(Vec::clear);
    assert_eq!(lock.revert_to(first).expect("reverted"), counts(50, 0, 0));
    let rows_too = SEEN.take();
    lock.commit().expect("commit");
    fixture.verify();
    let staged = |text: &&String| text.contains("datapoints_changes\"");
    assert_eq!(values_only.iter().chain(&rows_too).find(staged), None);
    // Rows that come back need what they refer to; those that get other values have it, and nobody asks.
    assert_eq!(rows_too.len(), values_only.len() + 1, "{rows_too:#?}");
}

/// Whoever writes a large run and takes it back at once is ahead of the server, which renews its statistics in the
/// background: by those there are, the run has no rows.
#[test]
fn a_run_that_statistics_do_not_know_is_found_by_key_on_postgres() {
    const ROWS: usize = 10_000;
    let database = Database::postgres();
    let mut plain = without_new_statistics(&database);
    {
        let fixture = fixture(&database);
        let add = |run: &Run, factor: f64| {
            let lock = run.lock("much").expect("the lock");
            lock.iamc().add(&frame(ROWS, factor)).expect("adding");
            lock.commit().expect("commit").transaction_id
        };
        let changed = |difference: &Diff| -> u64 {
            let series = difference.summary().expect("a summary");
            series.iter().map(|series| series.changes.updated).sum()
        };
        for _ in 0..3 {
            let other = fixture
                .platform
                .runs()
                .create("model", "other")
                .expect("a run");
            add(&other, 1.0);
            add(&other, 2.0);
        }
        plain.run("ANALYZE").expect("statistics");
        let run = fixture
            .platform
            .runs()
            .create("model", "new")
            .expect("a run");
        let first = add(&run, 1.0);
        let second = add(&run, 2.0);
        assert_eq!(run.revert_to(first).expect("back").updated, ROWS as u64);
        let difference = run.diff(first, Some(second.into())).expect("a difference");
        assert_eq!(changed(&difference), ROWS as u64);
        let last = run.last_transaction().expect("the last");
        assert_eq!(run.undo(last).expect("undone").updated, ROWS as u64);
        let copies = fixture.platform.runs();
        let copy = copies
            .clone_run(&run, &CloneOptions::default())
            .expect("a clone");
        let states = (
            run.as_of(first).expect("a state"),
            copy.as_of_now().expect("a state"),
        );
        let difference = fixture
            .platform
            .diff(&states.0, &states.1)
            .expect("a difference");
        assert_eq!(changed(&difference), ROWS as u64);
        let report = run.compact(Keep::LastCheckpoints(1), CompactOptions::default());
        assert!(report.expect("compacting").locked.is_empty());
        fixture.verify();
    }
    wait_for_reports(&mut plain);
    for table in ["datapoints", "datapoints_version"] {
        let read = plain.number(&format!(
            "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_all_tables WHERE schemaname = current_schema() AND relname = '{table}'"
        ));
        // `verify` reads all of them several times. Each for each would be 10,000 times.
        assert!(read < 500 * ROWS as i64, "{read} rows of {table} were read");
    }
}

/// A hash table of so many rows is made in parts, and joined by it they would be written all over their tables as often, and
/// their pages into the WAL each time. With little memory these are many parts.
#[test]
fn many_changes_are_written_in_the_order_of_their_keys_on_postgres() {
    const ROWS: usize = 510_000;
    let database = Database::postgres();
    let options = "options=-cwork_mem%3D1MB%20-csearch_path";
    let url = database.url.replace("options=-csearch_path", options);
    let fixture = fixture(&database.at(url));
    let run = fixture.platform.runs().create("model", "many");
    let run = run.expect("a run");
    for (message, factor) in [("first", 1.0), ("second", 2.0)] {
        let lock = run.lock(message).expect("the lock");
        lock.iamc().add(&frame(ROWS, factor)).expect("adding");
        lock.commit().expect("commit");
    }
    let key = "run_id, region_id, variable_id, unit_id, point_type, step, category";
    let mut plain = database.plain();
    let run = run.id();
    for changed in [
        format!("datapoints WHERE run_id = {run}"),
        format!("datapoints_version WHERE run_id = {run} AND operation_type = 1"),
    ] {
        let places =
            format!("SELECT ctid, lag(ctid) OVER (ORDER BY {key}) AS before FROM {changed}");
        let out_of_order = format!("SELECT count(*) FROM ({places}) p WHERE before > ctid");
        assert_eq!(plain.number(&out_of_order), 0, "{changed}");
        let rows = format!("SELECT count(*) FROM {changed}");
        assert_eq!(plain.number(&rows), ROWS as i64, "{changed}");
    }
}

/// PostgreSQL only: SQLite has no such counters, its plans are looked at above.
#[test]
fn a_bulk_write_writes_each_row_once_and_reads_it_a_few_times_on_postgres() {
    const ROWS: i64 = 4_000;
    let database = Database::postgres();
    watch();
    let mut plain = database.plain();
    {
        let fixture = fixture(&database);
        drop(measured(&database, &fixture, ROWS as usize));
    }
    wait_for_reports(&mut plain);
    let mut number = |what: &str, table: &str| {
        plain.number(&format!(
            "SELECT {what} FROM pg_stat_all_tables WHERE schemaname = current_schema() AND relname = '{table}'"
        ))
    };
    // Beside them: the few of the fixture.
    let near = |found: i64, expected: i64| (expected..expected + 10).contains(&found);
    for (what, table, halves) in [
        ("n_tup_ins", "datapoints", 4),
        ("n_tup_upd", "datapoints", 3),
        ("n_tup_del", "datapoints", 2),
        ("n_tup_ins", "datapoints_version", 9),
        // The end of what was updated, removed, and of the removal.
        ("n_tup_upd", "datapoints_version", 7),
        ("n_tup_del", "datapoints_version", 0),
        // A row that changes stays on its page.
        ("n_tup_hot_upd", "datapoints_version", 7),
    ] {
        let found = number(what, table);
        assert!(near(found, halves * ROWS / 2), "{what} of {table}: {found}");
    }
    let read = "coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)";
    for table in ["datapoints", "datapoints_version"] {
        let rows = number(read, table);
        // Each of five writes looks at each row a few times, and `verify` more often; not each row at each other.
        assert!(
            rows > ROWS && rows < 200 * ROWS,
            "{rows} rows of {table} were read"
        );
    }
}
