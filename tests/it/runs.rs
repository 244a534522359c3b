//! Runs: versions, the default one, finding, deleting.

use stratalog::{Filter, Frame, LogFilter, Platform, Run, RunId, Runs};

use crate::platform::in_threads;
use crate::support::{Database, verify};
use crate::{both_engines, processes};

fn two_points() -> Frame {
    Frame::yearly([
        ("World", "Population", "million", 2020, 7_800.0),
        ("World", "Population", "million", 2030, 8_500.0),
    ])
}

fn platform(database: &Database) -> Platform {
    let platform = database.open();
    platform.regions().create("World").expect("region");
    platform.units().create("million").expect("unit");
    platform
}

fn add_points(run: &Run, message: &str) {
    let lock = run.lock(message).expect("lock");
    lock.iamc().add(&two_points()).expect("add");
    lock.commit().expect("commit");
}

fn default_version(runs: &Runs, model: &str, scenario: &str) -> Option<i32> {
    runs.get(model, scenario, None)
        .ok()
        .map(|run| run.info().version)
}

fn labels(runs: &[Run]) -> Vec<String> {
    runs.iter().map(Run::label).collect()
}

fn message(result: stratalog::Result<Run>) -> String {
    let error = result.expect_err("no such run");
    assert!(error.is_not_found(), "{error}");
    error.to_string()
}

both_engines! {
    fn versions_of_a_models_scenario_are_numbered_from_one(database: &Database) {
        let runs = database.open().runs();
        for version in 1..=3 {
            let run = runs.create("m", "s").expect("create");
            let info = run.info();
            assert_eq!((info.model.as_str(), info.scenario.as_str()), ("m", "s"));
            assert_eq!((info.version, info.is_default), (version, false));
            assert_eq!(run.label(), format!("m / s, version {version}"));
        }
        assert_eq!(runs.create("m", "other").expect("create").info().version, 1);
        assert_eq!(runs.create("other", "s").expect("create").info().version, 1);
        assert_eq!(runs.create("m", "s").expect("create").info().version, 4);
    }

    fn making_a_run_makes_its_model_and_scenario_in_one_transaction(database: &Database) {
        let platform = database.open();
        platform.runs().create("m", "s").expect("create");
        assert_eq!(platform.models().get("m").expect("model").name, "m");
        assert_eq!(platform.scenarios().get("s").expect("scenario").name, "s");
        let log = platform.log(&LogFilter::default()).expect("log");
        assert_eq!(log.len(), 1);
        assert_eq!((log[0].operation.as_str(), log[0].run_id), ("runs.create", None));
        let tables: Vec<_> = log[0].changes.iter().map(|(table, _)| table.as_str()).collect();
        assert_eq!(tables, ["models", "scenarios", "runs"]);
    }

    fn models_and_scenarios_need_usable_names(database: &Database) {
        let runs = database.open().runs();
        for (model, scenario, problem) in [
            ("", "s", "model name \"\" cannot be used"),
            ("m", "", "scenario name \"\" cannot be used"),
            ("m", " s", "scenario name \" s\" cannot be used"),
            ("m\0", "s", "model name \"m\\0\" cannot be used"),
        ] {
            let error = database.refused(|| runs.create(model, scenario));
            assert!(error.is_invalid_input());
            assert!(error.to_string().starts_with(problem), "{error}");
        }
    }

    fn a_version_is_found_by_its_number_and_a_run_by_its_id(database: &Database) {
        let runs = database.open().runs();
        let first = runs.create("m", "s").expect("create");
        let second = runs.create("m", "s").expect("create");
        assert_eq!(runs.get("m", "s", Some(2)).expect("get").info(), second.info());
        assert_eq!(runs.get_by_id(first.id()).expect("get").info(), first.info());
        assert_eq!(message(runs.get("m", "s", Some(3))), "no run m / s, version 3: versions there: 1, 2");
        let unknown = message(runs.get_by_id(RunId(99)));
        assert!(unknown.starts_with("no run with id 99: list them"), "{unknown}");
    }

    fn without_a_version_one_gets_the_default_one(database: &Database) {
        let runs = database.open().runs();
        runs.create("m", "s").expect("create");
        let second = runs.create("m", "s").expect("create");
        let error = runs.get("m", "s", None).expect_err("no default yet");
        assert!(error.is_not_found());
        let error = error.to_string();
        assert!(error.starts_with("m / s has no default version; versions there: 1, 2."), "{error}");
        assert!(error.contains("set_as_default()"), "{error}");

        runs.set_as_default(second.id()).expect("set");
        let found = runs.get("m", "s", None).expect("get");
        assert_eq!(found.id(), second.id());
        assert!(found.info().is_default);
    }

    fn a_run_that_is_not_there_is_not_found_with_what_to_do(database: &Database) {
        let runs = database.open().runs();
        let error = message(runs.get("MESSAGEix", "SSP2", None));
        assert_eq!(error, "no run MESSAGEix / SSP2: there are no runs yet: make one with runs.create()");
        runs.create("MESSAGEix", "SSP2-1.5C").expect("create");
        let error = message(runs.get("messageix", "SSP2-1.5", Some(1)));
        assert_eq!(
            error,
            "no run messageix / SSP2-1.5, version 1: did you mean \"MESSAGEix\" / \"SSP2-1.5C\"?"
        );
        let error = message(runs.get("REMIND", "SSP5", None));
        assert!(error.contains("list them with platform.runs.tabulate() or `stratalog runs`"), "{error}");
    }

    fn at_most_one_version_is_the_default(database: &Database) {
        let runs = database.open().runs();
        let ids: Vec<_> = (0..3).map(|_| runs.create("m", "s").expect("create").id()).collect();
        let other = runs.create("m", "other").expect("create").id();
        runs.set_as_default(other).expect("set");
        for (id, version) in ids.iter().zip(1..) {
            runs.set_as_default(*id).expect("set");
            assert_eq!(default_version(&runs, "m", "s"), Some(version));
            assert_eq!(database.plain().number("SELECT count(*) FROM runs WHERE is_default"), 2);
        }
        runs.unset_as_default(ids[0]).expect("not the default one: nothing to do");
        assert_eq!(default_version(&runs, "m", "s"), Some(3));
        runs.unset_as_default(ids[2]).expect("unset");
        assert_eq!(default_version(&runs, "m", "s"), None);
        assert_eq!(default_version(&runs, "m", "other"), Some(1));
    }

    fn changing_the_default_is_logged_and_an_unchanged_one_leaves_no_transaction(database: &Database) {
        let platform = database.open();
        let runs = platform.runs();
        let (first, second) = (runs.create("m", "s").expect("run"), runs.create("m", "s").expect("run"));
        runs.set_as_default(first.id()).expect("set");
        runs.set_as_default(second.id()).expect("set");
        let log = platform.log(&LogFilter::default()).expect("log");
        assert_eq!(log[0].operation, "runs.set_as_default");
        assert_eq!(log[0].changes[0].1.updated, 2, "one is so no more, the other is");

        let before = database.row_counts();
        runs.set_as_default(second.id()).expect("it is so already");
        runs.unset_as_default(first.id()).expect("it is not");
        assert_eq!(database.row_counts(), before);

        runs.unset_as_default(second.id()).expect("unset");
        let log = platform.log(&LogFilter::default()).expect("log");
        assert_eq!(log[0].operation, "runs.unset_as_default");
        verify(&platform);
    }

    fn of_many_defaults_set_at_once_one_stays(database: &Database) {
        let platform = database.open();
        let ids: Vec<_> = (0..8).map(|_| platform.runs().create("m", "s").expect("run").id()).collect();
        for id in in_threads(8, |thread| {
            let runs = database.open().runs();
            runs.set_as_default(ids[thread]).map(|()| ids[thread])
        }) {
            id.expect("setting the default");
        }
        assert_eq!(database.plain().number("SELECT count(*) FROM runs WHERE is_default"), 1);
        verify(&platform);
    }

    fn runs_are_listed_by_model_scenario_and_default(database: &Database) {
        let runs = database.open().runs();
        for (model, scenario) in [("a", "s"), ("b", "s"), ("a", "t"), ("a", "s")] {
            runs.create(model, scenario).expect("create");
        }
        let default = runs.get("a", "s", Some(2)).expect("get");
        runs.set_as_default(default.id()).expect("set");
        let list = |model: Option<&str>, scenario: Option<&str>, default_only| {
            let filter = Filter::all()
                .with("model", model)
                .with("scenario", scenario)
                .with("default_only", default_only);
            labels(&runs.list(&filter).expect("list"))
        };
        let all = ["a / s, version 1", "b / s, version 1", "a / t, version 1", "a / s, version 2"];
        assert_eq!(list(None, None, false), all);
        assert_eq!(list(Some("a"), None, false), [all[0], all[2], all[3]]);
        assert_eq!(list(None, Some("s"), false), [all[0], all[1], all[3]]);
        assert_eq!(list(Some("a"), Some("t"), false), [all[2]]);
        assert_eq!(list(None, None, true), [all[3]]);
        assert_eq!(list(Some("b"), None, true), [""; 0]);
        assert_eq!(list(Some("unknown"), None, false), [""; 0]);
    }

    fn deleting_a_run_deletes_its_rows_and_keeps_its_history(database: &Database) {
        let platform = platform(database);
        let runs = platform.runs();
        let run = runs.create("m", "s").expect("create");
        let kept = runs.create("m", "s").expect("create");
        runs.set_as_default(run.id()).expect("set");
        add_points(&run, "data");
        add_points(&kept, "data");
        let before = platform.log(&LogFilter::default()).expect("log").len();

        runs.delete(&run).expect("delete");

        let id = run.id();
        let mut plain = database.plain();
        assert_eq!(plain.number(&format!("SELECT count(*) FROM datapoints WHERE run_id = {id}")), 0);
        assert_eq!(
            plain.texts(&format!(
                "SELECT CAST(operation_type AS TEXT) || ' ' || CAST(count(*) AS TEXT) AS text
                 FROM datapoints_version WHERE run_id = {id} GROUP BY operation_type ORDER BY 1"
            )),
            ["0 2", "2 2"],
            "what was there, and that it was deleted"
        );
        let log = platform.log(&LogFilter::default()).expect("log");
        assert_eq!(log.len(), before + 1, "one transaction");
        assert_eq!((log[0].operation.as_str(), log[0].run_id), ("runs.delete", Some(id)));
        let deleted: Vec<_> =
            log[0].changes.iter().map(|(table, counts)| (table.as_str(), counts.deleted)).collect();
        assert_eq!(deleted, [("runs", 1), ("datapoints", 2)]);
        assert_eq!(run.checkpoints().expect("checkpoints").len(), 1);
        assert_eq!(run.as_of("data").and_then(|view| view.iamc().tabulate(&Filter::all())).expect("as of").num_rows(), 2);
        assert_eq!(kept.iamc().tabulate(&Filter::all()).expect("tabulate").num_rows(), 2);
        assert!(platform.locks().list().expect("locks").is_empty());
        verify(&platform);
    }

    fn a_deleted_run_is_gone_and_its_number_is_not_used_again(database: &Database) {
        let platform = platform(database);
        let runs = platform.runs();
        let (first, last) = (runs.create("m", "s").expect("run"), runs.create("m", "s").expect("run"));
        add_points(&last, "data");
        runs.set_as_default(last.id()).expect("set");
        runs.delete(&last).expect("delete");

        assert_eq!(message(runs.get("m", "s", Some(2))), "no run m / s, version 2: versions there: 1");
        message(runs.get_by_id(last.id()));
        assert!(runs.get("m", "s", None).is_err(), "the default one went with it");
        assert_eq!(labels(&runs.list(&Filter::all()).expect("list")), ["m / s, version 1"]);
        assert_eq!(runs.create("m", "s").expect("create").info().version, 3);

        runs.delete(&first).expect("delete");
        for run in runs.list(&Filter::all()).expect("list") {
            runs.delete(&run).expect("delete");
        }
        assert_eq!(runs.create("m", "s").expect("create").info().version, 4);
    }

    fn nothing_can_be_done_to_a_deleted_run(database: &Database) {
        let platform = platform(database);
        let runs = platform.runs();
        let run = runs.create("m", "s").expect("create");
        add_points(&run, "data");
        runs.delete(&run).expect("delete");
        for error in [
            database.refused(|| run.lock("again").map(drop)),
            database.refused(|| run.revert_to("data")),
            database.refused(|| runs.delete(&run)),
            database.refused(|| runs.set_as_default(run.id())),
            database.refused(|| runs.unset_as_default(run.id())),
        ] {
            assert!(error.is_not_found(), "{error}");
            assert!(error.to_string().contains("it was deleted"), "{error}");
        }
        assert!(platform.locks().list().expect("locks").is_empty());
        assert_eq!(run.iamc().tabulate(&Filter::all()).expect("tabulate").num_rows(), 0);
        verify(&platform);
    }

    fn a_locked_run_is_not_deleted(database: &Database) {
        let platform = platform(database);
        let run = platform.runs().create("m", "s").expect("create");
        let lock = run.lock("calibrating").expect("lock");
        lock.iamc().add(&two_points()).expect("add");
        let error = database.refused(|| platform.runs().delete(&run));
        assert!(error.is_locked());
        let error = error.to_string();
        assert!(error.starts_with(&format!("run m / s, version 1 (id {}) is locked by", run.id())), "{error}");
        assert!(error.contains("for \"calibrating\""), "{error}");
        lock.commit().expect("the lock is still its holder's");
        platform.runs().delete(&run).expect("delete");
    }

    fn processes_that_create_versions_at_once_get_all_of_them(database: &Database) {
        let platform = database.open();
        let mut versions: Vec<i32> = processes::at_once(8, "runs::creates_a_version", &database.url)
            .into_iter()
            .map(|version| version.parse().expect("a version"))
            .collect();
        versions.sort();
        assert_eq!(versions, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(platform.runs().list(&Filter::all()).expect("list").len(), 8);
        assert_eq!(platform.models().list().expect("list").len(), 1);
        assert_eq!(platform.scenarios().list().expect("list").len(), 1);
        let transactions = database.plain().number("SELECT count(*) FROM transactions");
        assert_eq!(transactions, 8, "failed attempts leave none");
        verify(&platform);
    }

    fn threads_that_create_versions_at_once_get_all_of_them(database: &Database) {
        let platform = database.open();
        let mut versions = in_threads(8, |_| {
            let run = platform.clone().runs().create("m", "s").expect("create");
            run.info().version
        });
        versions.sort();
        assert_eq!(versions, [1, 2, 3, 4, 5, 6, 7, 8]);
    }
}

#[test]
#[ignore = "one of the processes of processes_that_create_versions_at_once_get_all_of_them"]
fn creates_a_version() {
    let Some(url) = processes::database() else {
        return;
    };
    let platform = Platform::open(&url).expect("open");
    let run = platform.runs().create("m", "s").expect("create");
    processes::report(run.info().version);
}
