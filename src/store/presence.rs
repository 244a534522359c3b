//! Whether the process that holds a lock is still there: seen at once where a lease would only show it when
//! it runs out.
//!
//! On SQLite a holder keeps a file beside the database locked, `scenarios.db-holder-<client>`; the operating
//! system lets go of it when the process ends, however it ends. The file's time of modification is a
//! heartbeat that, unlike the row of the lease, never waits for another process's long write.
//!
//! On PostgreSQL a holder's session keeps an advisory lock. It is believed only between processes of one
//! host, and only by a server that has not restarted since: a broken network ends sessions too, but no
//! processes.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use chrono::NaiveDateTime;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Timestamp};

use crate::error::{Error, Result};
use crate::store::connection;
use crate::store::fork::{self, Socket};
use crate::store::{AnyConnection, Location, Store, doing};

/// What there is to see of a holder's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// It has ended.
    Gone,
    /// It was at work within the time of its lease.
    Beating,
    /// Only the lease can tell.
    None,
}

/// The holder's side: shows that this process is there, until it is dropped.
pub(crate) struct Presence {
    location: Location,
    client: String,
    /// On PostgreSQL the session that shows it, between two beats.
    session: Option<AnyConnection>,
}

/// How this process shows that it is there, by client. All in one place: a forked child has copies of all,
/// which would hide the end of their owner.
#[derive(Default)]
pub(crate) struct Shown {
    files: BTreeMap<String, File>,
    sessions: BTreeMap<String, Socket>,
}

static SHOWN: Mutex<Shown> = Mutex::new(Shown {
    files: BTreeMap::new(),
    sessions: BTreeMap::new(),
});

pub(crate) fn shown() -> MutexGuard<'static, Shown> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For where waiting might be for ever.
pub(crate) fn try_shown() -> Option<MutexGuard<'static, Shown>> {
    match SHOWN.try_lock() {
        Ok(shown) => Some(shown),
        Err(std::sync::TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(std::sync::TryLockError::WouldBlock) => None,
    }
}

impl Shown {
    /// Closes this process's copies, in a forked child. Neither unlocks a file nor says farewell on a
    /// connection: the parent has them open too.
    pub(crate) fn let_go(&mut self) {
        self.files.clear();
        let sessions = std::mem::take(&mut self.sessions);
        fork::close_sockets(&sessions.into_values().collect::<Vec<_>>());
    }
}

impl Presence {
    /// Shows the process of this client.
    pub(crate) fn announce(location: &Location, client: &str, patience: Duration) -> Result<Self> {
        let mut presence = Self {
            location: location.clone(),
            client: client.to_owned(),
            session: None,
        };
        match location {
            Location::Server(_) => presence.beat(patience, |_| Ok(()))?,
            Location::Memory | Location::File(_) => presence.renew_file()?,
        }
        Ok(presence)
    }

    /// Shows it again, and does `work` on a connection of its own, which waits for other writers no longer than
    /// `patience`. Whoever deleted the file or ended the session shall not have ended the holding.
    pub(crate) fn beat(
        &mut self,
        patience: Duration,
        work: impl FnOnce(&mut AnyConnection) -> Result<()>,
    ) -> Result<()> {
        // The file first: it needs no connection, so it waits for nobody.
        self.renew_file()?;
        let mut connection = match self.session.take() {
            Some(connection) => connection,
            None => connection::lasting(&self.location, patience)?,
        };
        self.renew_session(&mut connection)?;
        work(&mut connection)?;
        // One that failed is replaced at the next beat. On SQLite there is none between two beats: what it has
        // open keeps the pool's new connections from opening anew what another SQLite library in this process
        // made useless (see `sqlite::wal`).
        if let Location::Server(_) = self.location {
            self.session = Some(connection);
        }
        Ok(())
    }

    /// Nothing on SQLite.
    fn renew_session(&self, connection: &mut AnyConnection) -> Result<()> {
        if let Location::Server(_) = &self.location
            && keep_advisory_lock(connection, key(&self.client))? == Kept::Anew
            && let Some(socket) = socket_of(connection)?
        {
            shown().sessions.insert(self.client.clone(), socket);
        }
        Ok(())
    }

    /// Nothing on PostgreSQL.
    fn renew_file(&self) -> Result<()> {
        self.touch_file().map_err(|source| Error::Connection {
            url: self.location.to_string(),
            source: Box::new(source),
        })
    }

    fn touch_file(&self) -> std::io::Result<()> {
        let Some(path) = file_of(&self.location, &self.client) else {
            return Ok(());
        };
        let mut shown = shown();
        if let Some(open) = shown.files.get(&self.client).filter(|_| path.exists()) {
            return open.set_modified(SystemTime::now());
        }
        let open = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        // Who looks at it holds it for a moment only.
        open.lock()?;
        open.set_modified(SystemTime::now())?;
        shown.files.insert(self.client.clone(), open);
        Ok(())
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut shown = shown();
        shown.sessions.remove(&self.client);
        if let (Some(file), Some(path)) = (
            shown.files.remove(&self.client),
            file_of(&self.location, &self.client),
        ) {
            // Deleted while it is locked: nobody takes a new holder's file for an old one.
            let _ = std::fs::remove_file(path);
            drop(file);
        }
    }
}

/// Looks for the process of a holder.
pub(crate) fn look_for(
    location: &Location,
    connection: &mut AnyConnection,
    client: &str,
    is_same_host: bool,
    renewed_at: NaiveDateTime,
    lease: Duration,
) -> Result<Sign> {
    match location {
        // Nobody else can reach it: its holder is in this process.
        Location::Memory => Ok(Sign::Beating),
        Location::File(_) => Ok(look_at_file(location, client, lease)),
        Location::Server(_) if is_same_host => look_for_session(connection, client, renewed_at),
        Location::Server(_) => Ok(Sign::None),
    }
}

/// Clears away what a holder that has gone left behind.
pub(crate) fn forget(location: &Location, client: &str) {
    if let Some(path) = file_of(location, client) {
        let _ = std::fs::remove_file(path);
    }
}

fn file_of(location: &Location, client: &str) -> Option<PathBuf> {
    let Location::File(path) = location else {
        return None;
    };
    // SQLite follows links before it names the log beside the database; so do we.
    let mut name = path.canonicalize().ok()?.into_os_string();
    name.push("-holder-");
    name.push(client);
    Some(name.into())
}

fn look_at_file(location: &Location, client: &str, lease: Duration) -> Sign {
    let Some(path) = file_of(location, client) else {
        return Sign::None;
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Sign::Gone,
        Err(_) => return Sign::None,
    };
    match file.try_lock_shared() {
        Ok(()) => return Sign::Gone,
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(_)) => return Sign::None,
    }
    // A time in the future is one before the clock was set back.
    let age = file
        .metadata()
        .and_then(|metadata| metadata.modified())
        .map(|modified| modified.elapsed().unwrap_or_default());
    match age {
        Ok(age) if age < lease => Sign::Beating,
        _ => Sign::None,
    }
}

/// The advisory lock of a client: half of its UUID.
fn key(client: &str) -> i64 {
    uuid::Uuid::parse_str(client).map_or(0, |uuid| uuid.as_u64_pair().0.cast_signed())
}

#[derive(QueryableByName)]
struct Holds {
    #[diesel(sql_type = Bool)]
    holds: bool,
}

const ADVISORY: &str = "locktype = 'advisory' AND granted AND objsubid = 1
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND ((classid::bigint << 32) | objid::bigint) = $1";

/// Since when a session has shown its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Already,
    Anew,
}

fn keep_advisory_lock(connection: &mut AnyConnection, key: i64) -> Result<Kept> {
    let held: Holds = crate::store::sql(format!(
        "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE {ADVISORY} AND pid = pg_backend_pid()) AS holds"
    ))
    .bind::<BigInt, _>(key)
    .get_result(connection)
    .map_err(doing("looking for the holder's session"))?;
    if held.holds {
        return Ok(Kept::Already);
    }
    let _: Holds = crate::store::sql("SELECT pg_try_advisory_lock($1) AS holds")
        .bind::<BigInt, _>(key)
        .get_result(connection)
        .map_err(doing("showing the holder's session"))?;
    Ok(Kept::Anew)
}

#[derive(QueryableByName)]
struct Ports {
    #[diesel(sql_type = Nullable<Integer>)]
    client: Option<i32>,
    #[diesel(sql_type = Nullable<Integer>)]
    server: Option<i32>,
}

/// The socket of a connection to a server, by its ports. `None` for one that has none, in the file system.
fn socket_of(connection: &mut AnyConnection) -> Result<Option<Socket>> {
    let ports: Ports =
        crate::store::sql("SELECT inet_client_port() AS client, inet_server_port() AS server")
            .get_result(connection)
            .map_err(doing("looking at the holder's session"))?;
    let port = |port: Option<i32>| port.and_then(|port| u16::try_from(port).ok());
    Ok(port(ports.client)
        .zip(port(ports.server))
        .map(|(local, peer)| Socket { local, peer }))
}

fn look_for_session(
    connection: &mut AnyConnection,
    client: &str,
    renewed_at: NaiveDateTime,
) -> Result<Sign> {
    let held: Holds = crate::store::sql(format!(
        "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE {ADVISORY})
             OR $2 < (pg_postmaster_start_time() AT TIME ZONE 'UTC') AS holds"
    ))
    .bind::<BigInt, _>(key(client))
    .bind::<Timestamp, _>(renewed_at)
    .get_result(connection)
    .map_err(doing("looking for the holder's session"))?;
    Ok(if held.holds { Sign::None } else { Sign::Gone })
}

impl Store {
    /// Ends the session that keeps a run's lock row locked while its client says nothing: the client was
    /// stopped or cut off in the middle of a write. Only for a holder whose lock is being taken over.
    ///
    /// One of another role is not shown to us; the server ends it when it has been idle for a minute.
    pub(crate) fn end_silent_writer(&self, run: i64) -> Result<()> {
        if let Location::Server(_) = self.location() {
            self.ask(|connection| {
                crate::store::sql(
                    "SELECT pg_terminate_backend(a.pid) FROM run_locks l
                     JOIN pg_stat_activity a ON a.backend_xid = l.xmax
                     WHERE l.run_id = $1 AND a.wait_event = 'ClientRead'",
                )
                .bind::<BigInt, _>(run)
                .execute(connection)
                .map_err(doing("ending a silent writer's session"))
            })?;
        }
        Ok(())
    }
}
