//! What looking back costs, beside what it is compared with.
//!
//! | row | beside |
//! |---|---|
//! | a read of all points as of an earlier state | the read of the present ones |
//! | the difference of two states, 1,000 points of all | the same |
//! | the first page of the log of a run with 10,000 transactions | reading 50 rows of `transactions` |
//! | adding a tenth of all points with hash chains on | adding them with chains off |
//!
//! - `STRATALOG_BENCH_ENGINES`: `sqlite,postgres` (the default); PostgreSQL needs `STRATALOG_TEST_POSTGRES_URL`,
//!   which `make bench` sets.
//! - `STRATALOG_BENCH_POINTS`: 1000000 (the default).
#![allow(clippy::expect_used, reason = "a benchmark fails by panicking")]

#[path = "../../tests/it/support.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod support;

use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode};
use stratalog::{Engine, Filter, Frame, LogFilter, Platform, Run, Target};

use support::Database;

/// How many points differ.
const CHANGED: usize = 1000;
const TRANSACTIONS: i64 = 10_000;

/// A row of the table: engine, what, the library's durations, and those of what it is beside.
type Measured = Vec<(&'static str, &'static str, [Vec<Duration>; 2])>;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut measured = Measured::new();
    let points = std::env::var("STRATALOG_BENCH_POINTS").map_or(1_000_000, |points| {
        points.replace('_', "").parse().expect("a number of points")
    });
    let engines = std::env::var("STRATALOG_BENCH_ENGINES").unwrap_or("sqlite,postgres".into());
    for (name, engine) in [("sqlite", Engine::Sqlite), ("postgres", Engine::Postgres)] {
        if engines.split(',').any(|wanted| wanted == name) {
            let history = History::new(engine, points);
            history.measure(&mut criterion, &mut measured, name);
        }
    }
    criterion.final_summary();
    print_table(&measured, points);
}

struct History {
    database: Database,
    platform: Platform,
    run: Run,
    long: Run,
    /// A tenth of all points.
    tenth: Frame,
}

/// `count` of `all` points: 20 regions, 50 variables, as many years as that takes; those that come at every nth place.
fn frame(all: usize, every: usize, factor: f64) -> Frame {
    let regions: Vec<_> = (0..20).map(|n| format!("Region {n}")).collect();
    let variables: Vec<_> = (0..50)
        .map(|n| format!("Final Energy|Sector {n}"))
        .collect();
    let years = all.div_ceil(1000);
    Frame::yearly((0..all).step_by(every).map(|row| {
        let (region, variable, year) = (row / years / 50, row / years % 50, row % years);
        (
            regions[region].as_str(),
            variables[variable].as_str(),
            "EJ/yr",
            year as i64,
            (row as f64 + 0.5) * factor,
        )
    }))
}

fn with_names(database: &Database) -> Platform {
    let platform = database.open();
    for region in 0..20 {
        let name = format!("Region {region}");
        platform.regions().create(&name).expect("a region");
    }
    platform.units().create("EJ/yr").expect("a unit");
    platform
}

impl History {
    fn new(engine: Engine, points: usize) -> Self {
        let database = Database::new(engine);
        let platform = with_names(&database);
        let all = frame(points, 1, 1.0);
        let run = platform.runs().create("model", "scenario").expect("a run");
        for (message, frame) in [
            ("all", &all),
            ("few", &frame(points, points.div_ceil(CHANGED), 2.0)),
        ] {
            let lock = run.lock(message).expect("the lock");
            lock.iamc().add(frame).expect("rows");
            lock.commit().expect("a checkpoint");
        }
        let long = platform.runs().create("model", "long").expect("a run");
        let lock = long.lock("long").expect("the lock");
        for year in 0..TRANSACTIONS {
            let point = Frame::yearly([("Region 0", "Final Energy|Sector 0", "EJ/yr", year, 1.5)]);
            lock.iamc().add(&point).expect("a point");
        }
        lock.commit().expect("a checkpoint");
        Self {
            database,
            platform,
            run,
            long,
            tenth: frame(points / 10, 1, 1.0),
        }
    }

    fn measure(&self, criterion: &mut Criterion, measured: &mut Measured, engine: &'static str) {
        let points = || self.run.iamc().tabulate(&Filter::all()).expect("points");
        let then = self.run.as_of("all").expect("a view");
        let diff = self
            .run
            .diff("all", Some(Target::from("few")))
            .expect("a diff");
        let mut row = |what, library: &mut dyn FnMut(), beside: &mut dyn FnMut()| {
            let durations = pair(criterion, engine, what, library, beside);
            measured.push((engine, what, durations));
        };
        row(
            "as of",
            &mut || drop(then.iamc().tabulate(&Filter::all()).expect("points")),
            &mut || drop(points()),
        );
        row(
            "diff of 1,000",
            &mut || assert_eq!(diff.points().expect("points").num_rows(), CHANGED),
            &mut || drop(points()),
        );
        let page = LogFilter {
            run: Some(self.long.id()),
            ..LogFilter::default()
        };
        let mut plain = self.database.plain();
        let rows = format!(
            "SELECT operation AS text FROM transactions WHERE run_id = {} ORDER BY id DESC LIMIT 50",
            self.long.id()
        );
        row(
            "log, 1 page",
            &mut || assert_eq!(self.platform.log(&page).expect("the log").len(), 50),
            &mut || assert_eq!(plain.texts(&rows).len(), 50),
        );
        let add_to = |platform: &Platform| {
            let run = platform.runs().create("model", "chained").expect("a run");
            let lock = run.lock("all").expect("the lock");
            lock.iamc().add(&self.tenth).expect("rows");
            lock.commit().expect("a checkpoint");
        };
        let [chained, plain] = [true, false].map(|chained| {
            let database = Database::new(self.platform.engine());
            let platform = with_names(&database);
            if chained {
                platform.chain().enable().expect("chains");
            }
            (database, platform)
        });
        row("add, chained", &mut || add_to(&chained.1), &mut || {
            add_to(&plain.1);
        });
    }
}

fn pair(
    criterion: &mut Criterion,
    engine: &str,
    what: &str,
    library: &mut dyn FnMut(),
    beside: &mut dyn FnMut(),
) -> [Vec<Duration>; 2] {
    let mut group = criterion.benchmark_group(format!("{engine}/{what}"));
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10)
        .warm_up_time(Duration::from_millis(1))
        .measurement_time(Duration::from_millis(100));
    let mut all = [Vec::new(), Vec::new()];
    let sides: [(&str, &mut dyn FnMut()); 2] = [("library", library), ("beside", beside)];
    for ((name, work), durations) in sides.into_iter().zip(&mut all) {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                let mut total = Duration::ZERO;
                for _ in 0..iterations {
                    let begin = Instant::now();
                    work();
                    durations.push(begin.elapsed());
                    total += begin.elapsed();
                }
                total
            });
        });
    }
    group.finish();
    all
}

fn median(durations: &[Duration]) -> Option<Duration> {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

fn print_table(measured: &Measured, points: usize) {
    println!(
        "\nMedians, with {points} points; the ratio is the library's time to that beside it.\n"
    );
    println!("| engine   | what          |    library |     beside | ratio |");
    println!("|----------|---------------|-----------:|-----------:|------:|");
    for (engine, what, [library, beside]) in measured {
        let (Some(library), Some(beside)) = (median(library), median(beside)) else {
            continue;
        };
        println!(
            "| {engine:<8} | {what:<13} | {:>7.1} ms | {:>7.1} ms | {:>5.2} |",
            library.as_secs_f64() * 1e3,
            beside.as_secs_f64() * 1e3,
            library.as_secs_f64() / beside.as_secs_f64(),
        );
    }
}
