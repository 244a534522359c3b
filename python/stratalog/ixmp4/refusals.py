"""What becomes of stratalog's exceptions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, ClassVar

import stratalog
from stratalog.ixmp4.exceptions import (
    BadRequest,
    CheckpointNotFound,
    DeletionPrevented,
    ImproperlyConfigured,
    InvalidArguments,
    InvalidDataFrame,
    Ixmp4Error,
    ModelNotFound,
    NoDefaultRunVersion,
    NotFound,
    NotUnique,
    RegionNotFound,
    RunIsLocked,
    RunLockRequired,
    RunNotFound,
    ScenarioNotFound,
    ServerError,
    ServiceException,
    ServiceUnavailable,
    UnitNotFound,
    VariableNotFound,
)

#: What becomes of stratalog's exceptions wherever nothing else is said; the first that fits.
_USUAL: list[tuple[type[Exception], type[ServiceException]]] = [
    (stratalog.RunNotFound, RunNotFound),
    (stratalog.RegionNotFound, RegionNotFound),
    (stratalog.UnitNotFound, UnitNotFound),
    (stratalog.ModelNotFound, ModelNotFound),
    (stratalog.ScenarioNotFound, ScenarioNotFound),
    (stratalog.VariableNotFound, VariableNotFound),
    (stratalog.CheckpointNotFound, CheckpointNotFound),
    (stratalog.NoDefaultVersion, NoDefaultRunVersion),
    (stratalog.NotFound, NotFound),
    (stratalog.AlreadyExists, NotUnique),
    (stratalog.InUse, DeletionPrevented),
    (stratalog.NestedTransact, RunIsLocked),
    (stratalog.RunLockRequired, RunLockRequired),
    (stratalog.LockLost, RunLockRequired),
    (stratalog.LockError, BadRequest),
    (stratalog.InvalidFrame, InvalidDataFrame),
    (stratalog.InvalidInput, InvalidArguments),
    (stratalog.SchemaError, ImproperlyConfigured),
    (stratalog.InvalidUrl, ImproperlyConfigured),
    (stratalog.ConnectionFailed, ServiceUnavailable),
    (stratalog.DatabaseError, ServerError),
    (stratalog.StratalogError, Ixmp4Error),
]


@contextlib.contextmanager
def refusals(**instead: type[ServiceException]) -> Iterator[None]:
    """Raises ixmp4's exceptions in place of stratalog's, with their messages.

    Args:
        instead: by the name of one of stratalog's, what becomes of it and its subclasses here;
            by default what its name suggests.
    """
    try:
        yield
    except stratalog.RunIsLocked as error:
        raise RunIsLocked(str(error), **_holder(error)) from error
    except stratalog.StratalogError as error:
        for kind in type(error).__mro__:
            if kind.__name__ in instead:
                raise instead[kind.__name__](str(error)) from error
        made = next(made for kind, made in _USUAL if isinstance(error, kind))
        raise made(str(error)) from error


def _holder(error: stratalog.RunIsLocked) -> dict[str, Any]:
    return {
        "holder": error.holder,
        "host": error.host,
        "pid": error.pid,
        "since": error.since.isoformat(),
        "reason": error.reason,
    }


class HasExceptions:
    """Exceptions as attributes, as ``Region.NotFound``."""

    NotFound: ClassVar[type[NotFound]]
    NotUnique: ClassVar[type[NotUnique]]
    DeletionPrevented: ClassVar[type[Ixmp4Error]]

    @classmethod
    def _refusals(
        cls, **instead: type[ServiceException]
    ) -> contextlib.AbstractContextManager[None]:
        return refusals(
            **{
                "NotFound": cls.NotFound,
                "AlreadyExists": cls.NotUnique,
                "InUse": cls.DeletionPrevented,
                **instead,
            }
        )
