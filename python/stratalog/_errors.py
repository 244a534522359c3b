"""All exceptions, in one tree. Each message says what failed, on what, and what to do."""

from datetime import datetime

__all__ = [
    "AlreadyExists",
    "Busy",
    "ChangeLogBroken",
    "ChangeLogRefused",
    "CheckpointNotFound",
    "CommitUnknown",
    "ConnectionFailed",
    "DatabaseError",
    "DiskFull",
    "FileError",
    "ImportRefused",
    "InUse",
    "InvalidFilter",
    "InvalidFrame",
    "InvalidInput",
    "InvalidLease",
    "InvalidName",
    "InvalidUrl",
    "LockError",
    "LockLost",
    "LockTokenMismatch",
    "MigrationFailed",
    "ModelNotFound",
    "NestedTransact",
    "NoDefaultVersion",
    "NotFound",
    "ReadOnlyView",
    "RegionNotFound",
    "RevertNeedsMissing",
    "RevertNeedsRedacted",
    "RunIsLocked",
    "RunLockRequired",
    "RunNotFound",
    "ScenarioNotFound",
    "SchemaError",
    "SchemaOutdated",
    "SchemaTooNew",
    "StateCompacted",
    "StorageFailed",
    "StratalogError",
    "TransactionNotFound",
    "UndoOverlaps",
    "UnitNotFound",
    "UnknownNames",
    "VariableNotFound",
]


class StratalogError(Exception):
    """Whatever stratalog raises itself."""


class NotFound(StratalogError, LookupError):
    """Something that was asked for is not there."""


class RunNotFound(NotFound):
    """No such run."""


class RegionNotFound(NotFound):
    """No such region."""


class UnitNotFound(NotFound):
    """No such unit."""


class ModelNotFound(NotFound):
    """No such model."""


class ScenarioNotFound(NotFound):
    """No such scenario."""


class VariableNotFound(NotFound):
    """No such variable."""


class CheckpointNotFound(NotFound):
    """The run has no such checkpoint; the message lists the ones it has."""


class TransactionNotFound(NotFound):
    """Not a transaction of the run."""


class StateCompacted(NotFound):
    """A state that a compaction removed; the message says what is left."""


class NoDefaultVersion(NotFound):
    """A model's scenario has runs, but none of them is the default; the message lists them."""


class AlreadyExists(StratalogError):
    """A unique name is taken."""


class InUse(StratalogError):
    """What other rows refer to cannot be deleted; the message says which do."""


class InvalidInput(StratalogError, ValueError):
    """Input that is refused before anything is written."""


class InvalidFrame(InvalidInput):
    """A table that is refused, naming columns and rows (counted from 0); nothing was written."""


class UnknownNames(InvalidInput):
    """Regions or units that do not exist, all of them named; nothing was written."""


class InvalidName(InvalidInput):
    """A name that cannot be used."""


class InvalidFilter(InvalidInput):
    """An unknown filter, or a value it cannot have."""


class InvalidLease(InvalidInput):
    """A lease or heartbeat that cannot work; the message says why."""


class ImportRefused(InvalidInput):
    """An ixmp4 database that cannot be imported, or not as it is; the message has all reasons."""


class LockError(StratalogError):
    """Something about a run's lock."""


class RunIsLocked(LockError):
    """Somebody else holds the run's lock."""

    run: str
    """The run, as "model / scenario, version 1"."""
    run_id: int
    """The run's id."""
    holder: str
    """Who: the actor of the platform that holds it."""
    host: str
    """On which computer."""
    pid: int
    """In which process of it."""
    since: datetime
    """Since when (UTC, aware)."""
    expires_at: datetime
    """When others may take it, unless its holder gives a sign of life before (UTC, aware)."""
    last_write_at: datetime | None
    """The last write under it (UTC, aware); ``None`` before the first."""
    reason: str
    """Why: the message of the block."""
    token: int
    """The fencing number of the holding."""


class RunLockRequired(LockError):
    """A write to a run outside of ``with run.transact(...)``."""


class LockLost(LockError):
    """The lock was this holder's, but is no longer; nothing more can be written with it."""


class LockTokenMismatch(LockError):
    """A lock that was to be ended by hand is free, or held under another token by now."""

    run: str
    """The run, as "model / scenario, version 1"."""
    asked: int
    """The token that was given."""
    found: int | None
    """The token under which it is held; ``None``: it is free."""


class NestedTransact(LockError):
    """``transact`` or ``lock`` while the same ``Run`` object holds the lock already."""


class RevertNeedsMissing(StratalogError):
    """An earlier state needs what has been deleted since, all of it named; nothing changed."""


class RevertNeedsRedacted(StratalogError):
    """An earlier state needs values that were redacted, and are named; nothing changed."""


class ReadOnlyView(StratalogError):
    """A write through a view of an earlier state."""


class UndoOverlaps(StratalogError):
    """Rows of a transaction that was to be undone were changed again since."""


class SchemaError(StratalogError):
    """The database's tables are not what this version of stratalog, or its caller, describes."""


class SchemaOutdated(SchemaError):
    """The database has an older schema: migrate it."""


class SchemaTooNew(SchemaError):
    """The database has a newer schema: upgrade stratalog."""


class InvalidUrl(StratalogError, ValueError):
    """Not a database's URL, or a place where it cannot live."""


class FileError(StratalogError):
    """A file cannot be read or written."""


class ChangeLogRefused(StratalogError):
    """The database refused a write that would have bypassed the change log."""


class ChangeLogBroken(StratalogError):
    """The change log and the live tables do not agree; the message names the rows."""


class DatabaseError(StratalogError):
    """The database failed."""


class Busy(DatabaseError):
    """Another process kept the database busy for too long."""


class ConnectionFailed(DatabaseError):
    """No connection could be had, or it was lost for good; nothing was written."""


class CommitUnknown(DatabaseError):
    """The server went away, or the disk failed, while a write was being committed: it may have
    landed.

    The message says how to find out, once the database can be reached. Do that before repeating
    the write.
    """


class StorageFailed(DatabaseError):
    """The database's file could not be read or written; nothing of the call was kept."""


class DiskFull(StorageFailed):
    """The disk that holds the database is full; nothing of the call was kept."""


class MigrationFailed(DatabaseError):
    """Migrating failed; the database is as it was."""


# What users import and see in tracebacks is the package.
for _name in __all__:
    globals()[_name].__module__ = "stratalog"
