//! Forking. A child has its parent's memory and open files, but none of its threads and none of its file locks.
//!
//! **Invariant:** nothing in this process that another thread may have held at the moment of the fork is waited
//! for in the child; and what a child opens shares nothing with what its parent had opened.
//!
//! - Who forks takes the locks that belong to the whole process first, this crate's and SQLite's, and holds the
//!   threads that open connections: then they are free on both sides afterwards.
//! - SQLite keeps one list of the files that the process has locked, by their inode, and takes no lock that is
//!   there already. A child would read that list and have no lock at all: another process may then delete the
//!   log that it writes to (see `sqlite::wal`), and what another thread was writing at the fork is locked for
//!   ever. So in a child every inode gets another number, for SQLite's eyes only.
//! - Files and sockets whose closing shows others that the parent has ended are closed in the child.

use std::cell::RefCell;
use std::sync::MutexGuard;

use crate::store::presence::{self, Shown};
use crate::store::workers;

struct Held {
    workers: workers::Held,
    shown: MutexGuard<'static, Shown>,
}

thread_local! {
    /// Held from before the fork until after it.
    static HELD: RefCell<Option<Held>> = const { RefCell::new(None) };
}

/// Before a fork, on the thread that forks: waits until no other thread is where the child could not get out
/// of. To be followed by [`resume_after_fork`] in the parent and [`let_go_after_fork`] in the child, and by
/// nothing of this crate before.
pub fn prepare_fork() {
    // They may be opening a file: before SQLite is held.
    let workers = workers::hold();
    let shown = presence::shown();
    sqlite::enter();
    HELD.set(Some(Held { workers, shown }));
}

/// After a fork, in the parent.
pub fn resume_after_fork() {
    if let Some(held) = HELD.take() {
        sqlite::leave();
        drop(held.shown);
        held.workers.let_go();
    }
}

/// After a fork, in the child: lets go of what it shares with its parent. It may open platforms of its own then,
/// and must use none that its parent opened.
pub fn let_go_after_fork() {
    if let Some(Held { workers, mut shown }) = HELD.take() {
        sqlite::leave();
        shown.let_go();
        workers.forget();
    } else if let Some(mut shown) = presence::try_shown() {
        // Nobody prepared the fork: what another thread held is held for ever.
        shown.let_go();
    }
    sqlite::forget_the_parents_files();
}

/// A TCP connection, by the ports of its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Socket {
    pub(crate) local: u16,
    pub(crate) peer: u16,
}

/// Closes a forked child's copies of its parent's sockets. Whose they are is asked of the system: the library
/// that opened them does not tell their numbers.
#[cfg(unix)]
#[allow(unsafe_code)]
pub(super) fn close_sockets(sockets: &[Socket]) {
    use std::mem::ManuallyDrop;
    use std::net::TcpStream;
    use std::os::fd::{FromRawFd, RawFd};

    if sockets.is_empty() {
        return;
    }
    // Read to its end first: reading has a file of its own open.
    let open: Vec<RawFd> = std::fs::read_dir("/dev/fd")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    for number in open {
        // SAFETY: it is only asked for its addresses, which fails for what is no socket or open no more; and
        // closed only if it is one of ours, which is used nowhere in a child.
        let stream = ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(number) });
        if let (Ok(local), Ok(peer)) = (stream.local_addr(), stream.peer_addr())
            && sockets.contains(&Socket {
                local: local.port(),
                peer: peer.port(),
            })
        {
            drop(ManuallyDrop::into_inner(stream));
        }
    }
}

/// Elsewhere there is no fork.
#[cfg(not(unix))]
pub(super) fn close_sockets(_sockets: &[Socket]) {}

/// SQLite's side.
#[allow(unsafe_code)]
mod sqlite {
    use libsqlite3_sys as ffi;

    /// Those that belong to the whole process, in the order in which SQLite takes one inside another.
    const MUTEXES: [i32; 7] = [
        ffi::SQLITE_MUTEX_STATIC_OPEN,
        ffi::SQLITE_MUTEX_STATIC_MAIN,
        ffi::SQLITE_MUTEX_STATIC_VFS1,
        ffi::SQLITE_MUTEX_STATIC_LRU,
        ffi::SQLITE_MUTEX_STATIC_PRNG,
        ffi::SQLITE_MUTEX_STATIC_PMEM,
        ffi::SQLITE_MUTEX_STATIC_MEM,
    ];

    pub(super) fn enter() {
        // SAFETY: static mutexes live as long as the process once SQLite is initialised; entering takes none
        // that this thread holds, because no call of SQLite is under way on it.
        unsafe {
            ffi::sqlite3_initialize();
            for mutex in MUTEXES {
                ffi::sqlite3_mutex_enter(ffi::sqlite3_mutex_alloc(mutex));
            }
        }
    }

    pub(super) fn leave() {
        // SAFETY: this thread entered them all, here or in the parent, whose memory this is. What asks for a
        // static mutex takes no other.
        unsafe {
            for mutex in MUTEXES.into_iter().rev() {
                ffi::sqlite3_mutex_leave(ffi::sqlite3_mutex_alloc(mutex));
            }
        }
    }

    /// Elsewhere there is no fork, or `stat` is not laid out as the `libc` crate has it for SQLite's build.
    #[cfg(not(all(unix, target_pointer_width = "64")))]
    pub(super) fn forget_the_parents_files() {}

    #[cfg(all(unix, target_pointer_width = "64"))]
    pub(super) fn forget_the_parents_files() {
        salted::begin();
    }

    #[cfg(all(unix, target_pointer_width = "64"))]
    mod salted {
        use std::ffi::{c_char, c_int};
        use std::sync::atomic::{AtomicU64, Ordering};

        use libsqlite3_sys as ffi;

        /// How many forks lie between this process and the first: a child of a child differs from both.
        static GENERATION: AtomicU64 = AtomicU64::new(0);

        type Fstat = unsafe extern "C" fn(c_int, *mut libc::stat) -> c_int;
        type Stat = unsafe extern "C" fn(*const c_char, *mut libc::stat) -> c_int;

        pub(super) fn begin() {
            GENERATION.fetch_add(1, Ordering::Relaxed);
            // SAFETY: the only thread of this process does it, before it opens anything; the functions have the
            // signatures that SQLite calls those system calls with.
            unsafe {
                let vfs = ffi::sqlite3_vfs_find(std::ptr::null());
                let Some(set) = vfs.as_ref().and_then(|vfs| vfs.xSetSystemCall) else {
                    return;
                };
                let fstat: Fstat = fstat;
                let stat: Stat = stat;
                let fstat = std::mem::transmute::<Fstat, unsafe extern "C" fn()>(fstat);
                let stat = std::mem::transmute::<Stat, unsafe extern "C" fn()>(stat);
                set(vfs, c"fstat".as_ptr(), Some(fstat));
                set(vfs, c"stat".as_ptr(), Some(stat));
            }
        }

        unsafe extern "C" fn fstat(file: c_int, found: *mut libc::stat) -> c_int {
            // SAFETY: SQLite passes what `fstat` takes.
            unsafe {
                let result = libc::fstat(file, found);
                if result == 0 {
                    (*found).st_ino ^= salt();
                }
                result
            }
        }

        unsafe extern "C" fn stat(path: *const c_char, found: *mut libc::stat) -> c_int {
            // SAFETY: SQLite passes what `stat` takes.
            unsafe {
                let result = libc::stat(path, found);
                if result == 0 {
                    (*found).st_ino ^= salt();
                }
                result
            }
        }

        /// Far from what inodes of one file system differ by.
        fn salt() -> u64 {
            GENERATION
                .load(Ordering::Relaxed)
                .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        }
    }
}
