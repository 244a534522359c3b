//! Filters: what they select, by hand, on both engines; what they refuse.

use std::sync::Arc;

use stratalog::arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use stratalog::arrow::util::display::array_value_to_string;
use stratalog::{Error, Filter, Frame, ItemKind, Platform, Run};

use crate::both_engines;
use crate::support::{Database, verify};

/// A filter as users of JSON and Python write it.
fn filter(json: &str) -> Filter {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

fn texts(name: &'static str, values: &[&str]) -> (&'static str, ArrayRef) {
    (name, Arc::new(StringArray::from(values.to_vec())))
}

/// Three runs, two of them defaults; the first has points of each type.
fn platform(database: &Database) -> (Platform, Vec<Run>) {
    let platform = database.open();
    for (region, hierarchy) in [
        ("World", "common"),
        ("Africa", "R5"),
        ("Asia", "R5"),
        ("Mars", "R5"),
    ] {
        platform.regions().create_in(region, hierarchy).unwrap();
    }
    for unit in ["EJ/yr", "million"] {
        platform.units().create(unit).unwrap();
    }
    let runs: Vec<_> = [("m 1", "s"), ("m 1", "s"), ("m 2", "t")]
        .into_iter()
        .map(|(model, scenario)| platform.runs().create(model, scenario).unwrap())
        .collect();
    platform.runs().set_as_default(runs[0].id()).unwrap();
    platform.runs().set_as_default(runs[2].id()).unwrap();

    let lock = runs[0].lock("all types").unwrap();
    let yearly = [
        ("World", "Energy", "EJ/yr", 2020, 1.0),
        ("World", "Energy", "EJ/yr", 2030, 2.0),
        ("Africa", "Population", "million", 2030, 3.5),
    ];
    lock.iamc().add(&Frame::yearly(yearly)).unwrap();
    let categorical = RecordBatch::try_from_iter([
        texts("region", &["World", "World"]),
        texts("variable", &["Energy", "Energy"]),
        texts("unit", &["EJ/yr", "EJ/yr"]),
        (
            "year",
            Arc::new(Int64Array::from(vec![2030, 2030])) as ArrayRef,
        ),
        texts("subannual", &["winter", "summer"]),
        (
            "value",
            Arc::new(Float64Array::from(vec![4.0, 5.0])) as ArrayRef,
        ),
    ])
    .unwrap();
    lock.iamc().add(&categorical.into()).unwrap();
    let datetime = RecordBatch::try_from_iter([
        texts("region", &["Asia"]),
        texts("variable", &["energy"]),
        texts("unit", &["EJ/yr"]),
        texts("time", &["2031-06-17 12:00"]),
        ("value", Arc::new(Float64Array::from(vec![6.0])) as ArrayRef),
    ])
    .unwrap();
    lock.iamc().add(&datetime.into()).unwrap();
    lock.commit().unwrap();
    for (run, value) in [(&runs[1], 7.0), (&runs[2], 8.0)] {
        let lock = run.lock("one point").unwrap();
        lock.iamc()
            .add(&Frame::yearly([("World", "Energy", "EJ/yr", 2030, value)]))
            .unwrap();
        lock.commit().unwrap();
    }
    (platform, runs)
}

/// The values of the points, which tell them apart.
fn values(points: &RecordBatch) -> Vec<String> {
    let values = points.column_by_name("value").unwrap();
    let mut values: Vec<_> = (0..points.num_rows())
        .map(|row| array_value_to_string(values, row).unwrap())
        .collect();
    values.sort();
    values
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(ToOwned::to_owned).collect()
}

both_engines! {
    fn points_of_a_run(database: &Database) {
        let (_platform, runs) = platform(database);
        let view = runs[0].as_of("checkpoint").unwrap();
        for (json, expected) in [
            ("{}", "1.0 2.0 3.5 4.0 5.0 6.0"),
            (r#"{"region": "World"}"#, "1.0 2.0 4.0 5.0"),
            (r#"{"region": "A*"}"#, "3.5 6.0"),
            (r#"{"region": ["World", "As*"]}"#, "1.0 2.0 4.0 5.0 6.0"),
            (r#"{"region": []}"#, ""),
            (r#"{"region": null}"#, "1.0 2.0 3.5 4.0 5.0 6.0"),
            (r#"{"region__in": ["World", "As*"]}"#, "1.0 2.0 4.0 5.0"),
            (r#"{"region__eq": "A*"}"#, ""),
            (r#"{"region__ne": "World"}"#, "3.5 6.0"),
            (r#"{"region__notlike": "A*"}"#, "1.0 2.0 4.0 5.0"),
            (r#"{"region__ilike": ["WORLD", "as*"]}"#, "1.0 2.0 4.0 5.0 6.0"),
            (r#"{"region": {"name": "World"}}"#, "1.0 2.0 4.0 5.0"),
            (r#"{"region": {"name__in": ["Africa", "Asia"]}}"#, "3.5 6.0"),
            (r#"{"region": {"hierarchy": "R5", "name__like": "As*"}}"#, "6.0"),
            (r#"{"region": {"hierarchy__notlike": "R*"}}"#, "1.0 2.0 4.0 5.0"),
            (r#"{"variable": "energy"}"#, "6.0"),
            (r#"{"variable__ilike": "energy"}"#, "1.0 2.0 4.0 5.0 6.0"),
            (r#"{"variable__notilike": "ENERGY"}"#, "3.5"),
            (r#"{"unit": "million", "region": "Africa"}"#, "3.5"),
            (r#"{"unit": "million", "region": "World"}"#, ""),
            (r#"{"year": 2030}"#, "2.0 3.5 4.0 5.0"),
            (r#"{"year": [2020, 2031]}"#, "1.0"),
            (r#"{"year__in": [2020, 2030]}"#, "1.0 2.0 3.5 4.0 5.0"),
            (r#"{"year__ne": 2030}"#, "1.0"),
            (r#"{"year__notin": [2020]}"#, "2.0 3.5 4.0 5.0"),
            (r#"{"year__gt": 2020}"#, "2.0 3.5 4.0 5.0"),
            (r#"{"year__gte": 2020, "year__lt": 2030}"#, "1.0"),
            (r#"{"year__lte": 2020}"#, "1.0"),
            (r#"{"subannual": "winter"}"#, "4.0"),
            (r#"{"subannual": "*er"}"#, "4.0 5.0"),
            (r#"{"subannual__ne": "winter"}"#, "5.0"),
            (r#"{"subannual": "spring"}"#, ""),
            (r#"{"type": "yearly"}"#, "1.0 2.0 3.5"),
            (r#"{"type": ["categorical", "datetime"]}"#, "4.0 5.0 6.0"),
            (r#"{"type__ne": "yearly"}"#, "4.0 5.0 6.0"),
            (r#"{"datetime": "2031-06-17T12:00:00"}"#, "6.0"),
            (r#"{"datetime__gt": "2031-06-17T12:00:00"}"#, ""),
            (r#"{"datetime__gte": "2031-06-17"}"#, "6.0"),
            (r#"{"value": 3.5}"#, "3.5"),
            (r#"{"value": [1, 6.0]}"#, "1.0 6.0"),
            (r#"{"value__gt": 3.5, "value__lte": 5}"#, "4.0 5.0"),
            (r#"{"value__ne": 1}"#, "2.0 3.5 4.0 5.0 6.0"),
            (r#"{"value__in": []}"#, ""),
        ] {
            let filter = filter(json);
            assert_eq!(values(&runs[0].iamc().tabulate(&filter).unwrap()), words(expected), "{json}");
            assert_eq!(values(&view.iamc().tabulate(&filter).unwrap()), words(expected), "{json} as of");
            assert_eq!(values(&runs[0].iamc().history(&filter).unwrap()), words(expected), "{json} history");
        }
    }

    fn points_of_a_platform_are_those_of_default_runs(database: &Database) {
        let (platform, runs) = platform(database);
        let ids: Vec<_> = runs.iter().map(|run| run.id().0).collect();
        for (json, expected) in [
            ("{}", "1.0 2.0 3.5 4.0 5.0 6.0 8.0".to_owned()),
            (r#"{"run": {"default_only": false}}"#, "1.0 2.0 3.5 4.0 5.0 6.0 7.0 8.0".into()),
            (r#"{"run": {"default_only": true}, "value__gt": 5}"#, "6.0 8.0".into()),
            (r#"{"run": {"is_default": false}}"#, "7.0".into()),
            (r#"{"run": {"version": 2}}"#, String::new()),
            (r#"{"run": {"version": 2, "default_only": false}}"#, "7.0".into()),
            (r#"{"run": {"version__lt": 2, "model": {"name": "m 2"}}}"#, "8.0".into()),
            (r#"{"model": "m 2"}"#, "8.0".into()),
            (r#"{"model": {"name__notlike": "m 2"}, "year": 2020}"#, "1.0".into()),
            (r#"{"scenario": ["t", "u"]}"#, "8.0".into()),
            (&format!(r#"{{"run": {{"id": {}, "default_only": false}}}}"#, ids[1]), "7.0".into()),
            (&format!(r#"{{"run": {{"id__in": {ids:?}}}, "value__gte": 6}}"#), "6.0 8.0".into()),
            (r#"{"run": {"iamc": {"type": "datetime"}}, "region": "World", "year": 2020}"#, "1.0".into()),
            (r#"{"run": {"iamc": false}}"#, String::new()),
        ] {
            let found = platform.iamc().tabulate(&filter(json)).unwrap();
            assert_eq!(values(&found), words(&expected), "{json}");
        }
        let found = platform.iamc().tabulate(&filter(r#"{"model": "m 2"}"#)).unwrap();
        let names: Vec<_> = found.schema().fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(names.join(" "), "run_id model scenario version region variable unit year value");
        let row: Vec<_> = found.columns().iter().map(|column| array_value_to_string(column, 0).unwrap()).collect();
        assert_eq!(row.join(" | "), format!("{} | m 2 | t | 1 | World | Energy | EJ/yr | 2030 | 8.0", ids[2]));
    }

    fn names_by_their_own_and_by_their_use(database: &Database) {
        let (platform, _runs) = platform(database);
        platform.regions().set_docs("Mars", Some("far away")).unwrap();
        let regions = |json: &str| {
            let found = platform.regions().list_with(&filter(json)).unwrap();
            found.into_iter().map(|named| named.name).collect::<Vec<_>>().join(" ")
        };
        let mars = platform.regions().get("Mars").unwrap();
        assert_eq!(platform.regions().get_by_id(mars.id).unwrap(), mars);
        assert_eq!(mars.docs.as_deref(), Some("far away"));
        for (json, expected) in [
            ("{}", "Africa Asia Mars World"),
            (r#"{"name": "A*"}"#, "Africa Asia"),
            (r#"{"hierarchy": "R5", "name__notlike": "A*"}"#, "Mars"),
            (r#"{"docs": "far*"}"#, "Mars"),
            (r#"{"iamc": true}"#, "Africa Asia World"),
            (r#"{"iamc": false}"#, "Mars"),
            (r#"{"iamc": {"variable": "Energy"}}"#, "World"),
            (r#"{"iamc": {"variable__ilike": "energy", "run": {"model": "m 1"}}}"#, "Asia World"),
            (r#"{"iamc": {"run": {"model": "m 2"}}}"#, "World"),
            (r#"{"iamc": {"model": "m 2", "year__lt": 2030}}"#, ""),
            (&format!(r#"{{"id": {}}}"#, mars.id), "Mars"),
            (&format!(r#"{{"id__ne": {}, "iamc": true}}"#, mars.id), "Africa Asia World"),
        ] {
            assert_eq!(regions(json), expected, "{json}");
        }
        let units = platform.units().list_with(&filter(r#"{"iamc": {"region": "Africa"}}"#)).unwrap();
        assert_eq!(units[0].name, "million");
        let models = platform.models().list_with(&filter(r#"{"iamc": {"region": "As*"}}"#)).unwrap();
        assert_eq!(models.iter().map(|named| named.name.as_str()).collect::<Vec<_>>(), ["m 1"]);
        let scenarios = platform.scenarios().list_with(&filter(r#"{"iamc": {"unit": "million"}}"#)).unwrap();
        assert_eq!(scenarios.iter().map(|named| named.name.as_str()).collect::<Vec<_>>(), ["s"]);
        let variables = platform.variables().list_with(&filter(r#"{"iamc": {"type": "datetime"}}"#)).unwrap();
        assert_eq!(variables.iter().map(|named| named.name.as_str()).collect::<Vec<_>>(), ["energy"]);

        platform.regions().set_docs("Mars", None).unwrap();
        assert_eq!(platform.regions().get("Mars").unwrap().docs, None);
        let before = platform.log(&stratalog::LogFilter::default()).unwrap().len();
        platform.regions().set_docs("Mars", None).unwrap();
        assert_eq!(platform.log(&stratalog::LogFilter::default()).unwrap().len(), before, "nothing changed");
        let error = platform.regions().set_docs("Venus", Some("hot")).unwrap_err();
        assert!(error.is_not_found(), "{error}");
        verify(&platform);
    }

    fn runs_by_what_they_are_and_what_they_have(database: &Database) {
        let (platform, runs) = platform(database);
        let found = |json: &str| {
            let found = platform.runs().list(&filter(json)).unwrap();
            let positions = found.iter().map(|run| runs.iter().position(|r| r.id() == run.id()).unwrap().to_string());
            positions.collect::<Vec<_>>().join(" ")
        };
        for (json, expected) in [
            ("{}", "0 1 2"),
            (r#"{"default_only": true}"#, "0 2"),
            (r#"{"default_only": false}"#, "0 1 2"),
            (r#"{"is_default": false}"#, "1"),
            (r#"{"model": "m*", "scenario": {"name": "s"}}"#, "0 1"),
            (r#"{"version__gte": 2}"#, "1"),
            (r#"{"iamc": {"region": "Asia"}}"#, "0"),
            (r#"{"iamc": {"value__gt": 6.5}}"#, "1 2"),
            (r#"{"iamc": true, "model__ne": "m 1"}"#, "2"),
            (r#"{"iamc": false}"#, ""),
        ] {
            assert_eq!(found(json), expected, "{json}");
        }
    }

    fn optimization_items(database: &Database) {
        let (platform, runs) = platform(database);
        let lock = runs[0].lock("items").unwrap();
        let items = lock.optimization();
        for indexset in ["j", "i"] {
            items.create_indexset(indexset).unwrap();
        }
        items.create(ItemKind::Parameter, "supply", &["i"], None).unwrap();
        items.create(ItemKind::Parameter, "distance", &["i", "j"], None).unwrap();
        items.create_scalar("freight", 90.0, "EJ/yr").unwrap();
        items.create_scalar("people", 8.0, "million").unwrap();
        items.set_docs(ItemKind::Parameter, "supply", Some("in cases")).unwrap();
        let found = |kind, json: &str| {
            let found = runs[0].optimization().list_with(kind, &filter(json)).unwrap();
            found.into_iter().map(|item| item.name).collect::<Vec<_>>().join(" ")
        };
        let second = runs[0].optimization().get(ItemKind::Parameter, "distance").unwrap();
        for (kind, json, expected) in [
            (ItemKind::IndexSet, "{}", "j i"),
            (ItemKind::IndexSet, r#"{"name__in": ["i", "k"]}"#, "i"),
            (ItemKind::Parameter, "{}", "supply distance"),
            (ItemKind::Parameter, r#"{"indexset": "j"}"#, "distance"),
            (ItemKind::Parameter, r#"{"name": "*s*"}"#, "supply distance"),
            (ItemKind::Parameter, r#"{"docs": "*cases"}"#, "supply"),
            (ItemKind::Parameter, &format!(r#"{{"id": {}}}"#, second.id), "distance"),
            (ItemKind::Scalar, r#"{"value__gt": 8}"#, "freight"),
            (ItemKind::Scalar, r#"{"unit": "mill*"}"#, "people"),
            (ItemKind::Scalar, r#"{"unit": {"name__ne": "million"}}"#, "freight"),
        ] {
            assert_eq!(found(kind, json), expected, "{kind:?} {json}");
        }
        items.set_scalar("freight", 91.0, "EJ/yr").unwrap();
        items.set_docs(ItemKind::Scalar, "freight", Some("per mile")).unwrap();
        items.set_scalar("freight", 92.0, "EJ/yr").unwrap();
        let freight = runs[0].optimization().get(ItemKind::Scalar, "freight").unwrap();
        assert_eq!((freight.docs.as_deref(), freight.number, freight.value), (Some("per mile"), 1, Some(92.0)));
        items.delete(ItemKind::Parameter, "distance").unwrap();
        let again = items.create(ItemKind::Parameter, "distance", &["i"], None).unwrap();
        assert_eq!((again.number, again.id), (2, second.id), "what is made again is the same");
        assert_eq!(items.create(ItemKind::Parameter, "new", &["i"], None).unwrap().number, 3);
        lock.commit().unwrap();
        let clone = platform.runs().clone_run(&runs[0], &stratalog::CloneOptions::default()).unwrap();
        let ids = |run: &Run| {
            let items = run.optimization().list(ItemKind::Parameter).unwrap();
            items.iter().map(|item| (item.id, item.number)).collect::<Vec<_>>()
        };
        assert_ne!(ids(&clone), ids(&runs[0]));
        assert_eq!(ids(&clone).iter().map(|id| id.1).collect::<Vec<_>>(), [1, 2, 3]);
        let (a, b) = (runs[0].as_of_now().unwrap(), clone.as_of_now().unwrap());
        assert!(platform.diff(&a, &b).unwrap().is_empty().unwrap());
        verify(&platform);
    }

    fn what_is_not_known_or_does_not_fit_is_refused(database: &Database) {
        let (platform, runs) = platform(database);
        let invalid = |result: stratalog::Result<RecordBatch>| match result {
            Err(Error::InvalidFilter(problem)) => problem,
            other => panic!("expected a refusal, got {other:?}"),
        };
        for (json, expected) in [
            (r#"{"regions": "World"}"#, "unknown filter \"regions\" (did you mean \"region\"?): points can be filtered by region, variable, unit, year, subannual, datetime, type, value;"),
            (r#"{"region__gt": "World"}"#, "region__gt cannot be used"),
            (r#"{"region__is": "World"}"#, "unknown filter \"region__is\""),
            (r#"{"year__like": "20*"}"#, "year__like cannot be used"),
            (r#"{"year": "2030"}"#, "year=\"2030\" cannot be used: give a whole number or several"),
            (r#"{"year": 2030.5}"#, "year=2030.5 cannot be used"),
            (r#"{"year__gte": [1, 2]}"#, "year__gte=[1, 2] cannot be used"),
            (r#"{"region": 1}"#, "region=1 cannot be used: give a name or several"),
            (r#"{"region": {"nam": "x"}}"#, "unknown filter \"nam\" (did you mean \"name\"?): regions can be filtered by id, name, docs, iamc, hierarchy;"),
            (r#"{"datetime": "soon"}"#, "datetime=\"soon\" cannot be used: give a time"),
            (r#"{"value": "big"}"#, "value=\"big\" cannot be used: give a number"),
            (r#"{"run": {"default_only": false}}"#, "unknown filter \"run\""),
        ] {
            let problem = invalid(runs[0].iamc().tabulate(&filter(json)));
            assert!(problem.starts_with(expected), "{json}: {problem}");
        }
        for (json, expected) in [
            (r#"{"run": 1}"#, "run=1 cannot be used: give a filter of runs"),
            (r#"{"run": {"default_only": "no"}}"#, "default_only=\"no\" cannot be used: give true or false"),
            (r#"{"run": {"iamc": 1}}"#, "iamc=1 cannot be used: give true, false, or a filter of points"),
        ] {
            let problem = invalid(platform.iamc().tabulate(&filter(json)));
            assert!(problem.starts_with(expected), "{json}: {problem}");
        }
        let error = runs[0].revert_with("all types", stratalog::RevertOptions {
            only: filter(r#"{"value__gt": 1}"#),
            ..stratalog::RevertOptions::default()
        }).unwrap_err();
        assert!(error.to_string().contains("unknown filter \"value__gt\""), "{error}");
        assert_eq!(runs[0].checkpoints().unwrap().len(), 1, "not even the lock was taken");
    }

    fn who_made_and_changed_what_comes_from_the_log(database: &Database) {
        let (platform, runs) = platform(database);
        let other = Platform::options().actor("somebody else").open(&database.url).unwrap();
        let made = platform.regions().get("Mars").unwrap();
        let audit = platform.regions().audit(made.id).unwrap();
        assert_eq!(audit.created_by.as_deref(), Some(platform.actor()));
        assert_eq!((audit.updated_at, audit.updated_by), (None, None));
        other.regions().set_docs("Mars", Some("red")).unwrap();
        let audit = platform.regions().audits().unwrap().remove(&made.id).unwrap();
        assert_eq!(audit.updated_by.as_deref(), Some("somebody else"));
        assert!(audit.updated_at >= audit.created_at && audit.created_at.is_some());
        other.regions().delete("Mars").unwrap();
        other.regions().create("Mars").unwrap();
        let audit = platform.regions().audit(made.id).unwrap();
        assert_eq!((audit.created_by.as_deref(), audit.updated_by), (Some("somebody else"), None));

        let run = other.runs().get_by_id(runs[2].id()).unwrap();
        assert_eq!(run.audit().unwrap().updated_by.as_deref(), Some(platform.actor()));
        let lock = run.lock("more").unwrap();
        lock.meta().set("key", 1).unwrap();
        lock.optimization().create_indexset("i").unwrap();
        lock.commit().unwrap();
        let audit = runs[2].audit().unwrap();
        assert_eq!(audit.created_by.as_deref(), Some(platform.actor()));
        assert_eq!(audit.updated_by.as_deref(), Some("somebody else"));
        assert_eq!(platform.runs().audits().unwrap()[&runs[2].id().0], audit);
        let items = runs[2].optimization().audits(ItemKind::IndexSet).unwrap();
        assert_eq!(items["i"].created_by.as_deref(), Some("somebody else"));
        assert_eq!(items["i"].updated_at, None);
    }
}
