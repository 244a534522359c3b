//! Views of earlier states, differences and undoing on the surface of the crate; random histories are in
//! `state_machine`.

use std::time::Duration;

use chrono::Utc;
use stratalog::arrow::array::AsArray;
use stratalog::arrow::datatypes::{Float64Type, Int64Type};
use stratalog::{
    ChangeCounts, Error, Filter, LogEntry, LogFilter, Platform, RevertOptions, Target,
    TransactionId,
};

use crate::both_engines;
use crate::support::{WithRun, points, years_and_values};

both_engines! {
    fn a_view_stays_as_it_is_and_cannot_be_written(database: &Database) {
        let fixture = WithRun::new(database);
        let view = fixture.run.as_of_now().expect("a view");
        let lock = fixture.run.lock("later").expect("the lock");
        lock.iamc().add(&points(&[(2020, 2.0), (2030, 3.0)])).expect("add");
        lock.commit().expect("commit");
        let then = view.iamc().tabulate(&Filter::all()).expect("points");
        assert_eq!(years_and_values(&then), [(2020, 1.0)]);
        let error = database.refused(|| view.iamc().add(&points(&[(2020, 5.0)])));
        assert!(error.is_read_only() && error.to_string().contains("revert_to"), "{error}");
        let error = database.refused(|| view.iamc().remove(&points(&[(2020, 5.0)])));
        assert!(error.is_read_only(), "{error}");
    }

    fn times_mean_the_last_transaction_that_began_until_then(database: &Database) {
        let fixture = WithRun::new(database);
        assert_eq!(fixture.run.as_of(Target::from(Utc::now())).expect("a view").transaction_id(),
            fixture.run.last_transaction().expect("last"));
        let mut known = Vec::new();
        for value in [2.0, 3.0, 4.0] {
            let lock = fixture.run.lock("more").expect("the lock");
            lock.iamc().add(&points(&[(2020, value)])).expect("add");
            known.push((lock.commit().expect("commit").transaction_id, value));
            std::thread::sleep(Duration::from_millis(3));
        }
        for entry in fixture.run.log().expect("the log") {
            let at = |time| fixture.run.as_of(Target::Time(time)).expect("a view").transaction_id();
            assert_eq!(at(entry.issued_at), entry.id, "at {}", entry.issued_at);
            assert!(at(entry.issued_at - Duration::from_micros(1)) < entry.id);
        }
        let long_ago = Target::Time("2001-01-01T00:00:00".parse().expect("a time"));
        assert_eq!(fixture.run.as_of(long_ago).expect("a view").transaction_id(), TransactionId::BEFORE_FIRST);
    }

    fn no_checkpoint_is_called_checkpoint(database: &Database) {
        let fixture = WithRun::new(database);
        let error = database.refused(|| fixture.run.lock("checkpoint").map(|_| ()));
        assert!(error.to_string().contains("means the last checkpoint"), "{error}");
        let lock = fixture.run.lock("block").expect("the lock");
        lock.checkpoint("checkpoint").expect_err("refused");
        lock.rollback().expect("rollback");
        let last = fixture.run.checkpoint("checkpoint").expect("the last");
        assert_eq!(last.message, "first point");
    }

    fn undoing_names_the_rows_that_are_in_the_way(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("many").expect("the lock");
        let years: Vec<_> = (2000..2030).map(|year| (year, 1.5)).collect();
        lock.iamc().add(&points(&years)).expect("add");
        let many = lock.commit().expect("commit").transaction_id;
        let lock = fixture.run.lock("more").expect("the lock");
        let others: Vec<_> = (2000..2012).map(|year| (year, 2.5)).collect();
        lock.iamc().add(&points(&others)).expect("add");
        let more = lock.commit().expect("commit").transaction_id;
        let error = database.refused(|| fixture.run.undo(many));
        let text = error.to_string();
        assert!(matches!(error, Error::UndoOverlaps { count: 12, .. }), "{text}");
        for part in ["region World, variable Energy, unit EJ/yr", "step 2000", "and 2 more", "nothing changed"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        // As the message says: newest first.
        assert_eq!(fixture.run.undo(more).expect("undo").updated, 12);
        let counts = fixture.run.undo(many).expect("undo");
        assert_eq!((counts.updated, counts.deleted), (1, 29));
        assert_eq!(fixture.now(), [(2020, 1.0)]);
        let last = fixture.run.checkpoints().expect("checkpoints").pop().expect("one");
        assert_eq!(last.message, format!("undo of transaction {many}"));
        assert!(fixture.platform.locks().list().expect("locks").is_empty());
        fixture.verify();
    }

    fn a_partial_revert_needs_only_what_it_brings_back(database: &Database) {
        let fixture = WithRun::new(database);
        fixture.platform.regions().create("Asia").expect("a region");
        let lock = fixture.run.lock("two regions").expect("the lock");
        lock.iamc().add(&stratalog::Frame::yearly([("Asia", "Energy", "EJ/yr", 2020, 7.0)])).expect("add");
        let both = lock.commit().expect("commit");
        let lock = fixture.run.lock("none").expect("the lock");
        lock.revert_to(TransactionId::BEFORE_FIRST).expect("revert");
        lock.commit().expect("commit");
        fixture.platform.regions().delete("Asia").expect("delete");
        assert!(matches!(fixture.run.revert_to(&both), Err(Error::RevertNeedsMissing { .. })));
        let options = RevertOptions { only: Filter::all().region(["World"]), ..RevertOptions::default() };
        assert_eq!(fixture.run.revert_with(&both, options).expect("revert").inserted, 1);
        assert_eq!(fixture.now(), [(2020, 1.0)]);
        fixture.verify();
    }

    fn the_log_is_filtered_and_paged(database: &Database) {
        let fixture = WithRun::new(database);
        let anna = database.open_with(Platform::options().actor("anna"));
        let hers = anna.runs().get_by_id(fixture.run.id()).expect("the run");
        for (run, value) in [(&hers, 2.0), (&fixture.run, 3.0), (&hers, 4.0)] {
            std::thread::sleep(Duration::from_millis(3));
            let lock = run.lock(&format!("to {value}")).expect("the lock");
            lock.iamc().add(&points(&[(2020, value), (2030 + value as i64, value)])).expect("add");
            lock.checkpoint("also").expect("checkpoint");
            lock.commit().expect("commit");
        }
        let all = fixture.platform.log(&LogFilter::default()).expect("the log");
        assert!(all.windows(2).all(|pair| pair[0].id > pair[1].id));
        let ids = |filter: LogFilter| -> Vec<_> {
            fixture.platform.log(&filter).expect("the log").into_iter().map(|entry| entry.id).collect()
        };
        let expected = |wanted: &dyn Fn(&LogEntry) -> bool| -> Vec<_> {
            all.iter().filter(|entry| wanted(entry)).map(|entry| entry.id).collect()
        };
        let run = Some(fixture.run.id());
        assert_eq!(ids(LogFilter { run, ..LogFilter::default() }), expected(&|entry| entry.run_id == run));
        let actor = Some("anna".to_owned());
        assert_eq!(ids(LogFilter { actor, ..LogFilter::default() }), expected(&|entry| entry.actor == "anna"));
        for at in &all {
            let since = Some(at.issued_at);
            let later = ids(LogFilter { since, ..LogFilter::default() });
            assert_eq!(later, expected(&|entry| entry.issued_at >= at.issued_at));
            let earlier = ids(LogFilter { until: since, ..LogFilter::default() });
            assert_eq!(earlier, expected(&|entry| entry.issued_at <= at.issued_at));
        }
        // Page by page it is the same.
        let mut paged: Vec<TransactionId> = Vec::new();
        let mut before = None;
        loop {
            let page = ids(LogFilter { before, limit: 2, ..LogFilter::default() });
            assert!(page.len() <= 2);
            paged.extend(&page);
            match page.last() {
                Some(last) => before = Some(*last),
                None => break,
            }
        }
        assert_eq!(paged, expected(&|_| true));
        // Counts and messages are each transaction's own.
        let newest = &all[0];
        assert_eq!(newest.checkpoints, ["also", "to 4"]);
        let counts = ChangeCounts { inserted: 1, updated: 1, deleted: 0 };
        assert_eq!(newest.changes, [("datapoints".to_owned(), counts)]);
        let made_region = all.iter().find(|entry| entry.changes.iter().any(|(table, _)| table == "regions"));
        assert_eq!(made_region.expect("one").run_id, None);
    }

    fn the_history_of_points_has_all_their_versions(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("edit").expect("the lock");
        lock.iamc().add(&points(&[(2020, 2.0), (2030, 5.0)])).expect("add");
        lock.iamc().remove(&points(&[(2020, 0.0)])).expect("remove");
        lock.checkpoint("half").expect("checkpoint");
        lock.iamc().add(&points(&[(2020, 3.0)])).expect("add");
        drop(lock);
        let of_2020 = fixture.run.iamc().history(&Filter::all().year([2020])).expect("the history");
        let texts = |name: &str| -> Vec<String> {
            let column = of_2020.column_by_name(name).expect("a column");
            column.as_string::<i32>().iter().map(|text| text.unwrap_or("-").to_owned()).collect()
        };
        assert_eq!(texts("operation"), ["insert", "update", "delete", "insert", "delete"]);
        assert_eq!(texts("checkpoint"), ["first point", "first point", "half", "half", "half"]);
        assert_eq!(texts("what")[..3], ["iamc.add", "iamc.add", "iamc.remove"]);
        assert!(texts("what")[4].starts_with("rollback of \"edit\""));
        let values = of_2020.column_by_name("value").expect("values").as_primitive::<Float64Type>();
        assert_eq!(values.iter().collect::<Vec<_>>(), [Some(1.0), Some(2.0), None, Some(3.0), None]);
        let ids = of_2020.column_by_name("transaction_id").expect("ids").as_primitive::<Int64Type>();
        assert!(ids.values().windows(2).all(|pair| pair[0] < pair[1]));
        // All points, by point; and as of an earlier state only what was then.
        assert_eq!(fixture.run.iamc().history(&Filter::all()).expect("the history").num_rows(), 6);
        let then = fixture.run.as_of("first point").expect("a view");
        assert_eq!(then.iamc().history(&Filter::all()).expect("the history").num_rows(), 1);
        let none = fixture.run.iamc().history(&Filter::all().region(["Mars"])).expect("the history");
        assert_eq!(none.num_rows(), 0);
    }

    fn the_views_have_names_where_the_tables_have_ids(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("all kinds of time").expect("the lock");
        lock.iamc().add(&points(&[(2020, 2.5)])).expect("add");
        for (column, value) in [("2020-06-17T12:30:15.25", 1.0), ("1960-01-01T00:00:00.000001", 2.0)] {
            lock.iamc().add(&at_time(column, value)).expect("add");
        }
        lock.commit().expect("commit");
        fixture.platform.regions().create("Atlantis").expect("a region");
        let lock = fixture.run.lock("sunk").expect("the lock");
        lock.iamc().add(&stratalog::Frame::yearly([("Atlantis", "Energy", "EJ/yr", 2020, 7.0)])).expect("add");
        lock.iamc().remove(&points(&[(2020, 0.0)])).expect("remove");
        lock.revert_to("all kinds of time").expect("revert");
        lock.commit().expect("commit");
        fixture.platform.regions().delete("Atlantis").expect("delete");
        let mut plain = database.plain();
        let shown = plain.texts(
            "SELECT model || '/' || scenario || '/' || version || ': ' || region || ', ' || variable || ', ' || unit || ', ' || type
                || ', ' || coalesce(CAST(year AS TEXT), '-') || ', ' || coalesce(substr(CAST(datetime AS TEXT), 1, 26), '-')
                || ', ' || coalesce(subannual, '-') || ' = ' || value AS text
             FROM datapoints_named ORDER BY value",
        );
        let times = |text: &str| shown.iter().any(|row| row.contains(text));
        assert_eq!(shown.len(), 3, "{shown:#?}");
        assert!(times("model/scenario/1: World, Energy, EJ/yr, yearly, 2020, -, - = 2.5"), "{shown:#?}");
        assert!(times("datetime, -, 2020-06-17 12:30:15.25"), "{shown:#?}");
        assert!(times("datetime, -, 1960-01-01 00:00:00.000001"), "{shown:#?}");
        let history = plain.texts(
            "SELECT region || ' ' || operation || ' ' || coalesce(CAST(value AS TEXT), 'gone') || ' ' || what AS text
             FROM datapoints_history_named WHERE year = 2020 ORDER BY region, transaction_id",
        );
        let expected = ["Atlantis insert 7", "Atlantis delete gone", "World insert 1", "World update 2.5", "World delete gone", "World insert 2.5"];
        assert_eq!(history.len(), expected.len(), "{history:#?}");
        for (row, expected) in history.iter().zip(expected) {
            assert!(row.starts_with(expected), "{row}: {expected}");
        }
    }
}

/// One point of a moment.
fn at_time(moment: &str, value: f64) -> stratalog::Frame {
    use std::sync::Arc;
    use stratalog::arrow::array::{
        ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    };
    let moment: chrono::NaiveDateTime = moment.parse().expect("a time");
    let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
    let columns: [(&str, ArrayRef); 5] = [
        ("region", text("World")),
        ("variable", text("Energy")),
        ("unit", text("EJ/yr")),
        (
            "datetime",
            Arc::new(TimestampMicrosecondArray::from(vec![
                moment.and_utc().timestamp_micros(),
            ])),
        ),
        ("value", Arc::new(Float64Array::from(vec![value]))),
    ];
    RecordBatch::try_from_iter(columns).expect("a batch").into()
}
