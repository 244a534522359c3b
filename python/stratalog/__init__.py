"""Versioned run data: a change log with checkpoints and run locks, on SQLite and PostgreSQL.

    import stratalog

    platform = stratalog.Platform("scenarios.db")
    platform.regions.create("World")
    platform.units.create("EJ/yr")
    run = platform.runs.create("MESSAGEix", "SSP2-1.5C")
    with run.transact("Baseline"):
        run.iamc.add(df)                      # region, variable, unit, year, value
        run.checkpoints.create("raw data")
        run.iamc.remove(bad_rows)
    run.revert_to("raw data")
    run.iamc.tabulate(region="World", year=[2030, 2050])

Every write is recorded in the database itself. A run is written to inside
``with run.transact(...)``, by one writer at a time; a block that fails leaves nothing behind. All
errors are ``StratalogError``.
"""

import sys as _sys
import warnings as _warnings

from stratalog._async import TransactAsync
from stratalog._errors import (
    AlreadyExists,
    Busy,
    ChangeLogBroken,
    ChangeLogRefused,
    CheckpointNotFound,
    CommitUnknown,
    ConnectionFailed,
    DatabaseError,
    DiskFull,
    FileError,
    ImportRefused,
    InUse,
    InvalidFilter,
    InvalidFrame,
    InvalidInput,
    InvalidLease,
    InvalidName,
    InvalidUrl,
    LockError,
    LockLost,
    LockTokenMismatch,
    MigrationFailed,
    ModelNotFound,
    NestedTransact,
    NoDefaultVersion,
    NotFound,
    ReadOnlyView,
    RegionNotFound,
    RevertNeedsMissing,
    RevertNeedsRedacted,
    RunIsLocked,
    RunLockRequired,
    RunNotFound,
    ScenarioNotFound,
    SchemaError,
    SchemaOutdated,
    SchemaTooNew,
    StateCompacted,
    StorageFailed,
    StratalogError,
    TransactionNotFound,
    UndoOverlaps,
    UnitNotFound,
    UnknownNames,
    VariableNotFound,
)
from stratalog._meta import Meta
from stratalog._optimization import (
    Equation,
    IndexSet,
    Optimization,
    Parameter,
    Scalar,
    Table,
    Variable,
)
from stratalog._stratalog import (
    ChangeCounts,
    Checkpoint,
    Checkpoints,
    CompactReport,
    Diff,
    DoctorReport,
    FileRun,
    Finding,
    Iamc,
    IamcAsOf,
    Ixmp4Report,
    Locks,
    Named,
    Names,
    Platform,
    PlatformIamc,
    PlatformMeta,
    Problem,
    Regions,
    Run,
    RunLock,
    Runs,
    RunView,
    Transact,
    VerifyReport,
    __version__,
    read_file,
)
from stratalog._types import PointType

__all__ = [
    "AlreadyExists",
    "Busy",
    "ChangeCounts",
    "ChangeLogBroken",
    "ChangeLogRefused",
    "Checkpoint",
    "CheckpointNotFound",
    "Checkpoints",
    "CommitUnknown",
    "CompactReport",
    "ConnectionFailed",
    "DatabaseError",
    "Diff",
    "DiskFull",
    "DoctorReport",
    "Equation",
    "FileError",
    "FileRun",
    "Finding",
    "Iamc",
    "IamcAsOf",
    "ImportRefused",
    "InUse",
    "IndexSet",
    "InvalidFilter",
    "InvalidFrame",
    "InvalidInput",
    "InvalidLease",
    "InvalidName",
    "InvalidUrl",
    "Ixmp4Report",
    "LockError",
    "LockLost",
    "LockTokenMismatch",
    "Locks",
    "Meta",
    "MigrationFailed",
    "ModelNotFound",
    "Named",
    "Names",
    "NestedTransact",
    "NoDefaultVersion",
    "NotFound",
    "Optimization",
    "Parameter",
    "Platform",
    "PlatformIamc",
    "PlatformMeta",
    "PointType",
    "Problem",
    "ReadOnlyView",
    "RegionNotFound",
    "Regions",
    "RevertNeedsMissing",
    "RevertNeedsRedacted",
    "Run",
    "RunIsLocked",
    "RunLock",
    "RunLockRequired",
    "RunNotFound",
    "RunView",
    "Runs",
    "Scalar",
    "ScenarioNotFound",
    "SchemaError",
    "SchemaOutdated",
    "SchemaTooNew",
    "StateCompacted",
    "StorageFailed",
    "StratalogError",
    "Table",
    "Transact",
    "TransactAsync",
    "TransactionNotFound",
    "UndoOverlaps",
    "UnitNotFound",
    "UnknownNames",
    "Variable",
    "VariableNotFound",
    "VerifyReport",
    "__version__",
    "read_file",
]

# Python hides ResourceWarning, but one about a run that was set back is about lost work. Whoever
# told Python what to do with warnings is left alone.
if not _sys.warnoptions:
    _warnings.filterwarnings("always", message="stratalog: ", category=ResourceWarning)
