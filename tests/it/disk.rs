//! SQLite only, because the library writes that file itself; a server's disk is the server's: what becomes of
//! writes when the disk is full or fails.

use std::path::Path;

use stratalog::{Engine, Error, LockOptions, Platform, Result, Run};

use crate::faulty_disk::{Fault, FaultyDisk};
use crate::support::{Plain, WithRun, points, verify, years_and_values};

/// Up to which write, sync or truncation the fault is tried.
const CALLS: u64 = 300;

/// How the block ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Commit,
    Rollback,
}

/// When the disk works again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Healed {
    /// While the block is still there to be rolled back.
    InTheBlock,
    /// After everything was closed.
    AfterTheProcess,
}

/// What a disturbed block knows.
#[derive(Default)]
struct Told {
    /// The checkpoints that were acknowledged.
    checkpoints: Vec<&'static str>,
    /// The checkpoint of the call whose outcome is unknown.
    perhaps: Option<&'static str>,
    error: Option<Error>,
}

/// So many rows at once that the work takes nearly all of [`CALLS`].
const ROWS: i64 = 950;

fn rows(first: i64, value: f64) -> Vec<(i64, f64)> {
    (first..first + ROWS).map(|year| (year, value)).collect()
}

/// The data at each checkpoint.
fn state_of(checkpoint: &str) -> Vec<(i64, f64)> {
    match checkpoint {
        "first point" => vec![(2020, 1.0)],
        "middle" => rows(2020, 2.0),
        "block" => [rows(2020, 2.0), rows(4000, 3.0)].concat(),
        other => panic!("no checkpoint is called {other}"),
    }
}

fn run_of(platform: &Platform) -> Result<Run> {
    platform.runs().get("model", "scenario", Some(1))
}

/// Opens, locks, adds, makes a checkpoint, adds, ends.
fn work(path: &str, end: End, disk: &FaultyDisk, healed: Healed) -> Told {
    let mut told = Told::default();
    let note = |told: &mut Told, checkpoint: &'static str, error: Error| {
        if error.is_commit_unknown() {
            told.perhaps = Some(checkpoint);
        }
        told.error = Some(error);
        if healed == Healed::InTheBlock {
            disk.heal();
        }
    };
    let lock = match Platform::open(path)
        .and_then(|platform| run_of(&platform))
        .and_then(|run| run.lock("block"))
    {
        Ok(lock) => lock,
        Err(error) => {
            note(&mut told, "first point", error);
            return told;
        }
    };
    if let Err(error) = lock.iamc().add(&points(&rows(2020, 2.0))) {
        note(&mut told, "first point", error);
        return told;
    }
    match lock.checkpoint("middle") {
        Ok(_) => told.checkpoints.push("middle"),
        Err(error) => {
            note(&mut told, "middle", error);
            return told;
        }
    }
    if let Err(error) = lock.iamc().add(&points(&rows(4000, 3.0))) {
        note(&mut told, "middle", error);
        return told;
    }
    match end {
        End::Commit => match lock.commit() {
            Ok(_) => told.checkpoints.push("block"),
            Err(error) => note(&mut told, "block", error),
        },
        End::Rollback => {
            if let Err(error) = lock.rollback() {
                note(&mut told, "middle", error);
            }
        }
    }
    told
}

/// How long the heartbeat has to say that a lock was given up, once the disk works again.
const SOON: LockOptions<'static> = LockOptions {
    timeout: Some(std::time::Duration::from_secs(20)),
    lease: None,
    interrupt: None,
};

fn check_error(error: &Error, case: &str) {
    let message = error.to_string();
    let says_what_to_do = match error {
        Error::DiskFull { .. } => message.contains("free space"),
        Error::Storage { .. } => message.contains("look after the disk"),
        Error::CommitUnknown { .. } => message.contains("find out"),
        _ => false,
    };
    assert!(says_what_to_do, "{case}: {error:?}: {message}");
}

/// The disk works again, and another process comes.
fn check_what_is_there(path: &str, told: &Told, case: &str) {
    let mut plain = Plain::open(Engine::Sqlite, path);
    let problems = plain.texts("SELECT integrity_check AS text FROM pragma_integrity_check");
    assert_eq!(problems, ["ok"], "{case}");
    assert_eq!(
        plain.number("SELECT count(*) FROM pragma_foreign_key_check"),
        0,
        "{case}"
    );
    drop(plain);

    let platform = Platform::open(path).unwrap_or_else(|error| panic!("{case}: {error}"));
    let run = run_of(&platform).expect("the run");
    let checkpoints: Vec<_> = run
        .checkpoints()
        .expect("checkpoints")
        .into_iter()
        .map(|checkpoint| checkpoint.message)
        .collect();
    let mut acknowledged = vec!["first point"];
    acknowledged.extend(&told.checkpoints);
    let mut with_unknown = acknowledged.clone();
    with_unknown.extend(told.perhaps.filter(|name| !acknowledged.contains(name)));
    assert!(
        checkpoints == acknowledged || checkpoints == with_unknown,
        "{case}: there are {checkpoints:?}, acknowledged were {acknowledged:?}, perhaps {:?}",
        told.perhaps
    );

    let lock = run
        .lock_with("next", SOON)
        .unwrap_or_else(|error| panic!("{case}: {error}"));
    let state = |run: &Run| {
        years_and_values(
            &run.iamc()
                .tabulate(&stratalog::Filter::all())
                .expect("points"),
        )
    };
    let last = checkpoints.last().expect("one at least");
    assert!(
        state(&run) == state_of(last),
        "{case}: not the data at {last}"
    );
    lock.iamc().add(&points(&[(9000, 4.0)])).expect("add");
    lock.commit().expect("commit");
    assert_eq!(state(&run).len(), state_of(last).len() + 1, "{case}");
    verify(&platform);
}

/// A database with one run, all in its file, as a byte string to begin from.
fn prepared(folder: &Path) -> Vec<u8> {
    let path = folder.join("prepared.db");
    drop(WithRun::of(
        &Platform::open(path.to_str().expect("UTF-8")).expect("the platform"),
    ));
    assert!(
        !folder.join("prepared.db-wal").exists(),
        "not all in the file"
    );
    std::fs::read(path).expect("the file")
}

/// All of the first calls, then one in four, others for each fault: together they are all.
fn fails_at_any_call(fault: Fault) {
    let folder = tempfile::tempdir().expect("a folder");
    let prepared = prepared(folder.path());
    let folder = folder.path().join("faulty");
    std::fs::create_dir(&folder).expect("a folder");
    let disk = FaultyDisk::new(&folder);
    let (mut failed, mut unknown, mut most) = (0, 0, 0);
    let first = (1..=20).chain((21 + fault as u64..CALLS).step_by(4));
    let calls: Vec<_> = first.chain([CALLS]).collect();
    for (case, n) in calls.iter().copied().enumerate() {
        let end = [End::Commit, End::Rollback][case % 2];
        let healed = [Healed::InTheBlock, Healed::AfterTheProcess][case / 2 % 2];
        let case = format!("{fault:?} at call {n}, {end:?}, healed {healed:?}");
        let path = folder.join(format!("{n}.db"));
        std::fs::write(&path, &prepared).expect("a copy");
        let path = path.to_str().expect("UTF-8");
        disk.arm(n, fault);
        let told = work(path, end, &disk, healed);
        let fired = disk.fired();
        if fired == 0 {
            assert!(told.error.is_none(), "{case}: {:?}", told.error);
            most = most.max(disk.calls());
        }
        disk.heal();
        if let Some(error) = &told.error {
            check_error(error, &case);
            failed += 1;
            unknown += u64::from(error.is_commit_unknown());
        }
        check_what_is_there(path, &told, &case);
        // The last calls are those of closing, where nobody is there to be told.
        assert!(n > CALLS / 3 || told.error.is_some(), "{case}: no error");
        assert!(n < CALLS || fired == 0, "{case}: {CALLS} calls are not all");
        for file in [
            path.to_owned(),
            format!("{path}-wal"),
            format!("{path}-shm"),
        ] {
            let _ = std::fs::remove_file(file);
        }
    }
    println!(
        "{fault:?}: {failed} of {} failed, {unknown} of them unknown; the work has {most} calls",
        calls.len()
    );
    assert!((CALLS * 2 / 3..CALLS).contains(&most), "{most}");
    assert!(failed > calls.len() / 3, "{failed}");
    // A COMMIT that found no space is not in the log as a whole.
    assert!(fault != Fault::Full || unknown == 0, "{unknown}");
}

#[test]
fn a_disk_that_is_full_at_any_write_loses_nothing_acknowledged() {
    fails_at_any_call(Fault::Full);
}

#[test]
fn a_disk_that_fails_at_any_write_loses_nothing_acknowledged() {
    fails_at_any_call(Fault::Write);
}

#[test]
fn a_disk_that_cannot_sync_from_any_call_on_loses_nothing_acknowledged() {
    fails_at_any_call(Fault::Sync);
}

#[test]
fn a_write_that_could_not_be_synced_is_unknown_because_a_crash_brings_it_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = FaultyDisk::new(folder.path());
    let file = folder.path().join("test.db");
    let platform = Platform::open(file.to_str().expect("UTF-8")).expect("the platform");
    let fixture = WithRun::of(&platform);
    let lock = fixture.run.lock("unknown").expect("the lock");
    disk.arm(1, Fault::Sync);
    let error = lock
        .iamc()
        .add(&points(&[(2030, 2.0)]))
        .expect_err("not synced");
    let Error::CommitUnknown { find_out, .. } = &error else {
        panic!("{error}");
    };
    let count = find_out.replace("SELECT *", "SELECT count(*)");
    let landed = |file: &Path| {
        let file = file.to_str().expect("UTF-8");
        Plain::open(Engine::Sqlite, file).number(&count)
    };
    // What a crash at this moment leaves: the file and its log.
    let crashed = folder.path().join("crashed.db");
    for end in ["", "-wal"] {
        let copy = |name: &str| folder.path().join(format!("{name}.db{end}"));
        std::fs::copy(copy("test"), copy("crashed")).expect("a copy");
    }
    assert_eq!(landed(&crashed), 1);
    // Without a crash it is not there, and a repeat writes over what is in the log.
    disk.heal();
    assert_eq!(landed(&file), 0);
    lock.iamc().add(&points(&[(2030, 2.0)])).expect("add");
    lock.commit().expect("commit");
    assert_eq!(landed(&file), 0);
    assert_eq!(fixture.now(), [(2020, 1.0), (2030, 2.0)]);
    fixture.verify();
}

#[test]
fn a_disk_that_tears_a_write_and_dies_loses_nothing_acknowledged() {
    fails_at_any_call(Fault::TornThenDead);
}

#[test]
fn a_disk_that_cannot_be_read_is_an_error_that_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = FaultyDisk::new(folder.path());
    let path = folder.path().join("test.db");
    let path = path.to_str().expect("UTF-8");
    drop(WithRun::of(&Platform::open(path).expect("the platform")));
    for n in 1..=5 {
        // A new platform has nothing in its cache yet.
        let platform = Platform::open(path).expect("the platform");
        let run = run_of(&platform).expect("the run");
        disk.arm(n, Fault::Read);
        let error = run
            .iamc()
            .tabulate(&stratalog::Filter::all())
            .err()
            .or_else(|| {
                run.lock("unreadable")
                    .and_then(|lock| lock.iamc().add(&points(&rows(2020, 2.0))).map(|_| ()))
                    .err()
            });
        assert!(disk.fired() > 0, "{n}");
        let error = error.expect("an error");
        assert!(error.is_storage(), "{n}: {error}");
        check_error(&error, "reading");
        disk.heal();
        let lock = run.lock_with("readable", SOON).expect("the lock");
        lock.iamc()
            .add(&points(&[(3000 + n as i64, 1.0)]))
            .expect("add");
        lock.commit().expect("commit");
        verify(&platform);
    }
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error_that_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = FaultyDisk::new(folder.path());
    let path = folder.path().join("test.db");
    let path = path.to_str().expect("UTF-8");
    drop(WithRun::of(&Platform::open(path).expect("the platform")));
    disk.arm(1, Fault::Read);
    let error = Platform::open(path).err().expect("an error");
    check_error(&error, "opening");
    disk.heal();
    verify(&Platform::open(path).expect("the platform"));
}
