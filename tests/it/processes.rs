//! Tests that need other processes: this test binary is started again with one of its hidden tests.

use std::io::Read;
use std::process::{Command, Stdio};

const DATABASE: &str = "STRATALOG_TEST_DATABASE";
const RESULT: &str = "result of this process: ";

/// Runs the hidden test `name` in `count` processes that begin at the same moment; returns what each
/// [`report`]ed.
pub fn at_once(count: usize, name: &str, url: &str) -> Vec<String> {
    let binary = std::env::current_exe().expect("the test binary");
    let mut children: Vec<_> = (0..count)
        .map(|_| {
            Command::new(&binary)
                .args([name, "--exact", "--ignored", "--nocapture"])
                .env(DATABASE, url)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("a process")
        })
        .collect();
    // All are there: closing their inputs lets them go.
    children
        .iter_mut()
        .for_each(|child| drop(child.stdin.take()));
    children
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().expect("output");
            let text = String::from_utf8_lossy(&output.stdout);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "a process failed: {text}{errors}");
            let (_, result) = text.split_once(RESULT).expect("a report");
            result.lines().next().unwrap_or_default().to_owned()
        })
        .collect()
}

/// In a hidden test: the database, once all processes are there. `None` when nobody started it as one of
/// several (`--run-ignored all`).
pub fn database() -> Option<String> {
    let url = std::env::var(DATABASE).ok()?;
    std::io::stdin()
        .read_to_end(&mut Vec::new())
        .expect("waiting for the others");
    Some(url)
}

/// In a hidden test: what the starter gets.
pub fn report(result: impl std::fmt::Display) {
    println!("\n{RESULT}{result}");
}
