//! A disk that fails when a test wants it to: a file system for SQLite that hands on to the usual one.
//!
//! It is SQLite's default from the first [`FaultyDisk`] on, for all tests of this process; only files in a
//! faulty disk's own folder ever fail.
#![allow(
    unsafe_code,
    reason = "SQLite takes a file system as C structures of function pointers"
)]

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, Once};

use libsqlite3_sys as ffi;

/// How it fails, from the armed call on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Writes find no space.
    Full,
    /// Writes fail.
    Write,
    /// What was written cannot be made durable.
    Sync,
    /// As when the power goes: a write is torn, and nothing is written after it.
    TornThenDead,
    /// Reads fail; of this one the n-th read is meant.
    Read,
}

#[derive(Default)]
struct State {
    /// Writes, syncs and truncations so far; or reads, where those are to fail.
    calls: u64,
    armed: Option<(u64, Fault)>,
    fired: u64,
}

/// A folder on a disk that can fail.
pub struct FaultyDisk {
    folder: PathBuf,
    state: Arc<Mutex<State>>,
}

impl FaultyDisk {
    /// Files opened in this folder from now on are on it.
    pub fn new(folder: &Path) -> Self {
        register();
        let folder = folder.canonicalize().expect("the folder");
        let state = Arc::new(Mutex::default());
        lock(&DISKS).insert(folder.clone(), Arc::clone(&state));
        Self { folder, state }
    }

    /// The n-th write, sync or truncation from now, from 1, and all later ones meet the fault.
    pub fn arm(&self, n: u64, fault: Fault) {
        let mut state = lock(&self.state);
        state.calls = 0;
        state.fired = 0;
        state.armed = Some((n, fault));
    }

    /// It works again.
    pub fn heal(&self) {
        lock(&self.state).armed = None;
    }

    /// How many calls there were since it was armed.
    pub fn calls(&self) -> u64 {
        lock(&self.state).calls
    }

    /// How many of them failed.
    pub fn fired(&self) -> u64 {
        lock(&self.state).fired
    }
}

impl Drop for FaultyDisk {
    fn drop(&mut self) {
        lock(&DISKS).remove(&self.folder);
    }
}

/// An open file that can fail.
struct OpenFile {
    real: &'static ffi::sqlite3_io_methods,
    disk: Arc<Mutex<State>>,
}

static DISKS: LazyLock<Mutex<HashMap<PathBuf, Arc<Mutex<State>>>>> = LazyLock::new(Mutex::default);
/// By the address of SQLite's structure.
static FILES: LazyLock<Mutex<HashMap<usize, OpenFile>>> = LazyLock::new(Mutex::default);
/// Our methods by the address of those that they stand for.
static METHODS: LazyLock<Mutex<HashMap<usize, &'static ffi::sqlite3_io_methods>>> =
    LazyLock::new(Mutex::default);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the default file system lives as long as the process, and so does our copy of it, which
        // differs in its name and in how it opens files.
        let code = unsafe {
            let mut vfs = *ffi::sqlite3_vfs_find(std::ptr::null());
            vfs.zName = c"stratalog-faulty".as_ptr();
            vfs.pNext = std::ptr::null_mut();
            vfs.xOpen = Some(open);
            ffi::sqlite3_vfs_register(Box::leak(Box::new(vfs)), 1)
        };
        assert_eq!(code, ffi::SQLITE_OK);
    });
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: as SQLite calls us; the one we copied is registered too.
    let (code, path, methods) = unsafe {
        let real = ffi::sqlite3_vfs_find(c"unix".as_ptr());
        let Some(real_open) = (*real).xOpen else {
            return ffi::SQLITE_MISUSE;
        };
        let code = real_open(vfs, name, file, flags, out_flags);
        (code, path_of(name), (*file).pMethods)
    };
    let disk = path
        .as_deref()
        .and_then(Path::parent)
        .and_then(|folder| lock(&DISKS).get(folder).cloned());
    if let Some(disk) = disk
        && code == ffi::SQLITE_OK
        && !methods.is_null()
    {
        // SAFETY: methods of the real file system are constants of the library.
        let real: &'static ffi::sqlite3_io_methods = unsafe { &*methods };
        let ours = *lock(&METHODS).entry(methods as usize).or_insert_with(|| {
            Box::leak(Box::new(ffi::sqlite3_io_methods {
                xClose: Some(close),
                xRead: Some(read),
                xWrite: Some(write),
                xTruncate: Some(truncate),
                xSync: Some(sync),
                ..*real
            }))
        });
        lock(&FILES).insert(file as usize, OpenFile { real, disk });
        // SAFETY: SQLite's own structure, just opened.
        unsafe { (*file).pMethods = ours };
    }
    code
}

unsafe fn path_of(name: *const c_char) -> Option<PathBuf> {
    if name.is_null() {
        return None;
    }
    // SAFETY: a name is a C string.
    let name = unsafe { CStr::from_ptr(name) };
    Some(PathBuf::from(name.to_str().ok()?))
}

/// What happens to a call.
enum Call {
    Pass,
    Fail(c_int),
    Tear,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
    Sync,
    Truncate,
}

/// The file's real methods, and what happens to a call.
fn decide(file: *mut ffi::sqlite3_file, kind: Kind) -> (&'static ffi::sqlite3_io_methods, Call) {
    let files = lock(&FILES);
    let open = files.get(&(file as usize)).expect("an open file");
    let mut state = lock(&open.disk);
    let reads_fail = matches!(state.armed, Some((_, Fault::Read)));
    if reads_fail != (kind == Kind::Read) {
        return (open.real, Call::Pass);
    }
    state.calls += 1;
    let call = match state.armed {
        Some((n, fault)) if state.calls >= n => match (fault, kind) {
            (Fault::Read, _) => Call::Fail(ffi::SQLITE_IOERR_READ),
            (Fault::Full, Kind::Write) => Call::Fail(ffi::SQLITE_FULL),
            (Fault::Write, Kind::Write) => Call::Fail(ffi::SQLITE_IOERR_WRITE),
            (Fault::Sync, Kind::Sync) => Call::Fail(ffi::SQLITE_IOERR_FSYNC),
            (Fault::TornThenDead, Kind::Write) if state.fired == 0 => Call::Tear,
            (Fault::TornThenDead, Kind::Write) => Call::Fail(ffi::SQLITE_IOERR_WRITE),
            (Fault::TornThenDead, Kind::Sync) => Call::Fail(ffi::SQLITE_IOERR_FSYNC),
            (Fault::TornThenDead, Kind::Truncate) => Call::Fail(ffi::SQLITE_IOERR_TRUNCATE),
            _ => Call::Pass,
        },
        _ => Call::Pass,
    };
    if !matches!(call, Call::Pass) {
        state.fired += 1;
    }
    (open.real, call)
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    into: *mut c_void,
    amount: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    let (real, call) = decide(file, Kind::Read);
    match (real.xRead, call) {
        (_, Call::Fail(code)) => code,
        // SAFETY: as SQLite calls us.
        (Some(real), _) => unsafe { real(file, into, amount, offset) },
        (None, _) => ffi::SQLITE_MISUSE,
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    data: *const c_void,
    amount: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    let (real, call) = decide(file, Kind::Write);
    let Some(real) = real.xWrite else {
        return ffi::SQLITE_MISUSE;
    };
    // SAFETY: as SQLite calls us, with no more data than it gave.
    unsafe {
        match call {
            Call::Pass => real(file, data, amount, offset),
            Call::Fail(code) => code,
            Call::Tear => {
                real(file, data, amount / 2, offset);
                ffi::SQLITE_IOERR_WRITE
            }
        }
    }
}

/// Passing is all there is to do: these tests end no operating system, so nothing needs to be on the disk.
unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    match decide(file, Kind::Sync).1 {
        Call::Fail(code) => code,
        Call::Pass | Call::Tear => ffi::SQLITE_OK,
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: ffi::sqlite3_int64) -> c_int {
    let (real, call) = decide(file, Kind::Truncate);
    match (real.xTruncate, call) {
        (_, Call::Fail(code)) => code,
        // SAFETY: as SQLite calls us.
        (Some(real), _) => unsafe { real(file, size) },
        (None, _) => ffi::SQLITE_MISUSE,
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    let open = lock(&FILES).remove(&(file as usize)).expect("an open file");
    // SAFETY: as SQLite calls us; the file is as the real file system made it.
    unsafe {
        (*file).pMethods = open.real;
        open.real.xClose.map_or(ffi::SQLITE_OK, |real| real(file))
    }
}
