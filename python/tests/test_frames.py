"""Tables in: every library and type that is taken, and everything that is refused."""

import datetime as dt
import decimal
import fractions
from collections.abc import Callable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from support import ENGINES, Database, nothing_written, values

import stratalog

Decimal = decimal.Decimal
Build = Callable[[], Any]

COLUMNS: dict[str, list[Any]] = {
    "region": ["World", "World", "World"],
    "variable": ["a", "a", "b"],
    "unit": ["EJ/yr", "EJ/yr", "EJ/yr"],
    "year": [2020, 2030, 2020],
    "value": [1.0, 2.5, 3.0],
}
EXPECTED = {("a", 2020): 1.0, ("a", 2030): 2.5, ("b", 2020): 3.0}


def table(**columns: Any) -> dict[str, Any]:
    """The columns above, some of them replaced; ``None`` leaves one out."""
    return {name: column for name, column in (COLUMNS | columns).items() if column is not None}


def frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame(table(**columns))


def objects(**columns: Any) -> pd.DataFrame:
    """With the given columns as columns of Python objects."""
    made = {
        name: pd.Series(column, dtype=object)
        for name, column in columns.items()
        if column is not None
    }
    return frame(**(columns | made))


def moments(values: Any, name: str = "datetime") -> pd.DataFrame:
    """Three points by their time, of Python objects."""
    return objects(**{"year": None, name: values})


class Exporter:
    """Speaks Arrow and is nothing else."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)


class ArrayExporter:
    """Speaks Arrow by its other protocol."""

    def __init__(self, table: pa.Table) -> None:
        self.batch = table.combine_chunks().to_batches()[0]

    def __arrow_c_array__(self, requested_schema: object = None) -> Any:
        return self.batch.__arrow_c_array__(requested_schema)


def chunks() -> Iterator[pa.RecordBatch]:
    """Batches, as they come when they are asked for."""
    for row in range(3):
        yield pa.RecordBatch.from_pydict(
            {name: column[row : row + 1] for name, column in COLUMNS.items()}
        )


def dictionaries() -> pa.Table:
    """Chunks with dictionaries of their own."""
    return pa.concat_tables(
        pa.table(
            {
                name: pa.array(column[row : row + 1]).dictionary_encode()
                if isinstance(column[0], str)
                else column[row : row + 1]
                for name, column in COLUMNS.items()
            }
        )
        for row in range(3)
    )


def sliced() -> pa.Table:
    padded = {name: [column[0], *column, column[0]] for name, column in COLUMNS.items()}
    return pa.table(padded).slice(1, 3)


@pytest.fixture(scope="module", params=ENGINES)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """One database for the many tests that each have a run of their own in it."""
    database = Database(request.param, tmp_path_factory.mktemp("shared"))
    platform = database.open()
    platform.regions.create("World")
    platform.units.create("EJ/yr")
    yield database
    database.drop()


TAKEN: dict[str, Build] = {
    "pandas": frame,
    "pandas, filtered": lambda: pd.concat([frame(), frame(value=[9.0, 9.0, 9.0])]).iloc[:3],
    "pandas, rows in another order": lambda: frame().sample(frac=1, random_state=1),
    "pandas, columns in another order": lambda: frame()[
        ["value", "year", "unit", "variable", "region"]
    ],
    "pandas, one index column": lambda: frame().set_index("region"),
    "pandas, MultiIndex": lambda: frame().set_index(["region", "variable", "unit", "year"]),
    "pandas, year as the index": lambda: frame().set_index("year"),
    "pandas, a series": lambda: frame().set_index(["region", "variable", "unit", "year"])["value"],
    "pandas, a series without a name": lambda: (
        frame().set_index(["region", "variable", "unit", "year"])["value"].rename(None)
    ),
    "pandas, categoricals": lambda: frame().astype(
        {"region": "category", "variable": "category", "unit": "category"}
    ),
    "pandas, categorical years": lambda: frame().astype({"year": "category", "value": "category"}),
    "pandas, categoricals of objects": lambda: objects(variable=["a", "a", "b"]).astype(
        {"variable": "category"}
    ),
    "pandas, a categorical index": lambda: (
        frame().astype({"region": "category"}).set_index("region")
    ),
    "pandas, nullable types": lambda: frame().convert_dtypes(),
    "pandas, Int64 and Float64": lambda: frame().astype({"year": "Int64", "value": "Float64"}),
    "pandas, Arrow types": lambda: frame().convert_dtypes(dtype_backend="pyarrow"),
    "pandas, string[pyarrow]": lambda: frame().astype(
        {"region": "string[pyarrow]", "variable": "string[pyarrow]"}
    ),
    "pandas, string[python]": lambda: frame().astype({"region": "string[python]"}),
    "pandas, objects": lambda: frame().astype(object),
    "pandas, small types": lambda: frame().astype({"year": "int16", "value": "float32"}),
    "pandas, uint64": lambda: frame().astype({"year": "uint64"}),
    "pandas, years as floats": lambda: frame(year=[2020.0, 2030.0, 2020.0]),
    "pandas, years as whole objects": lambda: objects(year=[2020, 2030.0, np.int16(2020)]),
    "pandas, numbers of all kinds": lambda: objects(value=[1, Decimal("2.5"), np.float32(3.0)]),
    "pandas, with the time as years": lambda: frame().rename(columns={"year": "time"}),
    "pandas, with the time as objects": lambda: objects(year=None, time=[2020, 2030, 2020]),
    "pandas, with the time as text": lambda: frame(year=None, time=["2020", "2030", "2020"]),
    "pandas, empty subannual": lambda: frame(subannual=[None, None, None]),
    "pandas, subannual of whole years": lambda: frame(subannual=["Year", "", None]),
    "pandas, with the run": lambda: frame(model="model", scenario=pd.Categorical(["scenario"] * 3)),
    "pandas, numpy text": lambda: objects(variable=[np.str_("a"), "a", "b"]),
    "pandas, read-only": lambda: pd.DataFrame(
        {k: np.array(v) for k, v in COLUMNS.items()}, copy=False
    ),
    "polars": lambda: pl.DataFrame(COLUMNS),
    "polars, categoricals": lambda: pl.DataFrame(COLUMNS).cast({"region": pl.Categorical}),
    "polars, enums": lambda: pl.DataFrame(COLUMNS).cast({"variable": pl.Enum(["b", "a"])}),
    "polars, in chunks": lambda: pl.concat(
        [pl.DataFrame(COLUMNS)[row] for row in range(3)], rechunk=False
    ),
    "polars, small types": lambda: pl.DataFrame(COLUMNS).cast(
        {"year": pl.Int16, "value": pl.Float32}
    ),
    "pyarrow": lambda: pa.table(COLUMNS),
    "pyarrow, a batch": lambda: pa.RecordBatch.from_pydict(COLUMNS),
    "pyarrow, a reader": lambda: pa.table(COLUMNS).to_reader(1),
    "pyarrow, a lazy reader": lambda: pa.RecordBatchReader.from_batches(
        pa.table(COLUMNS).schema, chunks()
    ),
    "pyarrow, dictionaries in chunks": dictionaries,
    "pyarrow, sliced": sliced,
    "pyarrow, from pandas with its row labels": lambda: pa.Table.from_pandas(
        pd.concat([frame(value=[9.0, 9.0, 9.0]), frame()]).iloc[3:]
    ),
    "pyarrow, large strings and views": lambda: pa.table(COLUMNS).cast(
        pa.schema(
            [
                ("region", pa.large_string()),
                ("variable", pa.string_view()),
                ("unit", pa.string()),
                ("year", pa.int32()),
                ("value", pa.decimal128(10, 2)),
            ]
        )
    ),
    "duckdb, a relation": lambda: duckdb.from_arrow(pa.table(COLUMNS)).filter("value > 0"),
    "duckdb, a query of pandas": lambda: duckdb.from_df(objects(unit=COLUMNS["unit"])).project("*"),
    "a dict": table,
    "a dict with scalars": lambda: table(region="World", unit="EJ/yr"),
    "whatever has a stream": lambda: Exporter(pa.table(COLUMNS)),
    "whatever has an array": lambda: ArrayExporter(pa.table(COLUMNS)),
}


@pytest.mark.parametrize("build", TAKEN.values(), ids=TAKEN)
def test_is_taken(shared: Database, build: Build) -> None:
    run = shared.open().runs.create("model", "scenario")
    with run.transact("data"):
        assert run.iamc.add(build()).inserted == 3
        assert run.iamc.add(build()).total == 0
        run.checkpoints.create("added")
        assert values(run.iamc.tabulate()) == EXPECTED
        assert run.iamc.remove(build()).deleted == 3


def test_the_callers_table_is_left_as_it_was(run: stratalog.Run) -> None:
    mine = (
        objects(year=None, time=[2020, dt.datetime(2030, 1, 1), None]).iloc[:2].set_index("region")
    )
    before = mine.copy()
    with run.transact("data"):
        run.iamc.add(mine)
    pd.testing.assert_frame_equal(mine, before)


UTC = dt.UTC
VIENNA = ZoneInfo("Europe/Vienna")
NOON = [dt.datetime(2020, 1, day, 12) for day in (1, 2, 3)]

MOMENTS: dict[str, tuple[Build, list[int]]] = {
    "datetime64[ns]": (
        lambda: frame(year=None, datetime=np.array(NOON, "datetime64[ns]")),
        [12] * 3,
    ),
    "datetime64[s]": (lambda: frame(year=None, datetime=np.array(NOON, "datetime64[s]")), [12] * 3),
    "a zone": (
        lambda: frame(year=None, datetime=pd.to_datetime(NOON).tz_localize("Europe/Vienna")),
        [11] * 3,
    ),
    "objects": (lambda: moments(NOON), [12] * 3),
    "objects of several classes": (
        lambda: moments([NOON[0], pd.Timestamp(NOON[1]), np.datetime64(NOON[2], "s")]),
        [12] * 3,
    ),
    "dates": (lambda: moments([at.date() for at in NOON]), [0] * 3),
    "dates and datetimes": (lambda: moments([NOON[0].date(), *NOON[1:]]), [0, 12, 12]),
    "aware objects": (lambda: moments([at.replace(tzinfo=VIENNA) for at in NOON]), [11] * 3),
    "one offset, two classes": (
        lambda: moments(
            [
                NOON[0].replace(tzinfo=dt.timezone(dt.timedelta(hours=1))),
                *(pd.Timestamp(at, tz="Africa/Lagos") for at in NOON[1:]),
            ]
        ),
        [11] * 3,
    ),
    "one zone over the change of the clocks": (
        lambda: moments(
            [dt.datetime(2020, month, 1, 12, tzinfo=VIENNA) for month in (1, 2, 7)],
        ),
        [11, 11, 10],
    ),
    "time": (lambda: frame(year=None, time=np.array(NOON, "datetime64[us]")), [12] * 3),
    "time as objects": (lambda: moments(NOON, "time"), [12] * 3),
    "time as text": (lambda: frame(year=None, time=[str(at) for at in NOON]), [12] * 3),
    "polars": (lambda: pl.DataFrame(table(year=None, datetime=NOON)), [12] * 3),
    "polars with a zone": (
        lambda: pl.DataFrame(table(year=None, datetime=NOON)).with_columns(
            pl.col("datetime").dt.replace_time_zone("Europe/Vienna")
        ),
        [11] * 3,
    ),
    "a year far away": (
        lambda: frame(year=None, datetime=np.array(["0001", "3000", "9999"], "datetime64[s]")),
        [0] * 3,
    ),
    "objects far away": (
        lambda: moments([dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31), np.datetime64("3000")]),
        [0] * 3,
    ),
    "the ends of the calendar": (
        lambda: moments(
            [
                dt.datetime(1, 1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1))),
                dt.datetime(1, 1, 2, 1, tzinfo=dt.timezone(dt.timedelta(hours=1))),
                dt.datetime(9999, 12, 31, 1, tzinfo=dt.timezone(dt.timedelta(hours=1))),
            ]
        ),
        [0] * 3,
    ),
}


@pytest.mark.parametrize(("build", "hours"), MOMENTS.values(), ids=MOMENTS)
def test_moments_are_taken(shared: Database, build: Build, hours: list[int]) -> None:
    run = shared.open().runs.create("model", "scenario")
    with run.transact("data"):
        assert run.iamc.add(build()).inserted == 3
        assert run.iamc.add(build()).total == 0
    found = run.iamc.tabulate().sort_values("value")["datetime"]
    assert str(found.dtype) == "datetime64[us]"
    assert found.dt.hour.tolist() == hours


@pytest.mark.parametrize(
    "version", [1, 1.0, "1", pd.array([1, 1, 1], "Int8"), [1, "1", 1.0], [np.int8(1)] * 3]
)
def test_the_version_may_be_there_in_any_type(run: stratalog.Run, version: Any) -> None:
    with run.transact("data"):
        assert run.iamc.add(frame(version=version)).inserted == 3
        with pytest.raises(stratalog.InvalidFrame, match=r"names another run.*row 2"):
            run.iamc.add(objects(version=[1, 1.0, 2]))


def test_a_mix_of_years_and_moments(run: stratalog.Run) -> None:
    mixed = objects(
        region=["World"] * 4,
        variable=["a"] * 4,
        unit=["EJ/yr"] * 4,
        value=[1.0, 2.0, 3.0, 4.0],
        year=None,
        time=[2020, dt.datetime(2020, 1, 1, 12), np.int64(2030), pd.Timestamp("2020-01-02")],
    )
    with run.transact("data"):
        assert run.iamc.add(mixed).inserted == 4
        assert run.iamc.add(mixed.astype({"time": "category"})).total == 0
    found = run.iamc.tabulate().sort_values("value")
    assert found["year"].tolist() == [2020, pd.NA, 2030, pd.NA]
    assert found["datetime"].isna().tolist() == [True, False, True, False]
    with run.transact("text"):
        text = mixed.assign(time=["2020", "2020-01-01 12:00", "2030", "2020-01-02T00:00:00"])
        assert run.iamc.add(text).total == 0


EXTREME = pa.table(table(year=None)).append_column(
    "year", pa.array([2020, 2030, 2**63], pa.uint64())
)

REFUSED: dict[str, tuple[Build, list[str]]] = {
    # What is no table.
    "nothing": (lambda: None, ["NoneType is not a table"]),
    "a list": (lambda: [1, 2], ["list is not a table"]),
    "text": (lambda: "World", ["'World' is not a table"]),
    "a numpy array": (lambda: np.zeros((2, 2)), ["ndarray is not a table"]),
    "a polars plan": (lambda: pl.DataFrame(COLUMNS).lazy(), ["table"]),
    "a pyarrow array": (lambda: pa.array([1, 2]), ["not a table"]),
    "a dict of unequal lists": (lambda: table(year=[2020]), ["dict is not a table", "same length"]),
    "a reader that fails": (
        lambda: pa.RecordBatchReader.from_batches(
            pa.table(COLUMNS).schema, (pa.RecordBatch.from_pydict({"x": [n]}) for n in range(2))
        ),
        ["unknown columns: x"],
    ),
    "a reader that raises": (
        lambda: pa.RecordBatchReader.from_batches(pa.table(COLUMNS).schema, (1 // 0 for _ in "x")),
        ["reading it failed", "division"],
    ),
    # Columns.
    "no columns": (lambda: pd.DataFrame(), ["missing columns: region, variable, unit, value"]),
    "a missing column": (lambda: frame(unit=None), ["missing columns: unit"]),
    "a missing time": (lambda: frame(year=None), ["no time column"]),
    "unknown columns": (
        lambda: frame(colour="red", shape="round"),
        ["unknown columns: colour, shape"],
    ),
    "unknown columns of any objects": (
        lambda: frame(colour=[object(), 1, "x"]),
        ["unknown columns: colour"],
    ),
    "an unknown index": (lambda: frame().rename_axis("row"), ["unknown columns: row"]),
    "an index level without a name": (
        lambda: frame().set_index(["region", pd.Index([1, 2, 3])]),
        ["level 1 of the index has no name"],
    ),
    "an index beside a column": (
        lambda: frame().set_index("year", drop=False),
        ["year is there twice"],
    ),
    "a column twice": (
        lambda: pd.concat([frame(), frame()[["value"]]], axis=1),
        ["value is there twice"],
    ),
    "letter case": (lambda: frame().rename(columns={"region": "Region"}), ["Region", "lower case"]),
    "years as columns": (
        lambda: frame(year=None, value=None, **{"2020": 1.0, "2030": 2.0}),
        ["2020, 2030", "wide format"],
    ),
    "years as integer columns": (
        lambda: frame(year=None, value=None).assign(**{"2020": 1.0}).rename(columns={"2020": 2020}),
        ["2020", "wide format"],
    ),
    "years as float columns": (
        lambda: (
            frame(year=None, value=None).assign(**{"2020": 1.0}).rename(columns={"2020": 2020.0})
        ),
        ["2020", "wide format"],
    ),
    "levels of columns": (
        lambda: frame().T.set_index(pd.MultiIndex.from_product([COLUMNS, [1]])).T,
        ["unknown columns", "('region', 1)"],
    ),
    "a column name that is no text": (
        lambda: frame().set_axis(pd.Index([*list(COLUMNS)[:4], "\ud800"], dtype=object), axis=1),
        ["\\ud800"],
    ),
    "time beside year": (lambda: frame(time=[1, 2, 3]), ["time column beside year"]),
    "mixed time beside year": (
        lambda: objects(time=[2020, dt.datetime(2020, 1, 1), 2030]),
        ["time column beside year"],
    ),
    # Names.
    "an unknown region": (
        lambda: frame(region=["World", "Wrold", "Mars"]),
        ["Wrold", "Mars", "platform.regions.create"],
    ),
    "an unknown unit": (lambda: frame(unit="GW"), ["GW", "platform.units.create"]),
    "missing names": (lambda: frame(variable=["a", None, "b"]), ["variable", "missing", "row 1"]),
    "missing names of categoricals": (
        lambda: frame(variable=pd.Categorical(["a", None, "b"])),
        ["variable", "missing", "row 1"],
    ),
    "missing names of polars": (
        lambda: pl.DataFrame(table(unit=[None, "EJ/yr", None])),
        ["unit", "missing", "rows 0, 2"],
    ),
    "numbers as names": (lambda: frame(variable=[1, 2, 3]), ["variable", "must hold text"]),
    "numbers among names": (
        lambda: objects(variable=["a", 5, 6.0]),
        ['"variable"', "(int) in row 1", "(float) in row 2"],
    ),
    "bytes among names": (
        lambda: objects(region=["World", b"World", "World"]),
        ["region", "bytes", "row 1"],
    ),
    "categoricals of numbers": (
        lambda: frame(variable=pd.Categorical([1, 2, 1])),
        ["variable", "row"],
    ),
    "categoricals of a mix": (
        lambda: frame(variable=pd.Categorical(["a", 2, "a"])),
        ["variable", "int", "row 1"],
    ),
    "a lone surrogate": (
        lambda: objects(variable=["a", "\ud800", "b"]),
        ['"variable"', "surrogates", "row 1"],
    ),
    "a lone surrogate in a categorical": (
        lambda: frame(
            variable=pd.Categorical.from_codes(
                [0, 1, 2], pd.Index(["a", "\ud800", "b"], dtype=object)
            )
        ),
        ['"variable"', "surrogates", "row 1"],
    ),
    "a lone surrogate in string[python]": (
        lambda: frame(variable=pd.array(["a", "\ud800", "b"], pd.StringDtype("python"))),
        ['"variable"', "surrogates", "row 1"],
    ),
    "a NUL in a name": (lambda: frame(variable=["a", "a\0b", "b"]), ["variable", "NUL", "row 1"]),
    "a NUL in a new name": (
        lambda: pl.DataFrame(table(variable=["a", "a\0b", "b"])),
        ["NUL", "row 1"],
    ),
    "a blank name": (lambda: frame(variable=["a", " a", "b"]), ["blank"]),
    "an empty name": (lambda: frame(variable=["a", "", "b"]), ["empty"]),
    "text that is not UTF-8": (
        lambda: pa.table(table(variable=None)).append_column(
            "variable", pa.array([b"a", b"\xff", b"b"]).view(pa.string())
        ),
        ["not valid Arrow data"],
    ),
    "subannual of numbers": (lambda: frame(subannual=[1, 2, 3]), ["subannual", "text"]),
    "subannual of a mix": (lambda: objects(subannual=["Winter", 2, "x"]), ["subannual", "row 1"]),
    "subannual beside a moment": (
        lambda: moments(NOON).assign(subannual="Winter"),
        ["more than one time", "rows 0, 1, 2"],
    ),
    # Keys.
    "a point twice": (lambda: frame(variable="a"), ["more than once", "rows 0, 2", '"a"']),
    "a point twice by categoricals": (
        lambda: frame(variable=pd.Categorical(["a", "a", "a"])),
        ["more than once", "rows 0, 2"],
    ),
    "a moment twice in two zones": (
        lambda: frame(
            year=None,
            variable="a",
            datetime=pd.to_datetime(["2020-01-01T12:00Z"] * 3).tz_convert("Europe/Vienna"),
        ),
        ["more than once", "rows 0, 1, 2"],
    ),
    # Values.
    "NaN": (lambda: frame(value=[1.0, np.nan, 3.0]), ["value", "NaN", "row 1"]),
    "NaN of polars": (
        lambda: pl.DataFrame(table(value=[1.0, float("nan"), 3.0])),
        ["NaN", "row 1"],
    ),
    "null": (lambda: pl.DataFrame(table(value=[1.0, None, None])), ["missing", "rows 1, 2"]),
    "pandas.NA": (lambda: frame(value=pd.array([1, None, 3], "Int64")), ["missing", "row 1"]),
    "None among objects": (
        lambda: objects(value=[1.0, None, Decimal("NaN")]),
        ["missing", "rows 1, 2"],
    ),
    "infinity": (lambda: frame(value=[1.0, np.inf, -np.inf]), ["infinity", "rows 1, 2"]),
    "infinity of Decimal": (
        lambda: objects(value=[1.0, Decimal("Infinity"), 3]),
        ["infinity", "row 1"],
    ),
    "text as values": (lambda: frame(value=["1", "2", "3"]), ["value", "must hold numbers"]),
    "text among values": (lambda: objects(value=[1.0, "2", 3]), ['"value"', "(str) in row 1"]),
    "bool as values": (lambda: frame(value=[True, False, True]), ["value", "numbers", "Boolean"]),
    "bool among values": (
        lambda: objects(value=[1.0, True, np.False_]),
        ["(bool) in rows 1, 2"],
    ),
    "complex values": (lambda: frame(value=[1j, 2, 3]), ["value", "complex"]),
    "fractions": (lambda: objects(value=[1.0, fractions.Fraction(1, 3), 2]), ["Fraction", "row 1"]),
    "durations as values": (
        lambda: frame(value=pd.to_timedelta([1, 2, 3], "h")),
        ["value", "numbers"],
    ),
    "objects as values": (
        lambda: objects(value=[object(), [], {}]),
        ["value", "row 0", "row 1", "row 2"],
    ),
    "integers beyond float64": (
        lambda: frame(value=[1, 2**53 + 1, 3]),
        ["value", "exactly", "row 1"],
    ),
    "uint64 beyond float64": (
        lambda: frame(value=np.array([1, 2**64 - 1, 3], "uint64")),
        ["value", "exactly", "row 1"],
    ),
    "integers of any size": (
        lambda: objects(value=[1, 2**70 + 1, 10**400]),
        ["exactly", "rows 1, 2"],
    ),
    "decimals that are not floats": (
        lambda: objects(
            value=[Decimal("0.1"), Decimal("0.12345678901234567890"), Decimal("1e400")]
        ),
        ["value", "exactly", "rows 1, 2"],
    ),
    "a long double": (
        lambda: objects(value=[1.0, np.longdouble(1) + np.finfo(np.longdouble).eps, 2.0]),
        ["exactly", "row 1"],
    ),
    # Years.
    "missing years": (lambda: frame(year=[2020, None, 2030]), ["no time", "row 1"]),
    "missing years among objects": (
        lambda: objects(year=[2020, None, pd.NA]),
        ["no time", "rows 1, 2"],
    ),
    "years with fractions": (lambda: frame(year=[2020.5, 2030, 2040]), ["whole", "row 0"]),
    "years with fractions among objects": (
        lambda: objects(year=[2020, 2020.5, 2030]),
        ["whole", "row 1"],
    ),
    "text as years": (lambda: frame(year=["2020", "2030", "2040"]), ["year", "whole years"]),
    "text among years": (lambda: objects(year=[2020, "2030", 2040]), ['"year"', "(str) in row 1"]),
    "bool among years": (lambda: objects(year=[2020, True, 2040]), ['"year"', "(bool) in row 1"]),
    "moments as years": (
        lambda: frame(year=np.array(NOON, "datetime64[us]")),
        ["year", "whole years"],
    ),
    "moments among years": (lambda: objects(year=[2020, NOON[0], 2030]), ["(datetime) in row 1"]),
    "periods as years": (
        lambda: frame(year=pd.period_range("2020", periods=3, freq="Y")),
        ['"year"', "pandas.period"],
    ),
    "uint64 beyond int64": (
        lambda: frame(year=np.array([2020, 2**63, 2030], "uint64")),
        ['"year"', "do not fit", "row 1"],
    ),
    "uint64 beyond int64 of pyarrow": (lambda: EXTREME, ['"year"', "do not fit", "row 2"]),
    "uint64 beyond int64 of polars": (
        lambda: pl.from_arrow(EXTREME),
        ['"year"', "do not fit", "row 2"],
    ),
    "integers beyond int64": (
        lambda: objects(year=[2020, 2**63, -(2**70)]),
        ["64 bits", "rows 1, 2"],
    ),
    "float years beyond all bounds": (
        lambda: frame(year=[2020, 1e300, np.inf]),
        ["year", "rows 1, 2"],
    ),
    # Moments.
    "missing moments": (
        lambda: frame(year=None, datetime=pd.to_datetime([*NOON[:2], None])),
        ["no time", "row 2"],
    ),
    "missing moments among objects": (
        lambda: moments([NOON[0], None, pd.NaT]),
        ["no time", "rows 1, 2"],
    ),
    "text as moments": (
        lambda: frame(year=None, datetime=[str(at) for at in NOON]),
        ["datetime", "pandas.to_datetime"],
    ),
    "text among moments": (lambda: moments([NOON[0], "2020-01-02", NOON[2]]), ["text", "row 1"]),
    "numbers as moments": (
        lambda: frame(year=None, datetime=[1, 2, 3]),
        ["datetime", "dates and times"],
    ),
    "numbers among moments": (lambda: moments([NOON[0], 2020, NOON[2]]), ["(int) in row 1"]),
    "clock times": (lambda: moments([NOON[0], dt.time(12), NOON[2]]), ["(time) in row 1"]),
    "durations": (lambda: frame(year=None, datetime=pd.to_timedelta([1, 2, 3], "h")), ["datetime"]),
    "periods as moments": (
        lambda: frame(year=None, datetime=pd.period_range("2020", periods=3, freq="h")),
        ['"datetime"', "pandas.period"],
    ),
    "nanoseconds": (
        lambda: frame(year=None, datetime=np.array(NOON, "datetime64[ns]") + np.array([0, 1, 999])),
        ["nanoseconds", "rows 1, 2"],
    ),
    "nanoseconds among objects": (
        lambda: moments(
            [NOON[0], pd.Timestamp("2020-01-01T00:00:00.000000001"), np.datetime64(7, "ns")]
        ),
        ["microseconds", "rows 1, 2"],
    ),
    "times beyond 64 bits": (
        lambda: frame(year=None, datetime=np.array([0, 2**60, 3], "datetime64[s]")),
        ["datetime", "do not fit", "row 1"],
    ),
    "times beyond 64 bits among objects": (
        lambda: moments([NOON[0], np.datetime64(2**60, "s"), NOON[2]]),
        ["microseconds", "row 1"],
    ),
    "naive and aware times": (
        lambda: moments([NOON[0], NOON[1].replace(tzinfo=UTC), pd.Timestamp(NOON[2], tz="UTC")]),
        ['"datetime"', "with a zone (in rows 1, 2)", "without (in row 0)"],
    ),
    "several offsets": (
        lambda: moments(
            [
                pd.Timestamp("2020-01-01T00:00+01:00"),
                pd.Timestamp("2020-01-01T00:00+02:00"),
                pd.Timestamp("2020-01-02T00:00+02:00"),
            ]
        ),
        ['"datetime"', "several UTC offsets", "1:00:00 in row 0", "2:00:00 in rows 1, 2"],
    ),
    "several zones": (
        lambda: moments(
            [NOON[0].replace(tzinfo=UTC), *(at.replace(tzinfo=VIENNA) for at in NOON[1:])]
        ),
        ["several UTC offsets"],
    ),
    "naive and aware times in a mix": (
        lambda: moments([2020, NOON[1].replace(tzinfo=UTC), NOON[2]], "time"),
        ['"time"', "with a zone (in row 1)", "without (in row 2)"],
    ),
    "several offsets in a mix": (
        lambda: moments(
            [2020, pd.Timestamp("2020-01-01T00+01:00"), pd.Timestamp("2020-01-01T00+02:00")], "time"
        ),
        ['"time"', "several UTC offsets"],
    ),
    "missing times in a mix": (
        lambda: moments([2020, NOON[0], None], "time"),
        ["no time", "row 2"],
    ),
    "anything in a mix": (
        lambda: moments([2020, NOON[0], object()], "time"),
        ['"time"', "(object) in row 2"],
    ),
    "text in a mix": (
        lambda: moments([2020, NOON[0], "2030"], "time"),
        ['"time"', "text", "row 2"],
    ),
    "big years in a mix": (
        lambda: moments([2**70, NOON[0], 2030], "time"),
        ['"time"', "64 bits", "row 0"],
    ),
    "text that is no time": (
        lambda: frame(year=None, time=["2020", "soon", "2030"]),
        ['"time"', "row 1"],
    ),
    "zones in text": (
        lambda: frame(year=None, time=["2020-01-01T00:00:00+01:00", "2020-01-01T00:00", "2030"]),
        ['"time"', "zone", "row 1"],
    ),
    "periods as time": (
        lambda: frame(year=None, time=pd.period_range("2020", periods=3, freq="Y")),
        ['"time"', "pandas.period"],
    ),
    # The run.
    "another run": (
        lambda: frame(scenario=["scenario", "x", "scenario"]),
        ["scenario", "another run", "row 1"],
    ),
    "a version of any object": (lambda: objects(version=[1, object(), 1]), ["version", "row 1"]),
}


@pytest.mark.parametrize(("build", "messages"), REFUSED.values(), ids=REFUSED)
def test_is_refused_and_nothing_written(
    shared: Database, build: Build, messages: list[str]
) -> None:
    run = shared.open().runs.create("model", "scenario")
    with run.transact("data"):
        run.iamc.add(frame(variable=["x", "y", "z"]))
        with nothing_written(shared, run):
            with pytest.raises(stratalog.InvalidInput) as raised:
                run.iamc.add(build())
            for message in messages:
                assert message in str(raised.value)
        # What was refused did not end the block.
        assert run.iamc.add(frame()).inserted == 3


def test_refusals_are_value_errors_that_say_nothing_was_written(run: stratalog.Run) -> None:
    with run.transact("data"):
        with pytest.raises(ValueError, match="nothing was written") as raised:
            run.iamc.add(frame(unit=None))
        assert type(raised.value) is stratalog.InvalidFrame
        with pytest.raises(ValueError, match="nothing was written") as raised:
            run.iamc.add(frame(unit="GW"))
        assert type(raised.value) is stratalog.UnknownNames
        with pytest.raises(
            stratalog.InvalidFrame, match="rows 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 90 more"
        ):
            run.iamc.add(pd.DataFrame(table(**{name: 100 * [None] for name in COLUMNS})))


@pytest.mark.parametrize("build", [frame, pl.DataFrame, pa.table, dict])
def test_tables_without_rows_change_nothing(
    database: Database, run: stratalog.Run, build: Callable[..., Any]
) -> None:
    empty: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    with run.transact("data"), nothing_written(database, run):
        made = build(**empty) if build is frame else build(empty)
        assert run.iamc.add(made).total == 0
        assert run.iamc.remove(made).total == 0


def test_an_interrupted_reader_is_no_refusal(run: stratalog.Run) -> None:
    class Interrupting:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), run.transact("data"):
        run.iamc.add(Interrupting())
    assert not run.owns_lock
