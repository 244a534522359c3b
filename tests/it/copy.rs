//! Cloning a run, deleting it, bringing it back.

use stratalog::{CloneOptions, Error, Filter, ItemKind, Run, RunId, TransactionId};

use crate::both_engines;
use crate::flows;
use crate::support::{WithRun, points, verify};

/// A run with points, meta indicators, optimization items and rows of a table of the program's own.
fn full_run(with: &WithRun) -> Run {
    let run = with.run.clone();
    let lock = run.lock("first").unwrap();
    lock.iamc()
        .add(&points(&[(2020, 1.5), (2030, -0.0)]))
        .unwrap();
    lock.meta().set("category", "C1").unwrap();
    let items = lock.optimization();
    items.create_indexset("i").unwrap();
    items.add_elements("i", ["a".into(), "b".into()]).unwrap();
    items.create_scalar("f", 2.5, "EJ/yr").unwrap();
    items.create(ItemKind::Equation, "e", &[], None).unwrap();
    let solution =
        stratalog::arrow::array::RecordBatch::try_from_iter(["levels", "marginals"].map(|name| {
            let one = stratalog::arrow::array::Float64Array::from(vec![1.0]);
            (
                name,
                std::sync::Arc::new(one) as stratalog::arrow::array::ArrayRef,
            )
        }))
        .unwrap();
    items.add_data(ItemKind::Equation, "e", &solution).unwrap();
    lock.table("flows")
        .unwrap()
        .add(&flows::batch(&[("n", 2020, 1.0, None)]))
        .unwrap();
    lock.commit().unwrap();
    run
}

fn counts(from: &Run, to: &Run) -> u64 {
    let platform_diff = |run: &Run| run.as_of_now().unwrap();
    let (before, after) = (platform_diff(from), platform_diff(to));
    from_platform(&before, &after)
}

/// Without their ids, which no two runs share.
fn scalars(view: &stratalog::RunView) -> Vec<stratalog::Item> {
    let mut items = view.optimization().list(ItemKind::Scalar).unwrap();
    for item in &mut items {
        item.id = 0;
    }
    items
}

fn from_platform(before: &stratalog::RunView, after: &stratalog::RunView) -> u64 {
    let same = before.iamc().tabulate(&Filter::all()).unwrap()
        == after.iamc().tabulate(&Filter::all()).unwrap()
        && before.meta().all().unwrap() == after.meta().all().unwrap()
        && before.optimization().elements("i").unwrap()
            == after.optimization().elements("i").unwrap()
        && scalars(before) == scalars(after)
        && before.table("flows").unwrap().tabulate().unwrap()
            == after.table("flows").unwrap().tabulate().unwrap();
    u64::from(!same)
}

both_engines! {
    fn a_clone_has_everything_and_knows_where_from(database: &Database) {
        let platform = flows::open(database);
        let with = WithRun::of(&platform);
        let run = full_run(&with);
        let at = run.last_transaction().unwrap();
        let clone = platform.runs().clone_run(&run, &CloneOptions::default()).unwrap();
        assert_eq!((clone.info().version, clone.info().is_default), (2, false));
        let from = platform.runs().get_by_id(clone.id()).unwrap().info().cloned_from.unwrap();
        assert_eq!((from.run, from.transaction), (run.id(), at));
        assert_eq!(counts(&run, &clone), 0);
        let (a, b) = (run.as_of_now().unwrap(), clone.as_of_now().unwrap());
        assert!(platform.diff(&a, &b).unwrap().is_empty().unwrap());
        assert!(clone.optimization().has_solution().unwrap());
        let checkpoint = clone.checkpoints().unwrap().pop().unwrap();
        assert_eq!(checkpoint.message, format!("clone of {} at transaction {at}", run.label()));
        // One transaction, and a life of its own.
        assert_eq!(clone.log().unwrap().len(), 1);
        let lock = clone.lock("other").unwrap();
        lock.iamc().add(&points(&[(2020, 7.0)])).unwrap();
        lock.commit().unwrap();
        assert_eq!(counts(&run, &clone), 1);
        clone.revert_to(checkpoint.id).unwrap();
        assert_eq!(counts(&run, &clone), 0);

        let options = CloneOptions { model: Some("other"), scenario: None, keep_solution: false };
        let other = platform.runs().clone_run(&clone, &options).unwrap();
        assert_eq!((other.info().model.as_str(), other.info().version), ("other", 1));
        assert_eq!(other.info().cloned_from.unwrap().run, clone.id());
        assert!(!other.optimization().has_solution().unwrap());
        assert_eq!(counts(&clone, &other), 0);
        verify(&platform);
    }

    fn what_cannot_be_cloned_leaves_nothing(database: &Database) {
        let platform = flows::open(database);
        let with = WithRun::of(&platform);
        let run = full_run(&with);
        let options = CloneOptions { model: Some(""), ..CloneOptions::default() };
        let refused = platform.runs().clone_run(&run, &options).unwrap_err();
        assert!(matches!(refused, Error::InvalidName { .. }), "{refused}");
        platform.runs().delete(&run).unwrap();
        let refused = platform.runs().clone_run(&run, &CloneOptions::default()).unwrap_err();
        assert!(refused.is_not_found(), "{refused}");
        assert_eq!(platform.runs().list(&Default::default()).unwrap().len(), 0);
        verify(&platform);
    }

    fn an_empty_run_has_an_empty_clone(database: &Database) {
        let platform = database.open();
        let run = platform.runs().create("m", "s").unwrap();
        let clone = platform.runs().clone_run(&run, &CloneOptions::default()).unwrap();
        assert_eq!(clone.info().cloned_from.unwrap().transaction, TransactionId::BEFORE_FIRST);
        assert_eq!(clone.last_transaction().unwrap(), TransactionId::BEFORE_FIRST);
        assert_eq!(clone.checkpoints().unwrap().len(), 1);
        verify(&platform);
    }

    fn a_deleted_run_can_be_looked_at_and_brought_back(database: &Database) {
        let platform = flows::open(database);
        platform.chain().enable().unwrap();
        let with = WithRun::of(&platform);
        let run = full_run(&with);
        let clone = platform.runs().clone_run(&run, &CloneOptions::default()).unwrap();
        platform.runs().set_as_default(clone.id()).unwrap();
        platform.runs().delete(&clone).unwrap();
        assert!(platform.runs().get_by_id(clone.id()).unwrap_err().is_not_found());

        let [gone] = &platform.runs().deleted().unwrap()[..] else { panic!("one") };
        assert_eq!((gone.id(), gone.label()), (clone.id(), clone.label()));
        let last = gone.checkpoints().unwrap().pop().unwrap();
        assert_eq!(from_platform(&run.as_of_now().unwrap(), &gone.as_of(last.id).unwrap()), 0);
        assert_eq!(gone.iamc().tabulate(&Filter::all()).unwrap().num_rows(), 0);

        let back = platform.runs().restore(clone.id()).unwrap();
        assert_eq!((back.id(), back.label(), back.info().is_default), (clone.id(), clone.label(), false));
        assert_eq!(back.info().cloned_from, clone.info().cloned_from);
        assert_eq!(counts(&run, &back), 0);
        assert_eq!(platform.runs().deleted().unwrap().len(), 0);
        let refused = platform.runs().restore(clone.id()).unwrap_err();
        assert!(refused.is_not_found(), "{refused}");
        assert!(platform.runs().restore(RunId(99)).unwrap_err().is_not_found());
        // The next version is a new one.
        assert_eq!(platform.runs().create("model", "scenario").unwrap().info().version, 3);
        verify(&platform);
        let heads = platform.chain().heads().unwrap();
        assert!(platform.verify_chain(&heads, |_| ()).unwrap().is_ok());
    }

    fn a_model_that_was_deleted_since_comes_back_with_its_run(database: &Database) {
        let platform = database.open();
        let run = platform.runs().create("m", "s").unwrap();
        platform.runs().delete(&run).unwrap();
        platform.models().delete("m").unwrap();
        let back = platform.runs().restore(run.id()).unwrap();
        assert_eq!(back.label(), run.label());
        verify(&platform);
    }
}
