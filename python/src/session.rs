//! One opened platform, shared by every object that came from it.
//!
//! **Invariant:** after a fork the child neither uses nor closes what its parent opened: both would
//! speak on the parent's connections, and a rollback in the child would undo the parent's block.

use std::sync::Arc;

use pyo3::prelude::*;

use crate::error::{Failure, Result};

/// An opened platform and the process that opened it.
pub(crate) struct Session {
    /// `None` only while this is dropped.
    platform: Option<stratalog::Platform>,
    pid: u32,
}

impl Session {
    pub(crate) fn new(platform: stratalog::Platform) -> Arc<Self> {
        Arc::new(Self {
            platform: Some(platform),
            pid: std::process::id(),
        })
    }

    /// The platform, to be used; refused in a forked child.
    pub(crate) fn platform(&self) -> Result<&stratalog::Platform> {
        match self.here() {
            Ok(()) => Ok(self.describe()),
            Err(refusal) => Err(Failure::named("StratalogError", refusal)),
        }
    }

    /// Refuses use in a forked child, in words.
    pub(crate) fn here(&self) -> std::result::Result<(), String> {
        if !self.is_forked() {
            return Ok(());
        }
        Err(format!(
            "{} was opened by process {} and came into process {} by fork: connections and \
             locks do not go along, open it again there with stratalog.Platform(…)",
            self.describe().url(),
            self.pid,
            std::process::id()
        ))
    }

    /// URL, engine and actor need no connection: they may be asked anywhere.
    pub(crate) fn describe(&self) -> &stratalog::Platform {
        match &self.platform {
            Some(platform) => platform,
            None => unreachable!("only dropping takes the platform out"),
        }
    }

    pub(crate) fn is_forked(&self) -> bool {
        self.pid != std::process::id()
    }

    /// Lets go of it where nobody knows whether this thread is attached to the interpreter: code that is neither
    /// Python nor ours (pyarrow's destructors) detaches it without pyo3's knowledge. The last to let go leaves the closing
    /// to a thread that is not attached and does not need to be.
    pub(crate) fn let_go_anywhere(session: Arc<Self>) {
        let Some(mut session) = Arc::into_inner(session) else {
            return;
        };
        if session.is_forked() {
            return;
        }
        let platform = session.platform.take();
        // Where no thread is to be had, the closure is dropped here, and the platform with it.
        let _ = std::thread::Builder::new()
            .name("stratalog-close".into())
            .spawn(move || drop(platform));
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(platform) = self.platform.take() else {
            return;
        };
        if self.is_forked() {
            // One owner that is never dropped keeps the connections from being closed.
            std::mem::forget(platform);
            return;
        }
        let mut platform = Some(platform);
        detached(|| drop(platform.take()));
    }
}

/// Does what may wait for the database or another thread without keeping the interpreter from others. Whoever
/// is waited for may need it: a thread that forks, for one (see `fork`).
pub(crate) fn detached(mut work: impl FnMut() + Send) {
    if Python::try_attach(|py| py.detach(&mut work)).is_none() {
        // The interpreter is ending.
        work();
    }
}
