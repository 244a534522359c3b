"""The exceptions of ixmp4, by their names there."""

from __future__ import annotations

from typing import Any

#: What an exception carries beside its message.
Data = None | int | str | bool | list["Data"] | dict[str, "Data"]


class ServiceException(Exception):
    """Whatever ixmp4 raises itself. ``data`` holds what was given by keyword."""

    message: str | None = None
    http_status_code: int = 500

    def __init__(
        self, message: str | None = None, http_status_code: int | None = None, **data: Data
    ) -> None:
        super().__init__(message)
        self.message = message or self.message
        self.http_status_code = http_status_code or self.http_status_code
        self.data = data

    def to_dict(self) -> dict[str, Any]:
        """What it says, for an answer of a server."""
        return {
            "message": self.message,
            "http_status_code": self.http_status_code,
            "data": self.data,
        }

    def __str__(self) -> str:
        return self.message or ""


class ProgrammingError(Exception):
    """The library is used in a way that cannot work."""

    message: str | None = None

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message)
        self.message = message or self.message


class InvalidFilter(ServiceException):
    """A filter that does not fit."""

    message = "a filter that does not fit"


class Ixmp4Error(ServiceException):
    """Whatever ixmp4 raises itself, but for tokens and credentials."""


class ServerError(Ixmp4Error):
    """The database failed."""

    message = "the database failed"


class BadGateway(Ixmp4Error):
    message = "no answer from the server"
    http_status_code = 502


class ServiceUnavailable(Ixmp4Error):
    """The database cannot be reached."""

    message = "the database cannot be reached"
    http_status_code = 503


class BadRequest(Ixmp4Error):
    """What was asked for cannot be done."""

    message = "this cannot be done"
    http_status_code = 400


class Unauthorized(Ixmp4Error):
    message = "nobody is logged in"
    http_status_code = 401


class Forbidden(Ixmp4Error):
    message = "this user may not do that"
    http_status_code = 403


class InvalidToken(ServiceException):
    message = "a token that is not valid"
    http_status_code = 401


class InvalidCredentials(ServiceException):
    message = "credentials that are not accepted"
    http_status_code = 401


class NotFound(Ixmp4Error):
    """Something that was asked for is not there."""

    message = "it is not there"
    http_status_code = 404


class NotUnique(Ixmp4Error):
    """A name is taken."""

    message = "it is there already"
    http_status_code = 409


class ConstraintViolated(Ixmp4Error):
    message = "other rows would be left wrong"
    http_status_code = 400


class InconsistentIamcType(Ixmp4Error):
    """Time columns that do not say what a point's time is, or say another type than was given."""

    http_status_code = 400


class ImproperlyConfigured(Ixmp4Error):
    """A database that cannot be used as it is."""


class UnknownApiError(Ixmp4Error):
    pass


class TooManyRequests(Ixmp4Error):
    http_status_code = 429


class PlatformNotFound(NotFound):
    message = "there is no such platform"


class PlatformNotUnique(Ixmp4Error):
    http_status_code = 409


class OperationNotSupported(Ixmp4Error):
    http_status_code = 400


class SchemaError(Ixmp4Error):
    http_status_code = 422


class DeletionPrevented(Ixmp4Error):
    """Something refers to it."""

    http_status_code = 400


class BadFilterArguments(Ixmp4Error):
    message = "filters that cannot be read"
    http_status_code = 400


class OptimizationDataValidationError(Ixmp4Error):
    """Data that do not fit an optimization item."""

    http_status_code = 422


class OptimizationItemUsageError(Ixmp4Error):
    """An optimization item cannot be made or used like this."""

    http_status_code = 422


class InvalidDataFrame(BadRequest):
    message = "a table that does not fit"


class InvalidArguments(BadRequest):
    """Arguments of the wrong type, unknown filters among them."""

    message = "arguments that do not fit"


class RunNotFound(NotFound):
    message = "there is no such run"


class RunNotUnique(NotUnique):
    message = "there is such a run already"


class RunDeletionPrevented(ConstraintViolated):
    pass


class NoDefaultRunVersion(BadRequest):
    message = "none of its versions is the default"


class RunIsLocked(BadRequest):
    """Somebody holds the run's lock; ``data`` says who, since when and why."""

    message = "the run is locked"


class RunLockRequired(BadRequest):
    """Outside of ``with run.transact("…")``."""

    message = 'this needs the run\'s lock: use `with run.transact("…"):`'


class RegionNotFound(NotFound):
    message = "there is no such region"


class RegionNotUnique(NotUnique):
    message = "there is such a region already"


class RegionDeletionPrevented(DeletionPrevented):
    pass


class UnitNotFound(NotFound):
    message = "there is no such unit"


class UnitNotUnique(NotUnique):
    message = "there is such a unit already"


class UnitDeletionPrevented(DeletionPrevented):
    pass


class ModelNotFound(NotFound):
    message = "there is no such model"


class ModelNotUnique(NotUnique):
    message = "there is such a model already"


class ModelDeletionPrevented(DeletionPrevented):
    pass


class ScenarioNotFound(NotFound):
    message = "there is no such scenario"


class ScenarioNotUnique(NotUnique):
    message = "there is such a scenario already"


class ScenarioDeletionPrevented(DeletionPrevented):
    pass


class DocsNotFound(NotFound):
    pass


class DocsNotUnique(NotUnique):
    pass


class CheckpointNotFound(NotFound):
    message = "there is no such checkpoint"


class CheckpointNotUnique(NotUnique):
    message = "there is such a checkpoint already"


class CheckpointDeletionPrevented(DeletionPrevented):
    pass


class DataPointNotFound(NotFound):
    message = "there is no such datapoint"


class DataPointNotUnique(NotUnique):
    message = "there is such a datapoint already"


class DataPointDeletionPrevented(DeletionPrevented):
    pass


class TimeSeriesNotFound(NotFound):
    pass


class TimeSeriesNotUnique(NotUnique):
    pass


class TimeSeriesDeletionPrevented(DeletionPrevented):
    pass


class MeasurandNotFound(NotFound):
    pass


class MeasurandNotUnique(NotUnique):
    pass


class MeasurandDeletionPrevented(DeletionPrevented):
    pass


class RunMetaEntryNotFound(NotFound):
    pass


class RunMetaEntryNotUnique(NotUnique):
    pass


class RunMetaEntryDeletionPrevented(DeletionPrevented):
    pass


class InvalidRunMeta(BadRequest):
    message = "a meta indicator that cannot be stored"


class VariableNotFound(NotFound):
    """Of variables of time series, and of the optimization's."""

    message = "there is no such variable"


class VariableNotUnique(NotUnique):
    message = "there is such a variable already"


class VariableDeletionPrevented(DeletionPrevented):
    pass


class VariableDataInvalid(OptimizationDataValidationError):
    pass


class IndexSetNotFound(NotFound):
    message = "there is no such index set"


class IndexSetNotUnique(NotUnique):
    message = "there is such an index set already"


class IndexSetDeletionPrevented(DeletionPrevented):
    pass


class IndexSetDataInvalid(OptimizationDataValidationError):
    pass


class IndexSetDataNotFound(NotFound, IndexSetDataInvalid):
    pass


class IndexSetDataNotUnique(NotUnique, IndexSetDataInvalid):
    pass


class ScalarNotFound(NotFound):
    message = "there is no such scalar"


class ScalarNotUnique(NotUnique):
    message = "there is such a scalar already"


class ScalarDeletionPrevented(DeletionPrevented):
    pass


class TableNotFound(NotFound):
    message = "there is no such table"


class TableNotUnique(NotUnique):
    message = "there is such a table already"


class TableDeletionPrevented(DeletionPrevented):
    pass


class TableDataInvalid(OptimizationDataValidationError):
    pass


class ParameterNotFound(NotFound):
    message = "there is no such parameter"


class ParameterNotUnique(NotUnique):
    message = "there is such a parameter already"


class ParameterDeletionPrevented(DeletionPrevented):
    pass


class ParameterDataInvalid(OptimizationDataValidationError):
    pass


class EquationNotFound(NotFound):
    message = "there is no such equation"


class EquationNotUnique(NotUnique):
    message = "there is such an equation already"


class EquationDeletionPrevented(DeletionPrevented):
    pass


class EquationDataInvalid(OptimizationDataValidationError):
    pass
