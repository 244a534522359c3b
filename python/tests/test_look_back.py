"""Views of earlier states, differences, reverting a part, undoing one transaction."""

import datetime as dt
import time

import pandas as pd
import pytest
from support import Database, free, nothing_written, points, values

import stratalog


@pytest.fixture
def history(run: stratalog.Run) -> stratalog.Run:
    """Two checkpoints: "first" with two points, "second" with one changed and one more."""
    with run.transact("first"):
        run.iamc.add(points(("a", 2020, 1.0), ("b", 2020, 2.0)))
    with run.transact("second"):
        run.iamc.add(points(("a", 2020, 1.5), ("c", 2020, 3.0)))
    return run


FIRST = {("a", 2020): 1.0, ("b", 2020): 2.0}
SECOND = {("a", 2020): 1.5, ("b", 2020): 2.0, ("c", 2020): 3.0}


def then(view: stratalog.RunView | stratalog.Checkpoint) -> dict[tuple[str, int], float]:
    return values(view.iamc.tabulate())


def test_a_state_is_named_in_many_ways(history: stratalog.Run) -> None:
    first = history.checkpoints["first"]
    for target in ("first", first, first.transaction_id, history.as_of("first")):
        view = history.as_of(target)
        assert view.transaction_id == first.transaction_id and view.run_id == history.id
        assert then(view) == FIRST
    assert then(first) == FIRST
    assert then(history.as_of(0)) == {}
    assert history.as_of("second").iamc.tabulate(variable="a")["value"].tolist() == [1.5]
    assert history.as_of("second").iamc.arrow().num_rows == 3
    for wrong in (None, 1.5, True, dt.date(2026, 1, 1)):
        with pytest.raises(TypeError):
            history.as_of(wrong)  # type: ignore[arg-type]


def test_a_time_means_the_last_transaction_until_then(run: stratalog.Run) -> None:
    assert run.as_of(dt.datetime.now(dt.UTC)).transaction_id == 0
    moments = []
    for number in range(3):
        with run.transact(f"{number}"):
            run.iamc.add(points(("a", 2020, float(number))))
        moments.append(dt.datetime.now(dt.UTC))
        time.sleep(0.01)
    for number, moment in enumerate(moments):
        expected = {("a", 2020): float(number)}
        there = moment.astimezone(dt.timezone(dt.timedelta(hours=5)))
        for given in (moment, there, moment.replace(tzinfo=None), pd.Timestamp(moment)):
            assert then(run.as_of(given)) == expected
    # To the moment: a transaction counts from when it was issued.
    log = run.log().sort_values("id")
    for _, row in log.iterrows():
        issued = row["issued_at"].to_pydatetime()
        assert run.as_of(issued).transaction_id == row["id"]
        assert run.as_of(issued - dt.timedelta(milliseconds=1)).transaction_id < row["id"]
    assert run.as_of(dt.datetime(2000, 1, 1)).transaction_id == 0
    assert then(run.as_of(dt.datetime(2200, 1, 1))) == {("a", 2020): 2.0}


def test_the_last_checkpoint_hides_an_unfinished_block(
    history: stratalog.Run, database: Database
) -> None:
    reader = database.open().runs.get_by_id(history.id)
    with history.transact("third"):
        history.iamc.add(points(("a", 2020, 9.0)))
        assert values(reader.iamc.tabulate())[("a", 2020)] == 9.0
        assert then(reader.as_of("checkpoint")) == SECOND
        history.checkpoints.create("half")
        assert then(reader.as_of("checkpoint"))[("a", 2020)] == 9.0
    with (
        pytest.raises(stratalog.InvalidName, match="last checkpoint"),
        history.transact("checkpoint"),
    ):
        raise AssertionError("not entered")
    assert free(database)


def test_a_run_without_checkpoints_has_no_last_one(run: stratalog.Run) -> None:
    with pytest.raises(stratalog.CheckpointNotFound, match="no checkpoint yet"):
        run.as_of("checkpoint")


def test_views_stay_as_they_are_and_cannot_be_written(
    history: stratalog.Run, database: Database
) -> None:
    view = history.as_of("second")
    with history.transact("later"):
        history.iamc.add(points(("a", 2020, 7.0)))
        with nothing_written(database, history):
            for write in (view.iamc.add, view.iamc.remove, history.checkpoints["first"].iamc.add):
                with pytest.raises(stratalog.ReadOnlyView, match="revert_to"):
                    write(points(("a", 2020, 8.0)))
    assert then(view) == SECOND


def test_differences_are_counted_summed_up_and_listed(history: stratalog.Run) -> None:
    diff = history.diff("first", "second")
    assert diff and len(diff) == 2
    assert diff.counts().values.tolist() == [["datapoints", 1, 1, 0]]
    summary = diff.summary()
    assert summary.columns.tolist() == [
        "table",
        "region",
        "variable",
        "inserted",
        "updated",
        "deleted",
    ]
    assert summary.values.tolist() == [
        ["datapoints", "World", "a", 0, 1, 0],
        ["datapoints", "World", "c", 1, 0, 0],
    ]
    frame = diff.tabulate()
    assert frame["operation"].tolist() == ["update", "insert"]
    assert frame["value_after"].tolist() == [1.5, 3.0]
    assert diff.arrow().num_rows == 2
    assert (diff.before, diff.after) == tuple(c.transaction_id for c in history.checkpoints)
    assert "1 inserted, 1 updated, 0 deleted" in repr(diff)
    same = history.diff("second")
    assert not same and len(same) == 0 and same.tabulate().empty and same.summary().empty
    assert "no difference" in repr(same)
    # What a checkpoint changed, against the one before it.
    first, second = history.checkpoints
    assert second.diff().counts().equals(diff.counts())
    assert second.iamc.difference().equals(frame)
    assert history.as_of("second").iamc.difference().equals(frame)
    assert first.iamc.difference()["operation"].tolist() == ["insert", "insert"]
    assert first.iamc.difference("second")["operation"].tolist() == ["update", "delete"]


def test_two_runs_are_compared(
    platform: stratalog.Platform, history: stratalog.Run, database: Database
) -> None:
    other = platform.runs.create("model", "scenario")
    with other.transact("other"):
        other.iamc.add(points(("a", 2020, 1.0), ("d", 2020, 4.0)))
    diff = platform.diff(history, other)
    frame = diff.tabulate().set_index("variable")
    assert frame["operation"].to_dict() == {
        "a": "update",
        "b": "delete",
        "c": "delete",
        "d": "insert",
    }
    assert diff.counts().values.tolist() == [["datapoints", 1, 1, 2]]
    back = platform.diff(other, history.as_of("first"))
    assert back.tabulate()["operation"].tolist() == ["insert", "delete"]
    assert not platform.diff(other, other)
    with pytest.raises(TypeError):
        platform.diff(history, "first")  # type: ignore[arg-type]
    elsewhere = stratalog.Platform("sqlite://:memory:")
    with pytest.raises(stratalog.InvalidFilter, match="one database"):
        platform.diff(history, elsewhere.runs.create("m", "s"))


def test_a_part_is_set_back(history: stratalog.Run, database: Database) -> None:
    with nothing_written(database, history):
        dry = history.revert_to("first", variable="a", dry_run=True)
    assert dry.tabulate()["variable"].tolist() == ["a"]
    assert dry.tabulate()["value_after"].tolist() == [1.0]
    counts = history.revert_to("first", variable="a")
    assert (counts.updated, counts.total) == (1, 1)
    assert values(history.iamc.tabulate()) == SECOND | {("a", 2020): 1.0}
    last = history.checkpoints.list()[-1]
    assert last.message == 'revert to "first" of variable a'
    assert history.revert_to("first", year=[2030]).total == 0
    with pytest.raises(stratalog.InvalidFilter):
        history.revert_to("first", year="2030")  # type: ignore[arg-type]
    # The whole, dry and then for real.
    assert len(history.revert_to("first", dry_run=True)) == 1
    history.revert_to("first")
    assert values(history.iamc.tabulate()) == FIRST
    assert database.open().verify().ok


def test_one_transaction_is_undone(history: stratalog.Run, database: Database) -> None:
    first, second = (c.transaction_id for c in history.checkpoints)
    with nothing_written(database, history):
        assert history.undo(second, dry_run=True).tabulate()["operation"].tolist() == [
            "update",
            "delete",
        ]
        # "a" was changed again by the second.
        for dry_run in (True, False):
            with pytest.raises(stratalog.UndoOverlaps, match="region World, variable a"):
                history.undo(first, dry_run=dry_run)  # type: ignore[call-overload]
    with history.transact("later"):
        history.iamc.add(points(("d", 2020, 4.0)))
        assert history.undo(second).total == 2
        assert values(history.iamc.tabulate()) == FIRST | {("d", 2020): 4.0}
    assert history.undo(second).total == 0
    assert values(history.iamc.tabulate()) == FIRST | {("d", 2020): 4.0}
    assert history.undo(first).deleted == 2
    assert values(history.iamc.tabulate()) == {("d", 2020): 4.0}
    with pytest.raises(stratalog.TransactionNotFound):
        history.undo(10**9)
    assert free(database) and database.open().verify().ok


def test_every_version_of_a_point_is_there(history: stratalog.Run) -> None:
    history.undo(history.checkpoints["second"].transaction_id)
    frame = history.iamc.history(variable="a")
    assert frame.columns.tolist() == [
        "region",
        "variable",
        "unit",
        "year",
        "value",
        "operation",
        "transaction_id",
        "issued_at",
        "actor",
        "what",
        "checkpoint",
    ]
    assert frame["value"].tolist() == [1.0, 1.5, 1.0]
    assert frame["operation"].tolist() == ["insert", "update", "update"]
    assert frame["checkpoint"].tolist()[:2] == ["first", "second"]
    assert str(frame["issued_at"].dtype) == "datetime64[us, UTC]"
    gone = history.iamc.history(variable="c")
    assert gone["operation"].tolist() == ["insert", "delete"] and gone["value"].isna()[1]
    assert history.iamc.history(variable="nothing").empty
    with pytest.raises(stratalog.InvalidFilter):
        history.iamc.history(colour="red")  # type: ignore[call-arg]


def test_the_log_is_filtered(history: stratalog.Run, database: Database) -> None:
    mark = dt.datetime.now(dt.UTC)
    time.sleep(0.01)
    anna = database.open("anna")
    hers = anna.runs.get_by_id(history.id)
    with hers.transact("hers"):
        hers.iamc.add(points(("a", 2020, 9.0)))
    assert history.log(actor="anna")["checkpoints"].tolist() == ["hers"]
    assert history.log(since=mark)["checkpoints"].tolist() == ["hers"]
    assert history.log(until=mark)["checkpoints"].tolist() == ["second", "first"]
    assert anna.log(since=mark.replace(tzinfo=None), actor="anna", limit=5).shape[0] == 1
    assert anna.log(actor="nobody").empty
    with pytest.raises(TypeError):
        history.log(since="yesterday")  # type: ignore[arg-type]
