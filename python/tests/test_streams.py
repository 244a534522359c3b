"""Streams in and out: more than fits into memory."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv
from support import Database, nothing_written

import stratalog


def points(years: range, value: float = 1.0, variable: str = "Primary Energy") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "region": "World",
            "variable": variable,
            "unit": "EJ/yr",
            "year": list(years),
            "value": [value * year for year in years],
        }
    )


BATCHES = [points(range(begin, begin + 10)) for begin in (2030, 2010, 2020)]
ALL = sorted((year, float(year)) for year in range(2010, 2040))


def arrow(batch: pd.DataFrame) -> pa.RecordBatch:
    return pa.RecordBatch.from_pandas(batch)


def parquet(folder: Path) -> Path:
    path = folder / "points.parquet"
    # A named index and row groups of an odd size.
    whole = pd.concat(BATCHES).set_index("region")
    pq.write_table(pa.Table.from_pandas(whole), path, row_group_size=7)
    return path


def csv_file(folder: Path) -> Path:
    path = folder / "points.CSV"
    csv.write_csv(pa.table(pd.concat(BATCHES)), path)
    return path


def of_pandas(folder: Path) -> Iterator[pd.DataFrame]:
    yield from BATCHES


def of_many(folder: Path) -> Iterator[Any]:
    yield BATCHES[0]
    yield pl.DataFrame(BATCHES[1])
    yield BATCHES[2].to_dict("list")


def reader(folder: Path) -> pa.RecordBatchReader:
    batches = [arrow(batch) for batch in BATCHES]
    return pa.RecordBatchReader.from_batches(batches[0].schema, batches)


STREAMS: list[Callable[[Path], Any]] = [
    reader,
    of_pandas,
    of_many,
    parquet,
    csv_file,
    lambda folder: str(parquet(folder)),
]


def held(run: stratalog.Run) -> list[tuple[int, float]]:
    table = run.iamc.tabulate()
    return sorted(zip(table["year"].tolist(), table["value"].tolist(), strict=True))


@pytest.mark.parametrize("stream", STREAMS)
def test_is_added_whole_in_one_transaction(
    run: stratalog.Run, stream: Callable[[Path], Any], tmp_path: Path, platform: stratalog.Platform
) -> None:
    with run.transact("all"):
        counts = run.iamc.add(stream(tmp_path))
    assert (counts.inserted, counts.updated) == (30, 0)
    assert held(run) == ALL
    assert len(run.log()) == 1
    with run.transact("again"):
        assert run.iamc.add(stream(tmp_path)).total == 0
    with run.transact("other"):
        counts = run.iamc.add(iter([points(range(2015, 2025), 2.0), points(range(2039, 2042))]))
    assert (counts.inserted, counts.updated) == (2, 10)
    assert platform.verify()


@pytest.mark.parametrize("stream", STREAMS)
def test_is_removed_whole_in_one_transaction(
    run: stratalog.Run, stream: Callable[[Path], Any], tmp_path: Path, platform: stratalog.Platform
) -> None:
    with run.transact("all"):
        run.iamc.add(iter([*BATCHES, points(range(2040, 2045))]))
    with run.transact("gone"):
        counts = run.iamc.remove(stream(tmp_path))
    assert (counts.inserted, counts.updated, counts.deleted) == (0, 0, 30)
    assert held(run) == [(year, float(year)) for year in range(2040, 2045)]
    assert len(run.log()) == 2
    with run.transact("again"):
        assert run.iamc.remove(stream(tmp_path)).total == 0
    assert platform.verify()


def test_may_be_removed_in_several_transactions(
    run: stratalog.Run, capfd: pytest.CaptureFixture[str]
) -> None:
    with run.transact("all"):
        run.iamc.add(iter(BATCHES))
    told: list[int] = []
    keys = [batch.drop(columns="value") for batch in BATCHES]
    with run.transact("gone"):
        counts = run.iamc.remove(iter(keys), progress=told.append, batches_per_transaction=2)
    assert counts.deleted == told[-1] == 30
    assert len(run.log()) == 3
    run.revert_to("all")
    with run.transact("bar"):
        run.iamc.remove(iter(keys), "yearly", True)
    assert "removing: 30 rows (0 inserted, 0 updated, 30 deleted" in capfd.readouterr().err
    with run.transact("none"), pytest.raises(stratalog.InvalidInput, match="1 or more"):
        run.iamc.remove(iter(keys), batches_per_transaction=0)


@pytest.mark.parametrize(
    ("batch", "error", "message"),
    [
        (points(range(2019, 2020)), stratalog.InvalidFrame, "more than once.*2019.*2 times"),
        (points(range(2050, 2051), variable="X"), stratalog.UnknownNames, "unknown variables.*X"),
        (5, stratalog.InvalidFrame, "int is not a table"),
    ],
)
def test_is_not_removed_in_part(
    run: stratalog.Run, batch: object, error: type[Exception], message: str, database: Database
) -> None:
    database.watcher = database.open()
    with run.transact("all"):
        run.iamc.add(iter(BATCHES))
    lock = run.lock("nothing")
    with nothing_written(database, run), pytest.raises(error, match=message):
        run.iamc.remove(iter([*BATCHES, batch]))
    lock.rollback()


def test_may_be_written_in_several_transactions(run: stratalog.Run) -> None:
    with run.transact("all"):
        run.iamc.add(iter(BATCHES), batches_per_transaction=2)
    assert held(run) == ALL
    assert len(run.log()) == 2
    with run.transact("none"), pytest.raises(stratalog.InvalidInput, match="1 or more"):
        run.iamc.add(iter(BATCHES), batches_per_transaction=0)
    bad = points(range(2050, 2060)).assign(value=float("nan"))
    with pytest.raises(stratalog.InvalidFrame), run.transact("rolled back"):
        run.iamc.add(iter([points(range(2050, 2060)), bad]), batches_per_transaction=1)
    assert held(run) == ALL


OTHER = points(range(1990, 1995), variable="Other")

REFUSED: dict[str, tuple[Callable[[], Iterator[Any]], type[Exception], str]] = {
    "a bad value": (
        lambda: iter([BATCHES[0], BATCHES[1].assign(value=[1.0] * 9 + [float("nan")])]),
        stratalog.InvalidFrame,
        r"missing values \(NaN or null\) in row 9, counted in batch 1, which begins at row 10",
    ),
    "a key in two batches": (
        lambda: iter([*BATCHES, points(range(2019, 2020))]),
        stratalog.InvalidFrame,
        "more than once, in different batches: region World, variable Primary E.*2019.*2 times",
    ),
    "a key in two batches, that changes nothing": (
        lambda: iter([OTHER, points(range(1993, 1994), variable="Other"), *BATCHES]),
        stratalog.InvalidFrame,
        "more than once, in different batches: region World, variable Other.*1993.*2 times",
    ),
    "unknown names of all batches": (
        lambda: iter([batch.assign(region=f"R{n}") for n, batch in enumerate(BATCHES)]),
        stratalog.UnknownNames,
        "R0.*R1.*R2",
    ),
    "something else": (lambda: iter([BATCHES[0], 5]), stratalog.InvalidFrame, "int is not a table"),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_is_refused_as_a_whole(run: stratalog.Run, name: str, database: Database) -> None:
    database.watcher = database.open()
    stream, error, message = REFUSED[name]
    with run.transact("before"):
        run.iamc.add(OTHER)
    lock = run.lock("after")
    with nothing_written(database, run), pytest.raises(error, match=message):
        run.iamc.add(stream())
    lock.rollback()


def test_without_batches_is_nothing(run: stratalog.Run) -> None:
    with run.transact("nothing"):
        assert run.iamc.add(iter([])).total == 0
    assert run.log().empty


def test_what_its_maker_raises_is_raised(run: stratalog.Run, database: Database) -> None:
    database.watcher = database.open()

    class Mine(Exception):
        pass

    def broken() -> Iterator[pd.DataFrame]:
        yield BATCHES[0]
        raise Mine("the source is gone")

    lock = run.lock("nothing")
    with nothing_written(database, run), pytest.raises(Mine, match="the source is gone"):
        run.iamc.add(broken())
    lock.rollback()


def test_no_transaction_is_open_while_it_is_made(
    run: stratalog.Run, platform: stratalog.Platform
) -> None:
    def slow() -> Iterator[pd.DataFrame]:
        for number, batch in enumerate(BATCHES):
            # On SQLite it would wait for the writer for ever.
            platform.regions.create(f"Region {number}")
            yield batch

    with run.transact("all"):
        run.iamc.add(slow())
    assert held(run) == ALL


def test_files_that_are_none_are_refused(run: stratalog.Run, tmp_path: Path) -> None:
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and no more")
    text = tmp_path / "text.csv"
    text.write_text("region,variable,unit,year,value\nWorld,a,EJ/yr,2020,much\n")
    with run.transact("nothing"):
        for path in (broken, text, tmp_path / "missing.csv"):
            with pytest.raises(stratalog.InvalidFrame, match=path.name):
                run.iamc.add(path)
        with pytest.raises(stratalog.InvalidFrame, match=r"nor the path of a \.parquet"):
            run.iamc.add("points.xlsx")


def test_progress_is_told_to_a_function(
    run: stratalog.Run, database: Database, capfd: pytest.CaptureFixture[str]
) -> None:
    database.watcher = database.open()
    told: list[int] = []
    with run.transact("all"):
        run.iamc.add(iter(BATCHES), progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 30

    def stop(rows: int) -> None:
        raise RuntimeError(f"enough at {rows}")

    lock = run.lock("nothing")
    with nothing_written(database, run), pytest.raises(RuntimeError, match="enough at"):
        run.iamc.add(points(range(2050, 2060)), progress=stop)
    lock.rollback()
    capfd.readouterr()
    with run.transact("bar"):
        run.iamc.add(iter([points(range(2050, 2060))]), progress=True)
    assert "adding: 10 rows (10 inserted" in capfd.readouterr().err
    with run.transact("nothing"), pytest.raises(TypeError):
        run.iamc.add(points(range(2050, 2060)), progress="yes")  # type: ignore[arg-type]


def test_comes_out_for_whatever_reads_arrow(run: stratalog.Run) -> None:
    with run.transact("all"):
        run.iamc.add(iter(BATCHES))
    reader = run.iamc.batches(size=8)
    assert reader.schema == run.iamc.arrow().schema
    assert pa.types.is_dictionary(reader.schema.field("region").type)
    assert [batch.num_rows for batch in reader] == [8, 8, 8, 6]
    stream = run.iamc.batches(size=8, year=list(range(2010, 2030)))
    assert pl.DataFrame(stream)["value"].sum() == sum(range(2010, 2030))
    stream = run.iamc.batches(size=8)
    found = duckdb.sql("SELECT region, count(*), sum(value) FROM stream GROUP BY region").fetchall()
    assert found == [("World", 30, float(sum(range(2010, 2040))))]
    frame = run.iamc.polars(year=2015)
    assert frame.select("region", "year", "value").rows() == [("World", 2015, 2015.0)]
    assert frame.schema["region"] == pl.Categorical
    before = run.as_of("all")
    with run.transact("other"):
        run.iamc.remove(points(range(2010, 2030)))
    assert before.iamc.polars().height == sum(b.num_rows for b in before.iamc.batches(7)) == 30
    assert run.iamc.polars().height == 10
    with pytest.raises(stratalog.InvalidInput, match="1 or more"):
        run.iamc.batches(size=0)
    assert list(run.iamc.batches(year=1900)) == []


def test_comes_out_as_it_was_when_it_was_asked_for(
    run: stratalog.Run, platform: stratalog.Platform
) -> None:
    with run.transact("all"):
        run.iamc.add(iter(BATCHES))
    whole = run.iamc.arrow()
    reader = run.iamc.batches(size=7)
    first = reader.read_next_batch()
    with run.transact("other"):
        run.iamc.add(points(range(2000, 2020), 5.0))
        run.iamc.remove(points(range(2025, 2030)))
    platform.regions.create("Elsewhere")
    batches = [first, *reader]
    assert pa.Table.from_batches(batches) == whole
    # Names are the same dictionary in all of them, so a file takes them.
    for batch in batches:
        assert batch.column("variable").dictionary == first.column("variable").dictionary
    assert run.iamc.tabulate()["value"].sum() != whole["value"].to_pandas().sum()


def test_a_stream_is_let_go_of_anywhere(run: stratalog.Run, database: Database) -> None:
    """Destructors of pyarrow detach from the interpreter, here in a call that is attached to it."""
    with run.transact("all"):
        run.iamc.add(iter(BATCHES))
    last_of_its_platform = [database.open().runs.get_by_id(run.id).iamc.batches(size=7)]
    with run.transact("other"):
        run.iamc.add(
            points(range(2000, 2020), 5.0), progress=lambda _: last_of_its_platform.clear()
        )
    assert not last_of_its_platform


def test_what_fails_while_it_is_read_is_said(run: stratalog.Run, database: Database) -> None:
    with run.transact("all"):
        run.iamc.add(iter(BATCHES))
    reader = run.iamc.batches(size=7)
    reader.read_next_batch()
    with run.transact("other"):
        run.iamc.remove(points(range(2025, 2030)))
    database.open().compact(last=1)
    with pytest.raises((OSError, pa.ArrowException), match="compacted"):
        reader.read_next_batch()


def test_one_stream_goes_into_another_run(run: stratalog.Run, platform: stratalog.Platform) -> None:
    with run.transact("all"):
        run.iamc.add(iter(BATCHES))
    other = platform.runs.create("model", "copy")
    with other.transact("copied"):
        other.iamc.add(run.iamc.batches(size=4))
    assert held(other) == ALL


# 1.2 and 3 million points go in: beyond a million they wait in a file. They come out in another
# process.
MEASURED = """
import resource, sys
import numpy as np, pandas as pd
import stratalog

platform = stratalog.Platform(sys.argv[1])

def batches(count):
    for number in range(count):
        yield pd.DataFrame({"region": "World", "variable": f"Variable {number:04}", "unit": "EJ/yr",
                            "year": np.arange(20_000), "value": np.arange(20_000) + 0.5})

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

if sys.argv[2] == "in":
    platform.regions.create("World"); platform.units.create("EJ/yr")
    run = platform.runs.create("model", "scenario")
    with run.transact("warm"):
        run.iamc.add(batches(60))
    first = peak()
    other = platform.runs.create("model", "scenario")
    with other.transact("more"):
        assert other.iamc.add(batches(150)).inserted == 3_000_000
else:
    def read(reader):
        return sum(batch.num_rows for batch in reader)

    few, many = (platform.runs.get("model", "scenario", version=n) for n in (1, 2))
    assert read(few.iamc.batches(variable="Variable 000*")) == 200_000
    first = peak()
    assert read(many.iamc.batches()) == 3_000_000
    assert read(many.as_of("more").iamc.batches(size=10_000, variable="Variable 01*")) == 1_000_000
print(first, peak())
"""


@pytest.mark.long
def test_needs_no_more_memory_for_more_points(database: Database) -> None:
    for direction, most in (("in", 100), ("out", 30)):
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, database.url, direction],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        first, second = map(int, done.stdout.split())
        assert second < first + most, f"{direction}: {first} MB, then {second} MB"
