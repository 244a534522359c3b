//! The main job once, from end to end.

use stratalog::{Filter, Frame};

use crate::both_engines;

both_engines! {
    fn the_main_job(database: &Database) {
        let platform = database.open();
        platform.regions().create("World").expect("region");
        platform.units().create("EJ/yr").expect("unit");
        let run = platform.runs().create("m", "s").expect("run");
        let lock = run.lock("Baseline").expect("lock");
        let counts = lock.iamc().add(&Frame::yearly([
            ("World", "Primary Energy", "EJ/yr", 2020, 580.0),
            ("World", "Primary Energy", "EJ/yr", 2030, 600.0),
        ])).expect("add");
        assert_eq!((counts.inserted, counts.updated, counts.deleted), (2, 0, 0));
        lock.checkpoint("raw data").expect("checkpoint");
        let counts = lock.iamc().add(&Frame::yearly([
            ("World", "Primary Energy", "EJ/yr", 2030, 0.0),
            ("World", "Primary Energy", "EJ/yr", 2040, 1.0),
        ])).expect("add");
        assert_eq!((counts.inserted, counts.updated, counts.deleted), (1, 1, 0));
        lock.commit().expect("commit");
        assert_eq!(run.iamc().tabulate(&Filter::all()).expect("tabulate").num_rows(), 3);
        let report = platform.verify().expect("verify");
        assert!(report.is_ok(), "{report:#?}");
        let counts = run.revert_to("raw data").expect("revert");
        assert_eq!((counts.inserted, counts.updated, counts.deleted), (0, 1, 1));
        assert_eq!(run.iamc().tabulate(&Filter::all()).expect("tabulate").num_rows(), 2);
        let report = platform.verify().expect("verify");
        assert!(report.is_ok(), "{report:#?}");
        println!("{:#?}", run.log());
    }
}
