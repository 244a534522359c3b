//! Tests that need other processes: this test binary is started again with one of its hidden tests.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

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

const TASK: &str = "STRATALOG_TEST_TASK";

/// Another process that does one of the hidden tests and reports as it goes.
pub struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts the hidden test `name`, which finds `task` with [`task`].
    pub fn start(name: &str, url: &str, task: &str) -> Self {
        let binary = std::env::current_exe().expect("the test binary");
        let mut child = Command::new(binary)
            .args([name, "--exact", "--ignored", "--nocapture"])
            .env(DATABASE, url)
            .env(TASK, task)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("a process");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        Self { child, output }
    }

    /// What it reports next; `None` when it has ended.
    pub fn next_report(&mut self) -> Option<String> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.output.read_line(&mut line).expect("reading") == 0 {
                return None;
            }
            if let Some(report) = line.trim_end().strip_prefix(RESULT) {
                return Some(report.to_owned());
            }
        }
    }

    fn id(&self) -> Pid {
        let pid = i32::try_from(self.child.id()).expect("a process id");
        Pid::from_raw(pid).expect("a process id")
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.id(), signal).expect("a signal");
    }

    /// Returns when it stands still, which it does not at once: it ends what it asked the system for first.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
        waitpid(Some(self.id()), WaitOptions::UNTRACED).expect("its stop");
    }

    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// All that it still reports, and the signal that ended it.
    pub fn end(mut self) -> (Vec<String>, Option<i32>) {
        let reports = std::iter::from_fn(|| self.next_report()).collect();
        let status = self.child.wait().expect("its end");
        (reports, status.signal())
    }
}

/// Runs the hidden test `name` to its end in a process of its own, which must succeed: what it arms with `fail`
/// would meet the other tests of this process.
pub fn alone(name: &str, url: &str, task: &str) {
    let mut process = Process::start(name, url, task);
    while process.next_report().is_some() {}
    let status = process.child.wait().expect("its end");
    assert!(status.success(), "{name} failed for {task}: see above");
}

impl Drop for Process {
    fn drop(&mut self) {
        // Of no account when it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In a hidden test: the database and the task that [`Process::start`] gave.
pub fn task() -> Option<(String, String)> {
    Some((std::env::var(DATABASE).ok()?, std::env::var(TASK).ok()?))
}

/// Ends this process as a power cut would.
pub fn die() {
    kill_process(rustix::process::getpid(), Signal::KILL).expect("a signal");
    loop {
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
}
