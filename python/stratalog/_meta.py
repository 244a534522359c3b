"""Meta indicators as a dict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import pandas as pd

    from stratalog._stratalog import _MetaIndicators

MetaValue: TypeAlias = bool | int | float | str


class Meta(MutableMapping[str, MetaValue]):
    """The meta indicators of a run, as a dict: ``run.meta["category"] = "C1"``. Reading needs no
    lock, writing does; it is logged and goes back with the run.

    Values are ``bool``, ``int``, ``float`` and ``str``, or scalars of numpy; their type is kept:
    ``True`` is not 1, and 1 is not 1.0. Setting ``None`` or NaN removes. ``run.meta = {…}``
    replaces all of them, ``run.meta.update({…})`` sets several, each as one transaction.

    ``model``, ``scenario``, ``version``, ``id`` and ``is_default`` are no keys: they would be
    mistaken for what identifies a run.
    """

    def __init__(self, indicators: _MetaIndicators) -> None:
        self._indicators = indicators

    def __getitem__(self, key: str) -> MetaValue:
        return self._indicators.read()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._indicators.update({key: value})

    def __delitem__(self, key: str) -> None:
        if not self._indicators.update({key: None}).deleted:
            raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._indicators.read())

    def __len__(self) -> int:
        return len(self._indicators.read())

    def __eq__(self, other: object) -> bool:
        return self._indicators.read() == (dict(other) if isinstance(other, Mapping) else other)

    __hash__ = None  # type: ignore[assignment]

    def copy(self) -> dict[str, MetaValue]:
        """A dict with what is there now."""
        return self._indicators.read()

    def clear(self) -> None:
        """Removes all of them, as one transaction."""
        self._indicators.replace({})

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Sets several, as ``dict.update`` takes them; ``None`` and NaN remove. One transaction."""
        self._indicators.update(dict(*args, **kwargs))

    def __repr__(self) -> str:
        return repr(self._indicators.read())


def frame(rows: list[tuple[str, str, int, str, MetaValue]]) -> pd.DataFrame:
    """Indicators of runs as a table."""
    import pandas as pd

    columns = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    model, scenario, version, key, value = columns
    return pd.DataFrame(
        {
            "model": pd.Series(model, dtype=object if not rows else None),
            "scenario": pd.Series(scenario, dtype=object if not rows else None),
            "version": pd.Series(version, dtype="int64"),
            "key": pd.Series(key, dtype=object if not rows else None),
            "value": pd.Series(value, dtype=object),
        }
    )
