//! `stratalog locks` and `stratalog unlock`, as a user starts them.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json as document};
use stratalog::{Platform, Run, RunLock};

use crate::both_engines;
use crate::cli::{Folder, big_file, fails, is_clean, json, ok, points, program};
use crate::support::Database;

/// A run with one point, and ada's platform.
fn run_of_ada(database: &Database) -> (Platform, Run) {
    let folder = Folder::new();
    let file = folder.file(
        "a.csv",
        "Model,Scenario,Region,Variable,Unit,2030\nm,s,World,x,EJ,1\n",
    );
    ok(database, &["import", &file, "--create"]);
    let platform = database.open_with(Platform::options().actor("ada"));
    let run = platform.runs().get_by_id(1.into()).expect("the run");
    (platform, run)
}

fn emptied(run: &Run) -> RunLock {
    let lock = run.lock("thinking").expect("the lock");
    lock.revert_to(stratalog::TransactionId(0))
        .expect("reverting");
    lock
}

/// The columns of a table of one row, by their places under the header.
fn row(text: &str) -> (Vec<&str>, Vec<&str>) {
    let mut lines = text.lines();
    let header = split(lines.next().expect("a header"));
    let cells = split(lines.next().expect("a row"));
    assert_eq!(lines.next(), None, "{text}");
    (header, cells)
}

/// At two blanks or more.
fn split(line: &str) -> Vec<&str> {
    line.split("  ")
        .map(str::trim)
        .filter(|cell| !cell.is_empty())
        .collect()
}

both_engines! {
    fn a_held_lock_is_shown_with_all_there_is_to_know(database: &Database) {
        let (_platform, run) = run_of_ada(database);
        let lock = run.lock("thinking").expect("the lock");
        let token = lock.token().to_string();
        let pid = std::process::id().to_string();
        let text = ok(database, &["locks"]);
        let (header, cells) = row(&text);
        assert_eq!(header, [
            "run", "name", "state", "holder", "host", "pid", "token", "reason", "age", "last write", "lease until (UTC)",
        ]);
        assert_eq!(cells[..4], ["1", "m / s, version 1", "held", "ada"]);
        assert_eq!(cells[5..8], [pid.as_str(), token.as_str(), "thinking"]);
        assert!(cells[8].ends_with("second") || cells[8].ends_with("seconds"), "{text}");
        assert_eq!(cells[9], "none");

        lock.revert_to(stratalog::TransactionId(0)).expect("reverting");
        let text = ok(database, &["locks"]);
        assert!(row(&text).1[9].ends_with(" ago"), "{text}");
        let shown = &json(database, &["locks"])[0];
        assert_eq!(
            (&shown["run_id"], &shown["state"], &shown["user"], &shown["pid"], &shown["token"], &shown["reason"]),
            (&document!(1), &document!("held"), &document!("ada"), &document!(std::process::id()), &document!(lock.token()), &document!("thinking")),
        );
        for time in ["acquired_at", "expires_at", "last_write_at"] {
            assert!(shown[time].as_str().is_some_and(|time| time.ends_with('Z')), "{time}: {shown}");
        }
        lock.rollback().expect("rolling back");
        assert_eq!(ok(database, &["locks"]), "no run is locked\n");
        assert_eq!(json(database, &["locks"]), document!([]));
    }

    fn a_lock_is_ended_by_its_token_and_its_holder_can_write_no_more(database: &Database) {
        let (platform, run) = run_of_ada(database);
        let lock = emptied(&run);
        let token = lock.token().to_string();
        // What the refused are told is what ends it.
        let complaint = fails(database, 4, &["revert", "1", "@0"]);
        assert!(complaint.contains("dead or will never go on"), "{complaint}");
        assert!(complaint.contains(&format!("stratalog unlock 1 --token {token} --reason \"WHY\"\n")), "{complaint}");

        let complaint = fails(database, 1, &["unlock", "m/s/1", "--token", "99", "--reason", "left open"]);
        assert!(complaint.contains(&format!("not locked under token 99 any more, but under token {token} by ada on ")), "{complaint}");
        assert_eq!(points(&platform, 1), 0);

        let right = ["unlock", "m/s/1", "--token", &token, "--reason", "left open"];
        let text = ok(database, &[&right[..], &["--actor", "bob"]].concat());
        assert_eq!(text, "m / s, version 1 is free: rolled back to its last checkpoint (1 inserted, 0 updated, 0 deleted)\n");
        assert_eq!(points(&platform, 1), 1);
        assert!(lock.checkpoint("mine").is_err_and(|error| error.is_lock_lost()));
        assert!(lock.commit().is_err_and(|error| error.is_lock_lost()));

        let complaint = fails(database, 1, &right);
        assert!(complaint.contains("it is free, there is nothing to do"), "{complaint}");
        let text = ok(database, &["locks", "--events", "--run", "m/s/1"]);
        let (header, cells) = row(&text);
        assert_eq!(header, ["time (UTC)", "run", "name", "event", "token", "holder", "host", "pid", "held for", "by", "why"]);
        assert_eq!(cells[1..6], ["1", "m / s, version 1", "forced", token.as_str(), "ada"]);
        assert_eq!(cells[8..], ["thinking", "bob", "left open"]);
        let event = &json(database, &["locks", "--events"])[0];
        assert_eq!((&event["event"], &event["run"], &event["reason"]), (&document!("forced"), &document!("m / s, version 1"), &document!("left open")));
        assert!(is_clean(database));
    }

    fn unlocking_says_in_json_what_it_undid(database: &Database) {
        let (_platform, run) = run_of_ada(database);
        let lock = run.lock("thinking").expect("the lock");
        let token = lock.token();
        let done = json(database, &["unlock", "1", "--token", &token.to_string(), "--reason", "why not"]);
        assert_eq!((&done["run"]["id"], &done["token"]), (&document!(1), &document!(token)));
        assert_eq!(done["changes"], document!({"inserted": 0, "updated": 0, "deleted": 0}));
        drop(lock);
        let lock = run.lock("again").expect("the lock");
        let text = ok(database, &["unlock", "1", "--token", &lock.token().to_string(), "--reason", "why not"]);
        assert_eq!(text, "m / s, version 1 is free: nothing had to be undone\n");
        drop(lock);
        assert_eq!(json(database, &["locks", "--events", "--limit", "1"]).as_array().map(Vec::len), Some(1));
        assert_eq!(json(database, &["locks", "--events"]).as_array().map(Vec::len), Some(2));
        let complaint = fails(database, 1, &["unlock", "1", "--token", "1", "--reason", " "]);
        assert!(complaint.contains("say why"), "{complaint}");
    }

    fn the_lock_of_a_killed_program_is_shown_as_dead_and_taken_over_at_once(database: &Database) {
        let (platform, _run) = run_of_ada(database);
        assert_eq!(ok(database, &["locks", "--events"]), "nothing has happened to any lock\n");
        let folder = Folder::new();
        let big = big_file(&folder, 1_000);
        let mut child = program(database)
            .args(["import", &big, "--create", "--version", "1"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("starting the program");
        // Once it holds the lock, seconds of work are before it.
        while platform.locks().list().expect("locks").is_empty() {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().expect("killing it");
        child.wait().expect("its end");
        // On PostgreSQL the server has to see the end of the session first.
        let started = Instant::now();
        let shown = loop {
            let shown = json(database, &["locks"]);
            if shown[0]["state"] == "dead" || started.elapsed() > Duration::from_secs(10) {
                break shown;
            }
        };
        assert_eq!((&shown[0]["state"], &shown[0]["pid"]), (&document!("dead"), &document!(child.id())), "{shown}");
        ok(database, &["revert", "1", "@0"]);
        assert!(started.elapsed() < Duration::from_secs(20), "it waited for the lease");
        let events: Value = json(database, &["locks", "--events"]);
        assert_eq!((&events[0]["event"], &events[0]["reason"]), (&document!("taken over"), &document!("its process ended")));
        assert!(is_clean(database));
    }
}

#[test]
fn wrong_usage_exits_with_2() {
    let database = Database::sqlite();
    for args in [
        &["locks", "--limit", "3"][..],
        &["locks", "--run", "1"],
        &["locks", "--events", "--limit", "0"],
        &["unlock", "1"],
        &["unlock", "1", "--token", "3"],
        &["unlock", "1", "--reason", "why"],
        &["unlock", "--token", "3", "--reason", "why"],
    ] {
        fails(&database, 2, args);
    }
}
