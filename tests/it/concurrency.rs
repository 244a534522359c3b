//! Several writers and readers at once, and sizes at which parameters run out.

use std::sync::Barrier;

use stratalog::{AddOptions, Filter, Frame};

use crate::both_engines;
use crate::support::{Database, WithRun, points, verify};

const WRITERS: usize = 6;

both_engines! {
    fn writers_of_different_runs_do_not_get_in_each_others_way(database: &Database) {
        // Each makes the same new names, in another order: no deadlock and no busy error reaches the user.
        let platform = database.open();
        let runs: Vec<_> = (0..WRITERS).map(|_| platform.runs().create("model", "scenario").expect("a run")).collect();
        let barrier = Barrier::new(WRITERS);
        std::thread::scope(|scope| {
            for (number, run) in runs.iter().enumerate() {
                let (id, barrier) = (run.id(), &barrier);
                scope.spawn(move || {
                    let platform = database.open();
                    let run = platform.runs().get_by_id(id).expect("the run");
                    let mut names: Vec<_> = (0..60).map(|n| format!("name {n}")).collect();
                    names.rotate_left(number * 7);
                    if number % 2 == 1 {
                        names.reverse();
                    }
                    barrier.wait();
                    let lock = run.lock("all at once").expect("the lock");
                    for part in names.chunks(20) {
                        let frame = Frame::yearly(part.iter().map(|name| (name.as_str(), name.as_str(), name.as_str(), 2020, 1.0)));
                        let options = AddOptions { create_missing: true, ..AddOptions::default() };
                        lock.iamc().add_with(&frame, options).expect("add");
                    }
                    lock.commit().expect("commit");
                });
            }
        });
        for run in &runs {
            assert_eq!(run.iamc().tabulate(&Filter::all()).expect("points").num_rows(), 60);
        }
        assert_eq!(platform.regions().list().expect("regions").len(), 60);
        verify(&platform);
    }

    fn threads_share_a_lock(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("together").expect("the lock");
        std::thread::scope(|scope| {
            for number in 0..4 {
                let lock = &lock;
                scope.spawn(move || {
                    for n in 0..5 {
                        lock.iamc().add(&points(&[(2020, f64::from(number)), (3000 + i64::from(number) * 10 + n, 1.0)])).expect("add");
                    }
                });
            }
        });
        lock.commit().expect("commit");
        assert_eq!(fixture.now().len(), 21);
        fixture.verify();
    }

    fn readers_are_not_kept_waiting_and_see_whole_writes(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("by hand").expect("the lock");
        let mut plain = database.plain();
        plain.begin(1, lock.token().0).expect("beginning");
        plain.run("UPDATE datapoints SET value = 2.0").expect("update");
        assert_eq!(fixture.now(), [(2020, 1.0)]);
        fixture.verify();
        plain.commit().expect("commit");
        assert_eq!(fixture.now(), [(2020, 2.0)]);
        drop(lock);
    }

    fn bulk_work_in_a_fresh_database_does_not_explode(database: &Database) {
        // PostgreSQL has no statistics yet, and a plan that reads all rows for each row takes many minutes
        // here; the right ones a second each. The server ends what takes two minutes.
        let mut impatient = Database::new(database.engine);
        impatient.url = impatient.url.replacen("options=-c", "options=-cstatement_timeout%3D120000%20-c", 1);
        let fixture = WithRun::new(&impatient);
        let years = |years: std::ops::Range<i64>, value: f64| {
            Frame::yearly(years.map(move |year| ("World", "Energy", "EJ/yr", year, value)))
        };
        let lock = fixture.run.lock("bulk").expect("the lock");
        for part in 0..3 {
            lock.iamc().add(&years(part * 20_000 + 3_000..part * 20_000 + 23_000, 1.0)).expect("add");
        }
        lock.checkpoint("all").expect("checkpoint");
        assert_eq!(lock.iamc().add(&years(3_000..43_000, 2.0)).expect("update").updated, 40_000);
        let changes = lock.iamc().remove(&years(23_000..63_000, 0.0)).expect("remove");
        assert_eq!(changes.deleted, 40_000);
        assert_eq!(lock.revert_to("all").expect("revert").total(), 60_000);
        lock.iamc().add(&years(3_000..23_000, 3.0)).expect("update");
        // By hand, twice the same rows in one transaction.
        let mut plain = impatient.plain();
        plain.begin(1, lock.token().0).expect("begin");
        plain.run("UPDATE datapoints SET value = value + 1").expect("update");
        plain.run("UPDATE datapoints SET value = value + 1").expect("update");
        plain.run("DELETE FROM datapoints WHERE step > 40000").expect("delete");
        plain.commit().expect("commit");
        assert_eq!(lock.rollback().expect("rollback").total(), 60_001);
        assert_eq!(fixture.run.iamc().tabulate(&Filter::all()).expect("points").num_rows(), 60_001);
        fixture.verify();
    }

    fn long_lists_are_one_parameter(database: &Database) {
        let fixture = WithRun::new(database);
        // More than SQLite's 32,766 parameters and PostgreSQL's 65,535.
        let years = Filter::all().year(0..70_000);
        assert_eq!(fixture.run.iamc().tabulate(&years).expect("points").num_rows(), 1);
        let names: Vec<_> = (0..3_000).map(|n| format!("Variable {n}")).collect();
        let frame = Frame::yearly(names.iter().map(|name| ("World", name.as_str(), "EJ/yr", 2020, 1.0)));
        let lock = fixture.run.lock("many variables").expect("the lock");
        assert_eq!(lock.iamc().add(&frame).expect("add").inserted, 3_000);
        lock.commit().expect("commit");
        let some = Filter::all().variable(["Variable 29*", "Variable 1"]);
        assert_eq!(fixture.run.iamc().tabulate(&some).expect("points").num_rows(), 112);
        fixture.verify();
    }
}
