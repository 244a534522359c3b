//! Through the library, as a user does it.

use stratalog::{Engine, Filter, Frame, Platform, Run, RunLock};

use crate::operation::{FEW, Operation, Side};
use crate::support::Database;

pub struct Library {
    lock: Option<RunLock>,
    platform: Platform,
    rows: usize,
    first: Frame,
    second: Frame,
    few: Frame,
    /// Dropped last.
    database: Option<Database>,
}

/// `count` of `rows` yearly points: 10 regions, 10 years, as many variables as that takes.
fn frame(rows: usize, count: usize, factor: f64) -> Frame {
    let variables = rows / 100;
    let regions: Vec<_> = (0..10).map(|n| format!("Region {n}")).collect();
    let names: Vec<_> = (0..variables)
        .map(|n| format!("Final Energy|Sector {n:05}"))
        .collect();
    Frame::yearly((0..count).map(|row| {
        let (region, variable, year) = (row / 10 / variables, row / 10 % variables, row % 10);
        let value = (row as f64 + 0.5) * factor;
        (
            regions[region].as_str(),
            names[variable].as_str(),
            "EJ/yr",
            2010 + 10 * year as i64,
            value,
        )
    }))
}

impl Library {
    pub fn new(engine: Engine, rows: usize) -> Self {
        let database = Database::new(engine);
        let platform = database.open();
        for region in 0..10 {
            platform
                .regions()
                .create(&format!("Region {region}"))
                .expect("a region");
        }
        platform.units().create("EJ/yr").expect("a unit");
        let library = Self {
            lock: None,
            platform,
            rows,
            first: frame(rows, rows, 1.0),
            second: frame(rows, rows, 1.5),
            few: frame(rows, FEW, 2.0),
            database: Some(database),
        };
        // The variables.
        let lock = library.new_run();
        lock.iamc().add(&library.first).expect("rows");
        lock.commit().expect("a checkpoint");
        library
    }

    /// What is left when the library goes: tables, names, and one run with the first values.
    pub fn into_database(mut self) -> Database {
        self.database.take().expect("it is there until now")
    }

    fn new_run(&self) -> RunLock {
        let run: Run = self
            .platform
            .runs()
            .create("model", "scenario")
            .expect("a run");
        run.lock("measuring").expect("the lock")
    }

    /// With the first values of all rows.
    fn filled(&self) -> RunLock {
        let lock = self.new_run();
        lock.iamc().add(&self.first).expect("rows");
        lock.checkpoint("first").expect("a checkpoint");
        lock
    }

    fn add(&self, frame: &Frame) -> u64 {
        let lock = self.lock.as_ref().expect("prepared");
        lock.iamc().add(frame).expect("adding").total()
    }
}

impl Side for Library {
    fn prepare(&mut self, operation: Operation) {
        if let Some(lock) = self.lock.take() {
            lock.commit().expect("a checkpoint");
        }
        let lock = match operation {
            Operation::Add => self.new_run(),
            _ => self.filled(),
        };
        self.lock = Some(lock);
        match operation {
            Operation::RevertAll => self.add(&self.second),
            Operation::RevertFew => self.add(&self.few),
            _ => 0,
        };
    }

    fn run(&mut self, operation: Operation) {
        let lock = self.lock.as_ref().expect("prepared");
        let changed = match operation {
            Operation::Add => self.add(&self.first),
            Operation::AddAgain => self.rows as u64 + self.add(&self.first),
            Operation::Update => self.add(&self.second),
            Operation::Remove => lock.iamc().remove(&self.first).expect("removing").total(),
            Operation::RevertAll | Operation::RevertFew => {
                lock.revert_to("first").expect("reverting").total()
            }
            Operation::Tabulate => {
                let batch = lock.iamc().tabulate(&Filter::all()).expect("reading");
                batch.num_rows() as u64
            }
        };
        assert_eq!(changed, operation.rows(self.rows) as u64, "{operation}");
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        if let Some(lock) = self.lock.take() {
            let _ = lock.commit();
        }
    }
}
