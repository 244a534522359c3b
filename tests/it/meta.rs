//! Meta indicators: types, replacing, the log, earlier states, revert.

use std::collections::BTreeMap;

use stratalog::{Error, Filter, MetaValue, Run};

use crate::both_engines;
use crate::support::verify;

fn all(run: &Run) -> Vec<(String, MetaValue)> {
    run.meta().all().unwrap().into_iter().collect()
}

fn expected(entries: &[(&str, MetaValue)]) -> Vec<(String, MetaValue)> {
    let sorted: BTreeMap<_, _> = entries.iter().cloned().collect();
    sorted
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

both_engines! {
    fn types_are_kept_and_equal_values_leave_no_trace(database: &Database) {
        let platform = database.open();
        let run = platform.runs().create("m", "s").unwrap();
        let entries = [
            ("bool", MetaValue::Bool(true)),
            ("int", MetaValue::Int(1)),
            ("float", MetaValue::Float(1.0)),
            ("zero", MetaValue::Float(-0.0)),
            ("large", MetaValue::Int(i64::MIN)),
            ("text", MetaValue::Text("1".into())),
            ("nothing", MetaValue::Text(String::new())),
        ];
        let with_values = || entries.iter().map(|(key, value)| (*key, Some(value.clone())));
        let lock = run.lock("types").unwrap();
        assert_eq!(lock.meta().update(with_values()).unwrap().inserted, 7);
        let after = run.last_transaction().unwrap();
        assert_eq!(lock.meta().update(with_values()).unwrap().total(), 0);
        assert_eq!(lock.meta().replace(with_values()).unwrap().total(), 0);
        assert_eq!(run.last_transaction().unwrap(), after);
        assert_eq!(all(&run), expected(&entries));
        // Another type is another value.
        for value in [MetaValue::Int(1), MetaValue::Float(1.0), MetaValue::Bool(true)] {
            let before = run.meta().get("text").unwrap().unwrap();
            assert_ne!(before, value);
            assert_eq!(lock.meta().set("text", value.clone()).unwrap().updated, 1);
            assert_eq!(run.meta().get("text").unwrap(), Some(value));
        }
        assert_eq!(lock.meta().set("zero", 0.0).unwrap().updated, 1);
        lock.commit().unwrap();
        verify(&platform);
    }

    fn replacing_removes_the_rest_and_everything_is_reverted(database: &Database) {
        let platform = database.open();
        let run = platform.runs().create("m", "s").unwrap();
        let lock = run.lock("first").unwrap();
        lock.meta().set("a", 1).unwrap();
        lock.meta().set("b", "x").unwrap();
        lock.commit().unwrap();
        let first = all(&run);

        let lock = run.lock("second").unwrap();
        let counts = lock
            .meta()
            .replace([("b", Some("y".into())), ("c", Some(2.5.into())), ("d", None)])
            .unwrap();
        assert_eq!((counts.inserted, counts.updated, counts.deleted), (1, 1, 1));
        // NaN is no value; what is not there is passed over.
        assert_eq!(lock.meta().set("c", f64::NAN).unwrap().deleted, 1);
        assert_eq!(lock.meta().remove("c").unwrap().total(), 0);
        lock.commit().unwrap();
        assert_eq!(all(&run), expected(&[("b", "y".into())]));

        let view = run.as_of("first").unwrap();
        assert_eq!(view.meta().all().unwrap().into_iter().collect::<Vec<_>>(), first);
        let refused = view.meta().set("a", 2).unwrap_err();
        assert!(matches!(refused, Error::ReadOnlyView { .. }), "{refused}");
        run.revert_to("first").unwrap();
        assert_eq!(all(&run), first);
        // A block that fails leaves nothing.
        let lock = run.lock("third").unwrap();
        lock.meta().replace::<&str>([]).unwrap();
        assert_eq!(all(&run), []);
        drop(lock);
        assert_eq!(all(&run), first);
        let log = run.log().unwrap();
        assert!(log.iter().any(|entry| entry.operation == "meta.replace"));
        verify(&platform);
    }

    fn what_cannot_be_kept_is_refused(database: &Database) {
        let platform = database.open();
        let run = platform.runs().create("m", "s").unwrap();
        let refused = run.meta().set("a", 1).unwrap_err();
        assert!(matches!(refused, Error::RunLockRequired { .. }), "{refused}");
        let lock = run.lock("bad").unwrap();
        for key in ["", " a", "a\0", "id", "is_default", "model", "scenario", "version"] {
            let refused = lock.meta().update([("good", Some(1.into())), (key, Some(1.into()))]);
            assert!(matches!(refused, Err(Error::InvalidName { .. })), "{key:?}");
        }
        for value in [MetaValue::Float(f64::INFINITY), MetaValue::Text("a\0b".into())] {
            let refused = lock.meta().update([("good", Some(1.into())), ("bad", Some(value))]);
            assert!(refused.unwrap_err().to_string().contains("\"bad\""));
        }
        assert_eq!(all(&run), []);
        lock.commit().unwrap();
    }

    fn the_platform_lists_indicators_of_many_runs(database: &Database) {
        let platform = database.open();
        for (scenario, is_default) in [("s", true), ("s", false), ("t", true)] {
            let run = platform.runs().create("m", scenario).unwrap();
            let lock = run.lock("meta").unwrap();
            lock.meta().set("category", scenario).unwrap();
            lock.meta().set("year", 2030).unwrap();
            lock.commit().unwrap();
            if is_default {
                platform.runs().set_as_default(run.id()).unwrap();
            }
        }
        let listed = |filter: &Filter| -> Vec<_> {
            let found = platform.meta(filter).unwrap();
            found
                .into_iter()
                .map(|found| (found.run.scenario, found.run.version, found.key))
                .collect()
        };
        let any_version = Filter::all().with("default_only", false);
        assert_eq!(listed(&Filter::all().with("run", any_version.clone())).len(), 6);
        assert_eq!(listed(&Filter::all()).len(), 4);
        let categories = [("s".into(), 1, "category".into()), ("t".into(), 1, "category".into())];
        assert_eq!(listed(&Filter::all().with("key", "cat*")), categories);
        assert_eq!(listed(&Filter::all().with("type", "str")), categories);
        assert_eq!(listed(&Filter::all().with("value", ["s", "t"])), categories);
        assert_eq!(listed(&Filter::all().with("value__gte", 2031)), []);
        assert_eq!(listed(&Filter::all().with("value", 2030)).len(), 2);
        assert_eq!(listed(&Filter::all().with("value", true)), []);
        let second = any_version.with("version", 2);
        let of_second = Filter::all().with("run", second).with("key__ne", "year");
        assert_eq!(listed(&of_second), [("s".into(), 2, "category".into())]);
        let error = platform.meta(&Filter::all().with("keys", "year")).unwrap_err().to_string();
        assert!(error.contains("\"keys\" (did you mean \"key\"?)"), "{error}");
    }
}
