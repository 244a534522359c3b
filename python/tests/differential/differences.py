"""Where stratalog differs from ixmp4 on purpose: what docs/ixmp4-swap.md says and the scripts name.

A step of a script that names a difference must differ, any other must not. Those marked ``always``
hold everywhere: ``transcript.py`` takes them out of what is compared.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """What ixmp4 0.17 does and what stratalog does."""

    name: str
    ixmp4: str
    stratalog: str
    always: bool = False


DIFFERENCES = [
    Difference(
        "history on SQLite",
        "only PostgreSQL has a history: on SQLite a failing block leaves what it wrote, and "
        "checkpoints name no transaction",
        "a failing block is set back on SQLite too, and checkpoints name their transaction",
    ),
    Difference(
        "locks hold",
        "a lock is a promise: `delete` and other programs pass over it, and only `Exception` "
        "sets a block back",
        "the database refuses whoever does not hold the lock; any `BaseException`, Ctrl-C "
        "included, sets a block back, and so does the next holder for one whose process died",
    ),
    Difference(
        "one kind of refusal",
        "what pandas, pandera, pydantic and SQLAlchemy raise comes through (`KeyError`, "
        "`SchemaErrors` …)",
        "`InvalidDataFrame`, `InvalidRunMeta`, or the `DataInvalid` of the item",
    ),
    Difference(
        "nothing is left behind",
        "a refused call may leave a part behind: an item whose indexset is unknown is there, "
        "and breaks `list()`",
        "a call is all or nothing",
    ),
    Difference(
        "deletion prevented",
        "a base class that cannot be imported from ixmp4",
        "the documented `Region.DeletionPrevented` and its like; the message says what uses it",
    ),
    Difference(
        "a point is there once",
        "the same point twice in a table is stored twice",
        "`InvalidDataFrame`, naming the rows",
    ),
    Difference(
        "variables that do not exist",
        "removing points of an unknown variable does nothing",
        "`VariableNotFound`",
    ),
    Difference(
        "tables without rows",
        "adding a table without rows is a violated constraint",
        "it adds nothing",
    ),
    Difference(
        "values are numbers",
        "values, levels and marginals may be text; missing ones keep what was there; whole "
        "numbers stay such",
        "text and missing values are refused, numbers are floats",
    ),
    Difference(
        "names",
        "a name may be empty, or begin or end with blanks",
        "`InvalidArguments`; a unit may be empty",
    ),
    Difference(
        "versions are not used again",
        "the version number and the id of a deleted run are given to the next",
        "never; `platform.stratalog.runs.restore` brings a deleted run back under its own",
    ),
    Difference(
        "letters and their case",
        "on SQLite `name__like` and plain patterns take `a` for `A`",
        "only `name__ilike` does, on both engines",
    ),
    Difference(
        "more filters",
        "`year` is one year; `run` of points knows no `model` and `scenario`",
        "`year` may be a list, and filters of runs are the same everywhere",
    ),
    Difference(
        "docs of items",
        "those of optimization items are set without a lock, and `list_docs` gives those of all "
        "runs",
        "setting needs the run's lock, because they go back with the run; those of the run are "
        "listed",
    ),
    Difference(
        "an update of nothing",
        "`Scalar.update()` without arguments is an error of SQL",
        "it does nothing",
    ),
    Difference(
        "ids of points",
        "points, meta indicators and docs can be filtered by ids of their own, points by "
        "`time_series__id`",
        "they have none: `InvalidArguments`",
    ),
    Difference(
        "columns called value and unit",
        "parameters can have such columns: their values are in `values` and `units`",
        "they cannot, because that is what stratalog calls them: give `column_names`",
    ),
    Difference(
        "ids",
        "ids count from 1 in each table",
        "ids of optimization items count across kinds; variables that come in one table are "
        "numbered by name; a name that is created again gets its old id back",
        always=True,
    ),
    Difference(
        "who",
        "`created_by` is `@unknown` without a server",
        "the user of the operating system",
        always=True,
    ),
    Difference(
        "order of rows",
        "points and rows of optimization items come in the order in which they were first "
        "written, or sorted",
        "points by region, variable, unit and time; rows of items by their elements, in the "
        "order of the indexsets",
        always=True,
    ),
    Difference(
        "years beside moments",
        "in a `time` column with both, years are floats (2020.0)",
        "whole numbers",
        always=True,
    ),
    Difference(
        "repr",
        "variables of time series and equations are shown as `<… object at 0x…>`",
        "as all others",
        always=True,
    ),
    Difference(
        "messages",
        "exceptions say what kind of thing failed",
        "which one, and what to do",
        always=True,
    ),
]

#: Public names of ixmp4.core that the swap has not, and why.
LEFT_OUT = {
    "base": "how ixmp4 is built inside",
    "docs": "how ixmp4 is built inside: what is said of things is an attribute here too",
    "optimization.base": "how ixmp4 is built inside",
    "exceptions.registry": "turns exceptions into answers of a server",
    "meta.RunMetaDescriptor": "how ixmp4 is built inside: `run.meta` is there",
    "meta.RunMetaDictFacade.fromkeys": "makes no indicators of a run in ixmp4 either",
    "meta.numpy_to_pytype": "how ixmp4 is built inside",
    "iamc.data.IamcDataFacade": "how ixmp4 is built inside",
    "run.RunCloner": "how ixmp4 is built inside: `run.clone` is there",
    "run.Run.minimum_lock_timeout": (
        "how often a lock is asked for; stratalog is woken when it is free"
    ),
    "run.Run.maximum_lock_timeout": (
        "how often a lock is asked for; stratalog is woken when it is free"
    ),
    "optimization.scalar.ScalarServiceFacade.units": (
        "how ixmp4 is built inside: `platform.units` is there"
    ),
    "platform.Platform.get_transport": (
        "a choice between databases and servers; stratalog has no server"
    ),
    "platform.Platform.get_toml_platform_ci": (
        "`settings.get_toml_platforms().get_platform` is there"
    ),
    "platform.Platform.get_manager_platform_ci": "stratalog has no server",
}
