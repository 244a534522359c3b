"""Tables from and to pandas and pyarrow, which are imported when they are needed and not before.

What comes from pandas is brought into columns of one type each, because a pandas column of Python
objects may hold anything. What is wrong with values of one type, the compiled part finds.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from numbers import Integral
from typing import TYPE_CHECKING, Any, cast

from stratalog._errors import InvalidFrame

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as _pa

__all__ = ["stream", "to_arrow", "to_pandas", "to_polars", "to_pyarrow", "to_reader"]

_TEXT = ("model", "scenario", "region", "variable", "unit", "subannual")
_TIMES = ("year", "datetime", "time")
_KNOWN = (*_TEXT, *_TIMES, "version", "value")
_NAMED_ROWS = 10
_BATCH = 65_536  # rows
_INT64 = range(-(2**63), 2**63)
_EPOCH = dt.datetime(1970, 1, 1)
_EPOCH_UTC = _EPOCH.replace(tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def to_pandas(table: object) -> pd.DataFrame:
    """What the compiled part yields, as pandas: names as plain text, years as integers."""
    import pandas as pd
    import pyarrow as pa

    read = pa.table(table)
    return pd.DataFrame(
        {
            name: _series(column)
            for name, column in zip(read.column_names, read.columns, strict=True)
        }
    )


def _series(column: _pa.ChunkedArray) -> pd.Series[Any]:
    import pandas as pd
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_int64(column.type) and column.null_count > 0:
        # pandas would turn the integers into floats.
        mapper = {pa.int64(): pd.Int64Dtype()}.get
        return cast("pd.Series[Any]", column.to_pandas(types_mapper=mapper))
    return cast("pd.Series[Any]", column.to_pandas())


def to_pyarrow(table: object) -> _pa.Table:
    """What the compiled part yields, as pyarrow."""
    import pyarrow as pa

    return pa.table(table)


def to_polars(table: Any) -> Any:
    """What the compiled part yields, as polars."""
    import polars as pl

    return pl.DataFrame(table)


def to_reader(table: object) -> _pa.RecordBatchReader:
    """What the compiled part yields, batch by batch."""
    import pyarrow as pa

    return pa.RecordBatchReader.from_stream(table)


def stream(data: object) -> Iterator[object] | None:
    """The tables that come one by one; ``None`` where there is one, which is here already."""
    if isinstance(data, str | os.PathLike):
        return _read_file(os.fspath(data))
    pyarrow = sys.modules.get("pyarrow")
    if pyarrow is not None and isinstance(data, pyarrow.RecordBatchReader):
        return _read(data)
    return data if isinstance(data, Iterator) else None


def _read(reader: _pa.RecordBatchReader) -> Iterator[object]:
    try:
        yield from reader
    except Exception as error:  # pyarrow's, or whatever makes its batches
        raise _refusal(f"reading it failed: {error}") from error


def _read_file(path: str | bytes) -> Iterator[object]:
    """The batches of a Parquet or CSV file."""
    name = os.fsdecode(path)
    kind = os.path.splitext(name)[1].lower()
    if kind not in (".parquet", ".pq", ".csv"):
        raise _refusal(
            f"{name!r} is not a table, nor the path of a .parquet, .pq or .csv file (long format); "
            "for others use `stratalog import`, or read them with pandas"
        )
    return _read_csv(name) if kind == ".csv" else _read_parquet(name)


def _read_parquet(name: str) -> Iterator[object]:
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(name) as file:
            # The index of pandas is in it, and what it is for is in the metadata only.
            yield from file.iter_batches(batch_size=_BATCH)
    except (OSError, ValueError) as error:
        raise _refusal(f"{name!r} cannot be read: {error}") from error


def _read_csv(name: str) -> Iterator[object]:
    import pyarrow as pa
    from pyarrow import csv

    # What a block of rows looks like must not decide what the next may hold.
    types = dict.fromkeys((*_TEXT, "version"), pa.string()) | {"value": pa.float64()}
    options = csv.ConvertOptions(column_types=types | {"year": pa.int64()})
    try:
        with csv.open_csv(name, convert_options=options) as reader:
            yield from reader
    except (OSError, ValueError) as error:
        raise _refusal(f"{name!r} cannot be read: {error}") from error


def to_arrow(data: object, points: bool = True) -> object:
    """Something that speaks Arrow, from whatever holds a table: of points, or with columns of any
    name.
    """
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(data, pandas.DataFrame | pandas.Series):
        return _from_pandas(data, points)
    pyarrow = sys.modules.get("pyarrow")
    if pyarrow is not None and isinstance(data, pyarrow.RecordBatchReader):
        # A stream of theirs does not tell when a batch is not what its schema says.
        try:
            return data.read_all()
        except Exception as error:
            raise _refusal(f"reading it failed: {error}") from error
    polars = sys.modules.get("polars")
    if polars is not None and isinstance(data, polars.DataFrame):
        return _from_polars(data)
    if hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__"):
        return data
    if isinstance(data, Mapping):
        import pandas as pd

        try:
            frame = pd.DataFrame(dict(data))
        except Exception as error:
            raise _refusal(f"the dict is not a table: {error}") from error
        return _from_pandas(frame, points)
    raise _refusal(
        f"{type(data).__name__} is not a table: give a pandas, polars or pyarrow one, "
        "anything else with __arrow_c_stream__, a dict of lists, an iterator of tables, or the "
        "path of a Parquet or CSV file"
    )


def _refusal(problem: str) -> InvalidFrame:
    return InvalidFrame(f"the data cannot be taken, nothing was written: {problem}")


def _rows(rows: list[int]) -> str:
    shown = ", ".join(map(str, rows[:_NAMED_ROWS]))
    more = f" and {len(rows) - _NAMED_ROWS} more" if len(rows) > _NAMED_ROWS else ""
    return f"{'row' if len(rows) == 1 else 'rows'} {shown}{more}"


class _Bad:
    """What is wrong with the values of a column, by row."""

    def __init__(self, column: str) -> None:
        self.column = column
        self.rows: dict[str, list[int]] = {}

    def __call__(self, what: str, row: int) -> None:
        self.rows.setdefault(what, []).append(row)

    def refuse(self) -> None:
        if self.rows:
            found = "; ".join(f"{what} in {_rows(rows)}" for what, rows in self.rows.items())
            raise _refusal(f'column "{self.column}" has {found}')


def _from_pandas(data: pd.DataFrame | pd.Series[Any], points: bool) -> _pa.Table:
    import pandas as pd
    import pyarrow as pa

    frame = (
        data.to_frame("value" if data.name is None else data.name)
        if isinstance(data, pd.Series)
        else data
    )
    columns: list[tuple[str, pd.Series[Any]]] = []
    for level, name in enumerate(frame.index.names):
        if name is not None:
            columns.append((_name(name), frame.index.get_level_values(level).to_series()))
        elif frame.index.nlevels > 1:
            raise _refusal(f"level {level} of the index has no name: name it or reset the index")
    columns += [(_name(name), series) for name, series in frame.items()]
    names = [name for name, _ in columns]
    arrays: list[tuple[str, Any]] = []
    for name, series in columns:
        if not points:
            arrays.append((name, _array(name, series, _guessed)))
        elif name == "time" and names.count("time") == 1:
            arrays += _time(series, alone=not {"year", "datetime"} & set(names))
        elif name in _KNOWN:
            arrays.append((name, _array(name, series, _READERS.get(name, _texts))))
        else:
            # Refused by its name; what it holds does not matter.
            arrays.append((name, pa.nulls(len(series))))
    return pa.table([array for _, array in arrays], names=[name for name, _ in arrays])


def _from_polars(data: Any) -> Any:
    """With types for columns of only nulls, which the Arrow of polars and ours differ about."""
    import polars as pl

    untyped = [name for name, dtype in data.schema.items() if dtype == pl.Null]
    return data.with_columns(
        pl.col(name).cast(pl.String if name in _TEXT else pl.Float64) for name in untyped
    )


def _name(name: object) -> str:
    if isinstance(name, float) and name.is_integer():
        name = int(name)
    return str(name).encode(errors="backslashreplace").decode()


def _array(name: str, series: pd.Series[Any], read: Callable[[str, list[Any]], Any]) -> Any:
    import pandas as pd
    import pyarrow as pa

    if isinstance(series.dtype, pd.CategoricalDtype) and (
        (name not in _TEXT and read is not _guessed) or not _is_text(series.dtype.categories)
    ):
        series = series.astype(object)
    if series.dtype != object:
        try:
            # The values, not the series: pyarrow looks for an attribute of what it is given,
            # pandas looks for those of a series in Python code, and a Ctrl-C then is lost.
            return pa.array(_values(series), from_pandas=True)
        except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
            if not isinstance(series.dtype, pd.StringDtype | pd.CategoricalDtype):
                problem = f'column "{name}" ({series.dtype}) cannot be read: {error}'
                raise _refusal(problem) from error
    return read(name, series.astype(object).tolist())


def _guessed(name: str, values: list[Any]) -> Any:
    """Objects that are all of one kind; text is what they are taken for if they are not."""
    import pandas as pd
    import pyarrow as pa

    kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind not in ("integer", "floating", "mixed-integer-float", "boolean", "datetime"):
        return _texts(name, values)
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise _refusal(f'column "{name}" cannot be read: {error}') from error


def _values(series: pd.Series[Any]) -> Any:
    import numpy as np

    return series.to_numpy() if isinstance(series.dtype, np.dtype) else series.array


def _is_text(values: Any) -> bool:
    import pandas as pd

    return pd.api.types.infer_dtype(values) in ("string", "empty")


def _is_missing(value: Any) -> bool:
    import numpy as np
    import pandas as pd

    if value is None or value is pd.NA or value is pd.NaT:
        return True
    if isinstance(value, Decimal):
        return value.is_nan()
    if isinstance(value, np.datetime64):
        return bool(np.isnat(value))
    return isinstance(value, float | np.floating) and bool(value != value)


def _kind(value: object) -> str:
    return type(value).__name__


def _texts(name: str, values: list[Any]) -> Any:
    import pyarrow as pa

    bad = _Bad(name)
    texts: list[str | None] = []
    for row, value in enumerate(values):
        if isinstance(value, str):
            try:
                value.encode()
            except UnicodeEncodeError:
                bad("text that is not Unicode (lone surrogates)", row)
            texts.append(value)
        elif _is_missing(value):
            texts.append(None)
        else:
            bad(f"values that are not text ({_kind(value)})", row)
    bad.refuse()
    return pa.array(texts, pa.string())


def _whole(value: Any) -> int | None:
    """A whole number as such; ``None`` when it is something else."""
    import numpy as np

    if isinstance(value, bool | np.bool_):
        return None
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, float | np.floating) and value == value // 1:
        return int(value)
    return None


def _versions(name: str, values: list[Any]) -> Any:
    def text(value: Any) -> Any:
        whole = _whole(value)
        return value if whole is None else str(whole)

    return _texts(name, [text(value) for value in values])


def _years(name: str, values: list[Any]) -> Any:
    import pyarrow as pa

    bad = _Bad(name)
    years: list[int | None] = []
    for row, value in enumerate(values):
        year = None if _is_missing(value) else _whole(value)
        if year is None and not _is_missing(value):
            bad(f"values that are not whole years ({_kind(value)})", row)
        elif year is not None and year not in _INT64:
            bad("years that do not fit 64 bits", row)
        years.append(year)
    bad.refuse()
    return pa.array(years, pa.int64())


def _numbers(name: str, values: list[Any]) -> Any:
    import numpy as np
    import pyarrow as pa

    bad = _Bad(name)
    numbers: list[float | None] = []
    for row, value in enumerate(values):
        number: float | None = None
        if _is_missing(value):
            pass
        elif isinstance(value, bool | np.bool_) or not isinstance(
            value, Integral | float | np.floating | Decimal
        ):
            bad(f"values that are not numbers ({_kind(value)})", row)
        else:
            try:
                number = float(value)
                # A decimal is what its float prints as: 0.1 is exact in this sense.
                same = (
                    Decimal(repr(number)) == value
                    if isinstance(value, Decimal)
                    else number == value
                )
            except OverflowError:
                same = False
            if not same:
                bad("numbers that a 64-bit float cannot hold exactly", row)
        numbers.append(number)
    bad.refuse()
    return pa.array(numbers, pa.float64())


class _Moments:
    """Moments in microseconds since 1970, UTC: one by one, since each may be of another type."""

    def __init__(self, bad: _Bad) -> None:
        self.bad = bad
        self.naive: list[int] = []
        self.aware: dict[dt.tzinfo, list[int]] = {}
        self.offsets: dict[dt.timedelta, list[int]] = {}

    def read(self, value: Any, row: int) -> int | None:
        import numpy as np
        import pandas as pd

        if isinstance(value, pd.Timestamp):
            self._zone(value.tzinfo, value.utcoffset(), row)
            value = value.to_datetime64()
        elif isinstance(value, dt.datetime):
            self._zone(value.tzinfo, value.utcoffset(), row)
            return (value - (_EPOCH if value.tzinfo is None else _EPOCH_UTC)) // _MICROSECOND
        elif isinstance(value, dt.date):
            self._zone(None, None, row)
            return (dt.datetime(value.year, value.month, value.day) - _EPOCH) // _MICROSECOND
        elif isinstance(value, np.datetime64):
            self._zone(None, None, row)
        elif isinstance(value, str):
            self.bad("text: convert it with pandas.to_datetime", row)
            return None
        else:
            self.bad(f"values that are neither dates nor times ({_kind(value)})", row)
            return None
        micros = value.astype("datetime64[us]")
        if micros.astype(value.dtype) != value:
            self.bad("times that do not fit microseconds", row)
            return None
        return int(micros.astype("int64"))

    def _zone(self, zone: dt.tzinfo | None, offset: dt.timedelta | None, row: int) -> None:
        if zone is None or offset is None:
            self.naive.append(row)
        else:
            self.aware.setdefault(zone, []).append(row)
            self.offsets.setdefault(offset, []).append(row)

    def refuse(self) -> None:
        """All of a column must mean their clock in the same way."""
        if self.naive and self.aware:
            aware = sorted(row for rows in self.aware.values() for row in rows)
            raise _refusal(
                f'column "{self.bad.column}" mixes times with a zone (in {_rows(aware)}) and times '
                f"without (in {_rows(self.naive)})"
            )
        if len(self.aware) > 1 and len(self.offsets) > 1:
            found = "; ".join(f"{offset} in {_rows(rows)}" for offset, rows in self.offsets.items())
            raise _refusal(
                f'column "{self.bad.column}" has times of several UTC offsets ({found}): '
                "convert them with pandas.to_datetime(…, utc=True)"
            )


def _datetimes(name: str, values: list[Any]) -> Any:
    import pyarrow as pa

    bad = _Bad(name)
    moments = _Moments(bad)
    micros = [None if _is_missing(v) else moments.read(v, row) for row, v in enumerate(values)]
    bad.refuse()
    moments.refuse()
    return pa.array(micros, pa.timestamp("us"))


def _time(series: pd.Series[Any], *, alone: bool) -> list[tuple[str, Any]]:
    """The column ``time``: as it is if it has one type, otherwise as ``year`` and ``datetime``."""
    import pandas as pd
    import pyarrow as pa

    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(object)
    values = series.tolist() if series.dtype == object else []
    if not values or all(isinstance(value, str) or _is_missing(value) for value in values):
        return [("time", _array("time", series, _READERS.get("time", _texts)))]
    bad = _Bad("time")
    moments = _Moments(bad)
    years: list[int | None] = []
    micros: list[int | None] = []
    for row, value in enumerate(values):
        missing = _is_missing(value)
        year = None if missing else _whole(value)
        if year is not None and year not in _INT64:
            bad("years that do not fit 64 bits", row)
        years.append(year)
        micros.append(None if missing or year is not None else moments.read(value, row))
    bad.refuse()
    moments.refuse()
    year_column = pa.array(years, pa.int64())
    datetime_column = pa.array(micros, pa.timestamp("us"))
    if all(moment is None for moment in micros) or not alone:
        return [("time", year_column)]
    if all(year is None for year in years):
        return [("time", datetime_column)]
    return [("year", year_column), ("datetime", datetime_column)]


_READERS: Mapping[str, Callable[[str, list[Any]], Any]] = {
    "version": _versions,
    "value": _numbers,
    "year": _years,
    "datetime": _datetimes,
}
