//! The crash matrix: a process is killed at every named point of everything it does under a lock, and its
//! successor again while it cleans up. What was acknowledged is there, and the next holder finds the run at
//! its last checkpoint (docs/reliability.md).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use stratalog::{Filter, LockOptions, Platform, Run, RunId};

use crate::both_engines;
use crate::processes::{self, Process};
use crate::support::{Database, points, verify, years_and_values};

const CHILD: &str = "crashes::a_process_that_is_killed";

/// Far less than the lease of the dead holder, which would be waited for if its death were not seen.
const SOON: Duration = Duration::from_secs(20);
const LEASE: Duration = Duration::from_secs(600);

type State = Vec<(i64, f64)>;

/// What the run holds at each checkpoint.
fn states() -> BTreeMap<&'static str, State> {
    BTreeMap::from([
        ("first", vec![(2020, 1.0)]),
        ("one", vec![(2020, 2.0), (2030, 3.0)]),
        ("back", vec![(2020, 1.0)]),
        ("block", vec![(2020, 4.0), (2040, 5.0)]),
        ("next", vec![(2020, 1.0)]),
    ])
}

/// A step of the child, in which it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Death {
    step: &'static str,
    point: &'static str,
    /// The how manieth time that the point is reached in that step.
    hit: u32,
}

const fn at(step: &'static str, point: &'static str) -> Death {
    Death {
        step,
        point,
        hit: 1,
    }
}

/// Every point of a write, in the order in which it is passed. `recorded` is SQLite's own.
const WRITE: [&str; 7] = [
    "write:begun",
    "write:proved",
    "changes:known",
    "changes:written",
    "write:recorded",
    "write:done",
    "write:committed",
];

fn write(step: &'static str) -> Vec<Death> {
    WRITE.map(|point| at(step, point)).into()
}

fn lock_only(step: &'static str, points: &[&'static str]) -> Vec<Death> {
    points.iter().map(|point| at(step, point)).collect()
}

/// Deaths of a first holder in its block.
fn deaths_in_a_block() -> Vec<Death> {
    [
        lock_only(
            "acquire",
            &[
                "acquire:begun",
                "acquire:taken",
                "acquire:done",
                "acquire:committed",
            ],
        ),
        write("add"),
        lock_only("add", &["load:loaded"]),
        lock_only(
            "checkpoint",
            &[
                "checkpoint:begun",
                "checkpoint:done",
                "checkpoint:committed",
            ],
        ),
        write("update"),
        vec![Death {
            step: "update",
            point: "changes:written",
            hit: 2,
        }],
        write("remove"),
        lock_only(
            "commit",
            &[
                "commit:begun",
                "commit:released",
                "commit:done",
                "commit:committed",
            ],
        ),
    ]
    .concat()
}

/// Deaths at other ends of a block.
fn deaths_at_other_ends() -> Vec<Death> {
    [
        write("rollback"),
        lock_only("rollback", &["rollback:undone"]),
        write("drop"),
        lock_only(
            "empty rollback",
            &["release:begun", "release:done", "release:committed"],
        ),
        write("revert"),
        lock_only("heartbeat", &["heartbeat:begun"]),
        lock_only(
            "give up",
            &["give up:begun", "give up:done", "give up:committed"],
        ),
        write("delete the run")
            .into_iter()
            .filter(|death| death.point != "write:committed")
            .collect(),
    ]
    .concat()
}

/// Deaths of a second holder while it cleans up after the first.
fn deaths_in_recovery() -> Vec<Death> {
    [
        lock_only(
            "take over",
            &[
                "take over:begun",
                "take over:taken",
                "take over:done",
                "take over:committed",
            ],
        ),
        write("take over"),
        lock_only("take over", &["rollback:undone"]),
        lock_only(
            "take over nothing",
            &["hold:begun", "hold:done", "hold:committed"],
        ),
        lock_only(
            "force",
            &[
                "take over:begun",
                "take over:taken",
                "take over:done",
                "take over:committed",
            ],
        ),
        write("force"),
        lock_only(
            "force",
            &["release:begun", "release:done", "release:committed"],
        ),
    ]
    .concat()
}

/// Kills this process when it reaches the point.
fn arm(death: &Death, step: &str) {
    if death.step != step {
        return;
    }
    let hits = Arc::new(AtomicU32::new(0));
    let hit = death.hit;
    fail::cfg_callback(death.point, move || {
        if hits.fetch_add(1, Ordering::SeqCst) + 1 == hit {
            processes::die();
        }
    })
    .expect("arming");
}

fn find_death(task: &str) -> (Death, i64) {
    let parts: Vec<_> = task.split('|').collect();
    let [step, point, hit, run] = parts[..] else {
        panic!("{task}")
    };
    let death = Death {
        step: step.to_owned().leak(),
        point: point.to_owned().leak(),
        hit: hit.parse().expect("a number"),
    };
    (death, run.parse().expect("a run"))
}

/// What the killed process does: all steps up to the one in which it dies.
#[test]
#[ignore = "started by the tests of this file"]
fn a_process_that_is_killed() {
    let Some((url, task)) = processes::task() else {
        return;
    };
    let (death, run) = find_death(&task);
    let platform = Platform::open(&url).expect("opening");
    let run = platform.runs().get_by_id(RunId(run)).expect("the run");
    let options = || LockOptions {
        timeout: Some(SOON),
        lease: Some(
            stratalog::Lease::of(LEASE).renewed_every(Duration::from_millis(
                if death.step == "heartbeat" {
                    20
                } else {
                    60_000
                },
            )),
        ),
        ..LockOptions::default()
    };
    if death.step == "force" {
        let token = platform.locks().list().expect("locks")[0].holder.token;
        arm(&death, "force");
        platform
            .locks()
            .force_unlock(&run, token, "it is dead")
            .expect("unlocking");
        return;
    }
    for step in ["acquire", "take over", "take over nothing"] {
        arm(&death, step);
    }
    if death.step == "delete the run" {
        arm(&death, "delete the run");
        platform.runs().delete(&run).expect("deleting");
        return;
    }
    let lock = run.lock_with("block", options()).expect("the lock");
    processes::report("locked");
    arm(&death, "heartbeat");
    if death.step == "heartbeat" {
        std::thread::sleep(SOON);
    }
    if death.step == "empty rollback" {
        arm(&death, "empty rollback");
        lock.rollback().expect("rollback");
        return;
    }
    arm(&death, "add");
    lock.iamc()
        .add(&points(&[(2020, 2.0), (2030, 3.0)]))
        .expect("add");
    arm(&death, "checkpoint");
    lock.checkpoint("one").expect("checkpoint");
    processes::report("one");
    arm(&death, "update");
    lock.iamc()
        .add(&points(&[(2020, 4.0), (2040, 5.0)]))
        .expect("update");
    if death.step == "revert" {
        arm(&death, "revert");
        lock.revert_to("first").expect("revert");
        lock.checkpoint("back").expect("checkpoint");
        processes::report("back");
    }
    arm(&death, "remove");
    lock.iamc().remove(&points(&[(2030, 0.0)])).expect("remove");
    match death.step {
        "give up" => {
            // The rollback needs the region, and can do nothing without it.
            lock.iamc()
                .remove(&points(&[(2020, 0.0), (2040, 0.0)]))
                .expect("remove");
            platform.regions().delete("World").expect("delete");
            arm(&death, "give up");
            lock.rollback().expect_err("the rollback fails");
        }
        "drop" => {
            arm(&death, "drop");
            drop(lock);
        }
        "rollback" => {
            arm(&death, "rollback");
            lock.rollback().expect("rollback");
        }
        _ => {
            arm(&death, "commit");
            lock.commit().expect("commit");
            processes::report("block");
        }
    }
}

/// Starts a process that dies as told, and returns what it had acknowledged.
fn die(database: &Database, run: &Run, death: &Death) -> Vec<String> {
    let task = format!("{}|{}|{}|{}", death.step, death.point, death.hit, run.id());
    let (acknowledged, signal) = Process::start(CHILD, &database.url, &task).end();
    assert_eq!(
        signal,
        Some(9),
        "{death:?} was not reached; it reported {acknowledged:?}"
    );
    acknowledged
}

fn new_run(platform: &Platform) -> Run {
    let run = platform.runs().create("model", "scenario").expect("a run");
    let lock = run.lock("first").expect("the lock");
    lock.iamc().add(&points(&[(2020, 1.0)])).expect("add");
    lock.commit().expect("commit");
    run
}

/// Takes the lock after a death and looks at what is there.
fn check(platform: &Platform, run: &Run, acknowledged: &[String], death: &Death) {
    if platform.regions().list().expect("regions").is_empty() {
        // What the failed rollback needed.
        platform.regions().create("World").expect("create");
    }
    let before = run.checkpoints().expect("checkpoints");
    let lock = run
        .lock_with("next", LockOptions::timeout(SOON))
        .unwrap_or_else(|error| panic!("{death:?}: {error}"));
    let messages: Vec<_> = before
        .iter()
        .map(|checkpoint| checkpoint.message.as_str())
        .collect();
    for message in acknowledged.iter().filter(|message| *message != "locked") {
        assert!(
            messages.contains(&message.as_str()),
            "{death:?}: {message} is not in {messages:?}"
        );
    }
    let expected = &states()[messages.last().expect("a checkpoint")];
    let found = years_and_values(&run.iamc().tabulate(&Filter::all()).expect("points"));
    assert_eq!(&found, expected, "{death:?} after {messages:?}");
    // And it can be written to.
    lock.iamc().add(&points(&[(2050, 6.0)])).expect("add");
    lock.rollback().expect("rollback");
    let found = years_and_values(&run.iamc().tabulate(&Filter::all()).expect("points"));
    assert_eq!(&found, expected, "{death:?}");
    assert!(
        platform.locks().list().expect("locks").is_empty(),
        "{death:?}"
    );
}

fn run_matrix(database: &Database, deaths: &[Death]) {
    let platform = database.open();
    platform.regions().create("World").expect("a region");
    platform.units().create("EJ/yr").expect("a unit");
    for death in deaths {
        let run = new_run(&platform);
        let acknowledged = die(database, &run, death);
        check(&platform, &run, &acknowledged, death);
        // Runs that failed to be deleted are as they were; what stays must not hinder the next.
        verify(&platform);
        platform.runs().delete(&run).expect("delete");
    }
}

both_engines! {
    fn a_holder_killed_in_its_block(database: &Database) {
        let deaths = deaths_in_a_block();
        assert!(deaths.len() >= 25);
        run_matrix(database, &deaths);
    }

    fn a_holder_killed_at_another_end(database: &Database) {
        run_matrix(database, &deaths_at_other_ends());
    }

    fn a_successor_killed_while_it_cleans_up(database: &Database) {
        let platform = database.open();
        platform.regions().create("World").expect("a region");
        platform.units().create("EJ/yr").expect("a unit");
        for death in deaths_in_recovery() {
            let run = new_run(&platform);
            let first = match (death.step, death.point.starts_with("release")) {
                // Nothing to be rolled back, so that the lock row alone changes.
                ("take over nothing", _) | (_, true) => at("add", "write:begun"),
                _ => at("remove", "write:committed"),
            };
            let mut acknowledged = die(database, &run, &first);
            acknowledged.extend(die(database, &run, &death));
            check(&platform, &run, &acknowledged, &death);
            let events = platform.locks().events(Some(run.id()), 10).expect("events");
            assert!(!events.is_empty(), "{death:?}: the takeover left no event");
            verify(&platform);
            platform.runs().delete(&run).expect("delete");
        }
    }
}

#[test]
fn there_are_forty_points_and_more() {
    let deaths = [
        deaths_in_a_block(),
        deaths_at_other_ends(),
        deaths_in_recovery(),
    ]
    .concat();
    let mut named: Vec<_> = deaths
        .iter()
        .map(|death| (death.step, death.point, death.hit))
        .collect();
    named.sort_unstable();
    named.dedup();
    assert_eq!(named.len(), deaths.len(), "one is there twice");
    // docs/reliability.md says how many.
    assert_eq!((named.len(), deaths_in_recovery().len()), (98, 29));
}
