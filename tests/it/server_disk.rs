//! A PostgreSQL server that can write no more. Only on PostgreSQL: SQLite's disk is in `disk.rs`.
//!
//! The server is one of its own, under a limit on the size of its files (`ulimit -f`): beyond that each write of
//! it fails, as on a full disk.

use std::process::Command;

use stratalog::{Frame, LockOptions};

use crate::processes;
use crate::support::{Database, WithRun, verify};

/// KiB. One file of the write-ahead log has 16 MiB, and must find room.
const LIMIT: u32 = 17 * 1024;
const PART: i64 = 40_000;
const HIDDEN: &str = "server_disk::on_a_server_that_can_write_little";

#[test]
fn a_server_whose_disk_is_full_loses_nothing_acknowledged() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/with-postgres");
    let binary = std::env::current_exe().expect("the test binary");
    let output = Command::new("bash")
        .arg("-c")
        .arg(format!("ulimit -f {LIMIT} && exec \"$0\" \"$@\""))
        .arg(script)
        .arg(binary)
        .args([HIDDEN, "--exact", "--ignored", "--nocapture"])
        .env_remove("STRATALOG_TEST_POSTGRES_URL")
        .env("STRATALOG_TEST_FULL_SERVER", "1")
        .output()
        .expect("running it");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("the disk was full"),
        "{text}\n{errors}"
    );
}

#[test]
#[ignore = "started by the test of this file"]
fn on_a_server_that_can_write_little() {
    if std::env::var_os("STRATALOG_TEST_FULL_SERVER").is_none() {
        return;
    }
    let database = Database::postgres();
    let fixture = WithRun::new(&database);
    let mut acknowledged = vec!["first point".to_owned()];
    let mut kept = 1;
    let error = loop {
        assert!(acknowledged.len() < 50, "the disk is never full");
        let message = format!("part {}", acknowledged.len());
        let first = 3_000 + kept;
        let frame = Frame::yearly(
            (first..first + PART).map(|year| ("World", "Energy", "EJ/yr", year, 1.0)),
        );
        let lock = fixture.run.lock(&message).expect("the lock");
        match lock.iamc().add(&frame) {
            Ok(_) => match lock.commit() {
                Ok(_) => {
                    acknowledged.push(message);
                    kept += PART;
                }
                Err(error) => break error,
            },
            Err(error) => break error,
        }
    };
    assert!(error.is_storage(), "{error:?}");
    assert!(
        error.to_string().contains("nothing of this call was kept"),
        "{error}"
    );
    assert!(
        acknowledged.len() > 1,
        "there was room for nothing: {error}"
    );
    // The block was rolled back, or the next holder does it.
    let options = LockOptions::timeout(std::time::Duration::from_secs(20));
    drop(fixture.run.lock_with("next", options).expect("the lock"));
    let messages: Vec<_> = fixture
        .run
        .checkpoints()
        .expect("checkpoints")
        .into_iter()
        .map(|checkpoint| checkpoint.message)
        .collect();
    assert_eq!(messages, acknowledged);
    let points = fixture
        .run
        .iamc()
        .tabulate(&stratalog::Filter::all())
        .expect("points");
    assert_eq!(points.num_rows() as i64, kept);
    verify(&fixture.platform);
    processes::report(format!("the disk was full after {kept} points: {error}"));
}
