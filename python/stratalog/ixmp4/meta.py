"""Meta indicators of runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack

from stratalog.ixmp4 import filters
from stratalog.ixmp4.exceptions import InvalidRunMeta
from stratalog.ixmp4.frames import as_ixmp4
from stratalog.ixmp4.refusals import refusals
from stratalog.ixmp4.transport import Backend

if TYPE_CHECKING:
    import pandas as pd

    from stratalog.ixmp4.run import Run

MetaValueType: TypeAlias = bool | float | int | str

#: The types of values in the order in which ixmp4 has them, and how pandas holds them there.
_DTYPES = {bool: "boolean", float: "float64", int: "Int64", str: "str"}
_COLUMNS = ["key", "model", "scenario", "version", "value"]


def _rank(value: MetaValueType) -> int:
    return list(_DTYPES).index(type(value))


class RunMetaDictFacade(MutableMapping[str, Any]):
    """The meta indicators of a run, as a dict. Writing needs the lock; ``None`` and NaN remove."""

    run: Run

    def __init__(self, run: Run) -> None:
        self.run = run

    @property
    def data(self) -> dict[str, MetaValueType]:
        """All of them, by type and key."""
        with refusals():
            held = self.run.stratalog.meta.copy()
        return dict(sorted(held.items(), key=lambda item: (_rank(item[1]), item[0])))

    def __getitem__(self, key: str) -> MetaValueType:
        return self.data[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.run.require_lock()
        with refusals(InvalidInput=InvalidRunMeta):
            self.run.stratalog.meta[key] = value

    def __delitem__(self, key: str) -> None:
        self.run.require_lock()
        with refusals():
            del self.run.stratalog.meta[key]

    def update(self, other: Any = (), /, **kwds: Any) -> None:
        """Sets several, as ``dict.update`` takes them, as one transaction."""
        self.run.require_lock()
        with refusals(InvalidInput=InvalidRunMeta):
            self.run.stratalog.meta.update(other, **kwds)

    def __iter__(self) -> Iterator[str]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)

    def copy(self) -> dict[str, MetaValueType]:
        """A dict with what is there now."""
        return self.data

    def __eq__(self, other: object) -> bool:
        return self.data == (dict(other) if isinstance(other, Mapping) else other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self.data)


def replace_meta(run: Run, indicators: Mapping[str, Any]) -> None:
    """Makes these all that a run has."""
    run.require_lock()
    with refusals(InvalidInput=InvalidRunMeta):
        run.stratalog.meta = dict(indicators)


class PlatformRunMetaFacade:
    """The meta indicators of the runs of a platform."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def tabulate(self, **kwargs: Unpack[filters.FacadeRunMetaEntryFilter]) -> pd.DataFrame:
        """Those of default runs, or those that the filters select, by type, run and key: ``key``,
        ``model``, ``scenario``, ``version``, ``value``.
        """
        import pandas as pd

        with refusals():
            frame = self._backend.stratalog.meta.tabulate(**filters.meta(kwargs))
        if frame.empty:
            return as_ixmp4(frame, _COLUMNS)
        types = frame["value"].map(type)
        parts = [
            frame[types == kind].astype({"value": dtype})
            for kind, dtype in _DTYPES.items()
            if (types == kind).any()
        ]
        return as_ixmp4(pd.concat(parts), _COLUMNS)
