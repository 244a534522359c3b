//! Small operations for a machine that counts instructions (`make bench-instructions`), on SQLite: an operation's name
//! and how often to do it. What it costs is the difference between doing it often and not at all.
#![allow(clippy::expect_used, reason = "a benchmark fails by panicking")]

use stratalog::{Frame, Platform, Run};

const ROWS: i64 = 10_000;

fn frame(rows: i64, factor: f64) -> Frame {
    Frame::yearly((0..rows).map(|row| {
        let value = (row as f64 + 0.5) * factor;
        ("World", "Primary Energy", "EJ/yr", row, value)
    }))
}

fn add(run: &Run, message: &str, frame: &Frame) {
    let lock = run.lock(message).expect("the lock");
    lock.iamc().add(frame).expect("adding");
    lock.commit().expect("a checkpoint");
}

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"));
    let (Some(operation), Some(times)) = (arguments.next(), arguments.next()) else {
        eprintln!("give an operation and how often, or run `make bench-instructions`");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("counted.db");
    let platform = Platform::open(file.to_str().expect("a path")).expect("opening");
    platform.regions().create("World").expect("a region");
    platform.units().create("EJ/yr").expect("a unit");
    let run = platform.runs().create("model", "scenario").expect("a run");
    add(&run, "all", &frame(ROWS, 1.0));
    for nth in 0..times.parse::<i64>().expect("a number") {
        let factor = 2.0 + nth as f64;
        match operation.as_str() {
            "one-row block" => add(&run, "one", &frame(1, factor)),
            "change 100 rows" => add(&run, "few", &frame(100, factor)),
            "change 100 rows and revert" => {
                add(&run, "few", &frame(100, factor));
                run.revert_to("all").expect("reverting");
            }
            "read 100 rows" => {
                let few = stratalog::Filter::all().year(0..100);
                assert_eq!(run.iamc().tabulate(&few).expect("points").num_rows(), 100);
            }
            other => panic!("no operation {other:?}"),
        }
    }
}
