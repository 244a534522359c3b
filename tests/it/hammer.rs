//! Many processes on few runs, some of them stopped for longer than their lease: no update is lost, and nobody
//! sees an error other than that a lock is held or was lost.
//!
//! `STRATALOG_HAMMER_SECONDS=3600` goes on for as long instead of 60 s.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use stratalog::{Error, Filter, Lease, LockOptions, Platform, Result, Run, RunId};

use crate::both_engines;
use crate::processes::{self, Process};
use crate::support::{points, verify, years_and_values};

const PROCESSES: usize = 8;
const RUNS: i64 = 16;
const LEASE: Duration = Duration::from_secs(2);

fn value_of(run: &Run) -> f64 {
    let batch = run.iamc().tabulate(&Filter::all()).expect("points");
    years_and_values(&batch)[0].1
}

/// What came of one block.
enum Outcome {
    /// One more, acknowledged.
    Counted,
    /// Nothing was to be kept.
    Nothing,
}

fn one_block(run: &Run, random: &mut StdRng) -> Result<Outcome> {
    let options = LockOptions {
        lease: Some(Lease::of(LEASE)),
        ..LockOptions::timeout(Duration::from_secs(30))
    };
    let lock = run.lock_with("hammer", options)?;
    let next = value_of(run) + 1.0;
    match random.random_range(0..10) {
        0 => {
            lock.iamc().add(&points(&[(2020, next + 1e6)]))?;
            lock.rollback()?;
            Ok(Outcome::Nothing)
        }
        1 => {
            lock.iamc().add(&points(&[(2020, next + 1e6)]))?;
            drop(lock);
            Ok(Outcome::Nothing)
        }
        2 | 3 => {
            lock.iamc().add(&points(&[(2020, next)]))?;
            lock.checkpoint("counted")?;
            // What comes after the checkpoint is undone, by us or by whoever takes the lock from us.
            match lock
                .iamc()
                .add(&points(&[(2020, next + 1e6)]))
                .and_then(|_| lock.rollback())
            {
                Ok(_) => Ok(Outcome::Counted),
                Err(error) if error.is_lock_lost() => Ok(Outcome::Counted),
                Err(error) => Err(error),
            }
        }
        _ => {
            lock.iamc().add(&points(&[(2020, next)]))?;
            lock.commit()?;
            Ok(Outcome::Counted)
        }
    }
}

/// Counts up in all runs until the time is over. The task: its number and how many seconds.
#[test]
#[ignore = "started by the tests of this file"]
fn a_process_that_counts() {
    let Some((url, task)) = processes::task() else {
        return;
    };
    let (number, seconds) = task.split_once(' ').expect("a task");
    let seconds: u64 = seconds.parse().expect("seconds");
    let mut random = StdRng::seed_from_u64(number.parse().expect("a number"));
    let platform = Platform::options()
        .pool_size(2)
        .open(&url)
        .expect("opening");
    let runs: Vec<_> = (1..=RUNS)
        .map(|id| platform.runs().get_by_id(RunId(id)).expect("a run"))
        .collect();
    let mut counted = vec![0u32; runs.len()];
    let (mut lost, mut locked) = (0u32, 0u32);
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(seconds) {
        let index = random.random_range(0..runs.len());
        match one_block(&runs[index], &mut random) {
            Ok(Outcome::Counted) => counted[index] += 1,
            Ok(Outcome::Nothing) => {}
            Err(error) if error.is_lock_lost() => lost += 1,
            Err(Error::RunIsLocked { .. }) => locked += 1,
            Err(error) => panic!("an error that no user should see: {error:?}"),
        }
    }
    let counted: Vec<_> = counted.iter().map(u32::to_string).collect();
    processes::report(format!("{} {lost} {locked}", counted.join(" ")));
}

both_engines! {
    fn no_update_is_lost(database: &Database) {
        let seconds = std::env::var("STRATALOG_HAMMER_SECONDS").map_or(60, |text| text.parse().expect("seconds"));
        let platform = database.open();
        platform.regions().create("World").expect("a region");
        platform.units().create("EJ/yr").expect("a unit");
        let runs: Vec<_> = (0..RUNS).map(|_| {
            let run = platform.runs().create("model", "scenario").expect("a run");
            let lock = run.lock("zero").expect("the lock");
            lock.iamc().add(&points(&[(2020, 0.0)])).expect("add");
            lock.commit().expect("commit");
            run
        }).collect();
        let processes: Vec<_> = (0..PROCESSES)
            .map(|number| Process::start("hammer::a_process_that_counts", &database.url, &format!("{number} {seconds}")))
            .collect();
        // One process after another is stopped for longer than its lease: one in twenty at any moment.
        let mut random = StdRng::seed_from_u64(1);
        let started = Instant::now();
        let mut stops = 0;
        while started.elapsed() + 8 * LEASE < Duration::from_secs(seconds) {
            let victim = &processes[random.random_range(0..PROCESSES)];
            victim.stop();
            std::thread::sleep(LEASE + LEASE / 2);
            victim.go_on();
            stops += 1;
            std::thread::sleep(2 * LEASE);
        }
        assert!(stops > 0 || seconds < 20);
        let mut counted = vec![0u32; runs.len()];
        let (mut lost, mut locked) = (0, 0);
        for process in processes {
            let (reports, signal) = process.end();
            assert_eq!((reports.len(), signal), (1, None), "a process failed: see above");
            let numbers: Vec<u32> = reports[0].split(' ').map(|number| number.parse().expect("a number")).collect();
            let (of_runs, rest) = numbers.split_at(runs.len());
            counted.iter_mut().zip(of_runs).for_each(|(sum, number)| *sum += number);
            lost += rest[0];
            locked += rest[1];
        }
        println!("{} blocks counted, {stops} stops, {lost} locks lost, {locked} waits in vain", counted.iter().sum::<u32>());
        for (run, counted) in runs.iter().zip(&counted) {
            // A lock may have been left by a process that lost it; taking it rolls back what is to be.
            run.lock_with("last", LockOptions::timeout(Duration::from_secs(30))).expect("the lock").commit().expect("commit");
            assert_eq!(value_of(run), f64::from(*counted), "{run:?}");
        }
        assert!(counted.iter().all(|counted| *counted > 0));
        assert!(platform.locks().list().expect("locks").is_empty());
        verify(&platform);
    }
}
