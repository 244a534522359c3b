//! What writing costs, beside the raw floor: the same rows into the same tables by the engine's own bulk
//! path, without the library.
//!
//! - `STRATALOG_BENCH_ENGINES`: `sqlite,postgres` (the default); PostgreSQL needs
//!   `STRATALOG_TEST_POSTGRES_URL`, which `make bench` sets.
//! - `STRATALOG_BENCH_ROWS`: `1000,10000,100000` (the default); a million takes minutes.
//! - `STRATALOG_BENCH_JSON`: a file for the medians, a line of JSON each.
//!
//! The floor knows what the library has to find out: that all rows are new, or that all of them differ. Its
//! tables have been analysed; the library's are as fresh as a new user's.
#![allow(clippy::expect_used, reason = "a benchmark fails by panicking")]

mod floor;
mod library;
mod operation;
#[path = "../../tests/it/support.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use stratalog::Engine;

use floor::Floor;
use library::Library;
use operation::{Operation, Side};

/// Durations by (engine, operation, rows, side).
type Measured = BTreeMap<(&'static str, Operation, usize, &'static str), Vec<Duration>>;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut measured = Measured::new();
    for (name, engine) in engines() {
        for rows in sizes() {
            for operation in Operation::ALL {
                measure(&mut criterion, &mut measured, name, engine, operation, rows);
            }
        }
    }
    criterion.final_summary();
    print_table(&measured);
    if let Ok(path) = std::env::var("STRATALOG_BENCH_JSON") {
        std::fs::write(&path, as_json(&measured)).expect("writing what was measured");
    }
}

fn engines() -> Vec<(&'static str, Engine)> {
    let wanted = std::env::var("STRATALOG_BENCH_ENGINES").unwrap_or("sqlite,postgres".into());
    let known = [("sqlite", Engine::Sqlite), ("postgres", Engine::Postgres)];
    let engines: Vec<_> = wanted
        .split(',')
        .map(|name| {
            let found = known.iter().find(|(known, _)| *known == name);
            *found.unwrap_or_else(|| stop(&format!("STRATALOG_BENCH_ENGINES: no engine {name:?}")))
        })
        .collect();
    let has_server = std::env::var("STRATALOG_TEST_POSTGRES_URL").is_ok();
    if engines
        .iter()
        .any(|(_, engine)| *engine == Engine::Postgres)
        && !has_server
    {
        stop(
            "no PostgreSQL to measure on: run `make bench`, set STRATALOG_TEST_POSTGRES_URL, or measure \
             without it: STRATALOG_BENCH_ENGINES=sqlite",
        );
    }
    engines
}

fn sizes() -> Vec<usize> {
    let wanted = std::env::var("STRATALOG_BENCH_ROWS").unwrap_or("1000,10000,100000".into());
    wanted
        .split(',')
        .map(|rows| match rows.replace('_', "").parse() {
            // Rows come in 10 regions and 10 years.
            Ok(rows) if rows >= 100 && rows % 100 == 0 => rows,
            _ => stop(&format!(
                "STRATALOG_BENCH_ROWS: no multiple of 100: {rows:?}"
            )),
        })
        .collect()
}

fn stop(problem: &str) -> ! {
    eprintln!("{problem}");
    std::process::exit(2);
}

fn measure(
    criterion: &mut Criterion,
    measured: &mut Measured,
    name: &'static str,
    engine: Engine,
    operation: Operation,
    rows: usize,
) {
    let mut group = criterion.benchmark_group(format!("{name}/{operation}"));
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10)
        .warm_up_time(Duration::from_millis(1))
        .throughput(Throughput::Elements(operation.rows(rows) as u64));
    for side in ["library", "floor"] {
        // Made only if this benchmark is not filtered out.
        let mut made: Option<Box<dyn Side>> = None;
        let durations = measured.entry((name, operation, rows, side)).or_default();
        group.bench_function(BenchmarkId::new(side, rows), |bencher| {
            let side = made.get_or_insert_with(|| match side {
                "library" => Box::new(Library::new(engine, rows)),
                _ => Box::new(Floor::new(engine, rows)),
            });
            bencher.iter_custom(|iterations| {
                let mut total = Duration::ZERO;
                for _ in 0..iterations {
                    side.prepare(operation);
                    let begin = Instant::now();
                    side.run(operation);
                    let taken = begin.elapsed();
                    durations.push(taken);
                    total += taken;
                }
                total
            });
        });
    }
    group.finish();
}

fn median(durations: &[Duration]) -> Option<Duration> {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

/// A line per operation, in seconds.
fn as_json(measured: &Measured) -> String {
    let mut lines = String::new();
    for ((engine, operation, rows, side), durations) in measured {
        let floor = measured.get(&(engine, *operation, *rows, "floor"));
        let floor = floor.and_then(|durations| median(durations));
        let (Some(library), Some(floor), "library") = (median(durations), floor, *side) else {
            continue;
        };
        let line = serde_json::json!({
            "engine": engine,
            "operation": operation.to_string(),
            "rows": rows,
            "library": library.as_secs_f64(),
            "floor": floor.as_secs_f64(),
        });
        lines += &format!("{line}\n");
    }
    lines
}

fn print_table(measured: &Measured) {
    println!("\nMedians; the ratio is the library's time to the floor's.\n");
    println!("| engine   | operation       |      rows |    library |      floor | ratio |");
    println!("|----------|-----------------|----------:|-----------:|-----------:|------:|");
    for ((engine, operation, rows, side), durations) in measured {
        let floor = measured.get(&(engine, *operation, *rows, "floor"));
        let floor = floor.and_then(|durations| median(durations));
        let (Some(library), Some(floor), "library") = (median(durations), floor, *side) else {
            continue;
        };
        println!(
            "| {engine:<8} | {:<15} | {rows:>9} | {:>7.1} ms | {:>7.1} ms | {:>5.1} |",
            operation.to_string(),
            library.as_secs_f64() * 1e3,
            floor.as_secs_f64() * 1e3,
            library.as_secs_f64() / floor.as_secs_f64(),
        );
    }
}
