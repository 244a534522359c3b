//! Identifiers. Each is a 64-bit integer given by the database; the types keep them from being mixed up.

use std::fmt;

macro_rules! id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<i64> for $name {
            fn from(id: i64) -> Self {
                Self(id)
            }
        }
    };
}

id! {
    /// A run: one version of a model's scenario.
    RunId
}
id! {
    /// A row of `transactions`. Within one run a smaller id was committed earlier; ids are never used again.
    TransactionId
}
id! {
    /// A row of `checkpoints`.
    CheckpointId
}
id! {
    /// The fencing number of one holding of a run's lock. Grows with every acquisition.
    LockToken
}

impl TransactionId {
    /// The state before a run's first transaction: nothing there.
    pub const BEFORE_FIRST: Self = Self(0);
}
