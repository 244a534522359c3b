//! Where a database is: URLs and paths.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::store::Engine;

/// File systems on which SQLite's write-ahead log does not work: its index is shared memory.
const NETWORK_FILE_SYSTEMS: [&str; 8] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "fuse.sshfs",
];

/// A parsed database URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// SQLite in memory.
    Memory,
    /// A SQLite file.
    File(PathBuf),
    /// A PostgreSQL URL, password included.
    Server(String),
}

impl Location {
    /// Understands `scenarios.db`, `sqlite:///scenarios.db` (relative, as SQLAlchemy has it),
    /// `sqlite:////var/scenarios.db` (absolute), `sqlite://:memory:`, `:memory:`, `postgresql://…`.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let refuse = |problem: &str| {
            Err(Error::InvalidUrl {
                url: without_password(url),
                problem: problem.into(),
            })
        };
        if url.contains('\0') {
            return refuse("there is a NUL in it");
        }
        if url.starts_with("postgresql://") || url.starts_with("postgres://") {
            return Ok(Self::Server(url.to_owned()));
        }
        let path = match url.strip_prefix("sqlite:") {
            Some(rest) => match rest.strip_prefix("//") {
                Some("" | "/" | ":memory:" | "/:memory:") => ":memory:",
                Some(rest) => match rest.strip_prefix('/') {
                    Some(path) => path,
                    None => return refuse("write sqlite:///relative.db or sqlite:////absolute.db"),
                },
                None => rest,
            },
            None if url.contains("://") => {
                return refuse(
                    "not a database that stratalog knows: use a path, sqlite:///path.db or postgresql://user@host/database",
                );
            }
            None => url,
        };
        match path {
            "" => refuse("the path is empty"),
            ":memory:" => Ok(Self::Memory),
            path => Ok(Self::File(PathBuf::from(path))),
        }
    }

    pub(crate) fn engine(&self) -> Engine {
        match self {
            Self::Memory | Self::File(_) => Engine::Sqlite,
            Self::Server(_) => Engine::Postgres,
        }
    }

    pub(crate) fn is_memory(&self) -> bool {
        matches!(self, Self::Memory)
    }

    /// Whether it is a file that is not there yet.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::File(path) if !path.exists())
    }

    /// Refuses folders that are not there and network file systems.
    pub(crate) fn check(&self) -> Result<()> {
        let Self::File(path) = self else {
            return Ok(());
        };
        let refuse = |problem: String| {
            Err(Error::InvalidUrl {
                url: self.to_string(),
                problem,
            })
        };
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        if !folder.is_dir() {
            return refuse(format!(
                "the folder {} does not exist: make it first",
                folder.display()
            ));
        }
        if path.is_dir() {
            return refuse("this is a folder: name a file in it".into());
        }
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        if let Ok(folder) = folder.canonicalize()
            && let Some(kind) = network_file_system(&folder, &mounts)
        {
            return refuse(format!(
                "it is on a network file system ({kind}), where SQLite's write-ahead log does not work: \
                 use a local disk, or PostgreSQL"
            ));
        }
        Ok(())
    }
}

/// The type of the mount that holds `folder`, if it is a network file system.
fn network_file_system<'a>(folder: &Path, mounts: &'a str) -> Option<&'a str> {
    mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ');
            let (_, point, kind) = (fields.next()?, fields.next()?, fields.next()?);
            // Blanks in a mount point are written as \040.
            let point = PathBuf::from(point.replace("\\040", " "));
            folder
                .starts_with(&point)
                .then(|| (point.as_os_str().len(), kind))
        })
        // Of two mounts on one point the later hides the earlier: max_by_key keeps the last.
        .max_by_key(|(length, _)| *length)
        .map(|(_, kind)| kind)
        .filter(|kind| NETWORK_FILE_SYSTEMS.contains(kind))
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("sqlite://:memory:"),
            Self::File(path) => path.display().fmt(f),
            Self::Server(url) => f.write_str(&without_password(url)),
        }
    }
}

/// `postgresql://user:***@host/database`, for messages.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = match rest.find(['/', '?']) {
        Some(end) => rest.split_at(end),
        None => (rest, ""),
    };
    // A password may also stand among the parameters.
    let path = match path.split_once('?') {
        Some((path, parameters)) => {
            let shown: Vec<_> = parameters
                .split('&')
                .map(|p| {
                    if p.starts_with("password=") {
                        "password=***"
                    } else {
                        p
                    }
                })
                .collect();
            format!("{path}?{}", shown.join("&"))
        }
        None => path.to_owned(),
    };
    match authority.rsplit_once('@') {
        Some((user, host)) => {
            let user = match user.split_once(':') {
                Some((name, _)) => format!("{name}:***"),
                None => user.to_owned(),
            };
            format!("{scheme}://{user}@{host}{path}")
        }
        None => format!("{scheme}://{authority}{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_understood() {
        let file = |path: &str| Location::File(PathBuf::from(path));
        for (url, location) in [
            ("a.db", file("a.db")),
            ("sqlite:///a.db", file("a.db")),
            ("sqlite:////var/a.db", file("/var/a.db")),
            ("/var/a.db", file("/var/a.db")),
            ("sqlite://:memory:", Location::Memory),
            (":memory:", Location::Memory),
        ] {
            assert_eq!(Location::parse(url).ok(), Some(location), "{url}");
        }
        for url in ["", "mysql://host/db", "sqlite://a.db", "a\0b"] {
            assert!(Location::parse(url).is_err(), "{url:?}");
        }
    }

    #[test]
    fn passwords_are_not_shown() {
        for (url, shown) in [
            (
                "postgresql://me:secret@host/db",
                "postgresql://me:***@host/db",
            ),
            (
                "postgresql://me:se@cret@host/db",
                "postgresql://me:***@host/db",
            ),
            (
                "postgresql://host/db?user=me&password=x",
                "postgresql://host/db?user=me&password=***",
            ),
            ("postgresql://me@host/db", "postgresql://me@host/db"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }

    #[test]
    fn network_file_systems_are_found_by_the_longest_mount() {
        let mounts = "/dev/sda / ext4 rw 0 0\nserver:/home /home nfs4 rw 0 0\n/dev/sdb /home/me/disk ext4 rw 0 0\n//nas/a\\040b /mnt/a\\040b cifs rw 0 0\n";
        assert_eq!(
            network_file_system(Path::new("/home/me"), mounts),
            Some("nfs4")
        );
        assert_eq!(
            network_file_system(Path::new("/home/me/disk/x"), mounts),
            None
        );
        assert_eq!(
            network_file_system(Path::new("/mnt/a b/c"), mounts),
            Some("cifs")
        );
        assert_eq!(network_file_system(Path::new("/var"), mounts), None);
    }
}
