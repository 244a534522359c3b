"""Checkpoints, the past, revert."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support import Database, nothing_written, points, values

import stratalog


def state(run: stratalog.Run) -> dict[Any, float]:
    return values(run.iamc.tabulate())


@pytest.fixture
def history(run: stratalog.Run) -> stratalog.Run:
    """A run with the checkpoints "one" {a: 1}, "two" {a: 2, b: 2}, "three" {b: 3}."""
    with run.transact("one"):
        run.iamc.add(points(("a", 2020, 1.0)))
    with run.transact("two"):
        run.iamc.add(points(("a", 2020, 2.0), ("b", 2020, 2.0)))
    with run.transact("three"):
        run.iamc.remove(points(("a", 2020, 0.0)))
        run.iamc.add(points(("b", 2020, 3.0)))
    return run


ONE = {("a", 2020): 1.0}
TWO = {("a", 2020): 2.0, ("b", 2020): 2.0}
THREE = {("b", 2020): 3.0}


def test_checkpoints_are_listed_and_found(history: stratalog.Run) -> None:
    checkpoints = history.checkpoints
    assert len(checkpoints) == 3
    assert [checkpoint.message for checkpoint in checkpoints] == ["one", "two", "three"]
    assert list(checkpoints) == checkpoints.list()
    two = checkpoints["two"]
    assert checkpoints.get("two") == checkpoints.get(two.id) == checkpoints[two.id] == two
    assert "two" in checkpoints and two.id in checkpoints and two in checkpoints
    assert "four" not in checkpoints and 999 not in checkpoints
    assert len({two, checkpoints["two"]}) == 1
    assert two.run_id == history.id
    assert datetime.now(UTC) - timedelta(minutes=5) < two.created_at <= datetime.now(UTC)
    assert repr(two).startswith(f"Checkpoint(id={two.id}, message='two', run_id={history.id}, ")
    table = checkpoints.tabulate()
    assert table.columns.tolist() == ["id", "message", "transaction_id", "actor", "created_at"]
    assert table["message"].tolist() == ["one", "two", "three"]
    assert table["transaction_id"].is_monotonic_increasing
    assert str(table["created_at"].dtype) == "datetime64[us, UTC]"
    assert table["created_at"][1] == two.created_at


def test_a_run_begins_without_any(run: stratalog.Run) -> None:
    assert len(run.checkpoints) == 0 and list(run.checkpoints) == []
    assert run.last_transaction == 0
    assert run.checkpoints.tabulate().columns.tolist()[0] == "id"
    with pytest.raises(stratalog.CheckpointNotFound, match="none yet"):
        run.checkpoints["one"]


def test_a_checkpoint_that_is_not_there_is_said_with_those_that_are(history: stratalog.Run) -> None:
    for key in ("won", 999):
        with pytest.raises(stratalog.CheckpointNotFound) as raised:
            history.checkpoints[key]
        for message in ("one", "two", "three"):
            assert f'"{message}"' in str(raised.value)
    with pytest.raises(TypeError):
        history.checkpoints[1.5]  # type: ignore[index]


def test_a_name_means_its_latest_checkpoint(run: stratalog.Run) -> None:
    for value in (1.0, 2.0):
        with run.transact("same"):
            run.iamc.add(points(("a", 2020, value)))
    with run.transact("other"):
        run.iamc.add(points(("a", 2020, 3.0)))
    assert run.checkpoints["same"] == run.checkpoints.list()[1]
    run.revert_to("same")
    assert state(run) == {("a", 2020): 2.0}


def test_the_past_can_be_looked_at(history: stratalog.Run) -> None:
    before = history.last_transaction
    for name, expected in (("one", ONE), ("two", TWO), ("three", THREE)):
        assert values(history.checkpoints[name].iamc.tabulate()) == expected
    assert values(history.checkpoints["two"].iamc.tabulate(variable="b")) == {("b", 2020): 2.0}
    assert history.checkpoints["two"].iamc.arrow().num_rows == 2
    assert history.last_transaction == before


def test_the_past_keeps_the_names_it_had(platform: stratalog.Platform, run: stratalog.Run) -> None:
    platform.regions.create("Africa")
    with run.transact("data"):
        run.iamc.add(points(("a", 2020, 1.0), region="Africa"))
    with run.transact("none"):
        run.iamc.remove(points(("a", 2020, 1.0), region="Africa"))
    platform.regions.delete("Africa")
    assert run.checkpoints["data"].iamc.tabulate()["region"].tolist() == ["Africa"]


@pytest.mark.parametrize("how", ["name", "checkpoint", "transaction", "method"])
def test_revert(history: stratalog.Run, platform: stratalog.Platform, how: str) -> None:
    for name, expected in (("one", ONE), ("three", THREE), ("two", TWO), ("one", ONE)):
        checkpoint = history.checkpoints[name]
        before = history.last_transaction
        counts = {
            "name": lambda: history.revert_to(name),  # noqa: B023
            "checkpoint": lambda: history.revert_to(checkpoint),  # noqa: B023
            "transaction": lambda: history.revert_to(checkpoint.transaction_id),  # noqa: B023
            "method": lambda: checkpoint.revert(),  # noqa: B023
        }[how]()
        assert state(history) == expected
        assert counts
        # One transaction, and a checkpoint that says what it did.
        assert len(history.log()[lambda log: log["id"] > before]) == 1  # noqa: B023
        last = history.checkpoints.list()[-1]
        assert last.message.startswith("revert to ")
        assert last.transaction_id == history.last_transaction
        assert not history.owns_lock
    assert platform.verify().ok


def test_reverting_to_nothing_and_back(history: stratalog.Run) -> None:
    last = history.last_transaction
    assert history.revert_to(0).deleted == 1
    assert state(history) == {}
    assert history.revert_to(last).inserted == 1
    assert state(history) == THREE


def test_reverting_to_the_present_changes_nothing(
    history: stratalog.Run, database: Database
) -> None:
    before = database.last_transaction()
    counts = history.revert_to("three")
    assert counts.total == 0 and not counts
    assert database.last_transaction() == before


def test_a_number_is_a_transaction_and_never_a_checkpoint(history: stratalog.Run) -> None:
    ids = set(history.log()["id"])
    checkpoint = next(c for c in history.checkpoints if c.id not in ids)
    with pytest.raises(stratalog.TransactionNotFound):
        history.revert_to(checkpoint.id)
    with pytest.raises(stratalog.TransactionNotFound):
        history.diff(checkpoint.id)
    for target in (True, 1.0, None, ["one"]):
        with pytest.raises(TypeError):
            history.revert_to(target)  # type: ignore[arg-type]


def test_another_runs_states_are_not_ones_own(
    platform: stratalog.Platform, history: stratalog.Run, database: Database
) -> None:
    other = platform.runs.create("model", "scenario")
    with other.transact("theirs"):
        other.iamc.add(points(("a", 2020, 1.0)))
    with nothing_written(database, history):
        for target in ("theirs", other.checkpoints["theirs"], other.last_transaction):
            with pytest.raises(stratalog.NotFound):
                history.revert_to(target)
    history.revert_to("one")
    assert state(other) == {("a", 2020): 1.0}


def test_revert_inside_a_block_works_under_its_lock(history: stratalog.Run) -> None:
    with history.transact("block"):
        assert history.revert_to("one").total == 2
        assert history.owns_lock
        assert state(history) == ONE
        history.iamc.add(points(("c", 2020, 9.0)))
        history.checkpoints["two"].revert()
        assert state(history) == TWO
    messages = [checkpoint.message for checkpoint in history.checkpoints]
    assert messages == ["one", "two", "three", "block"]


def test_a_revert_inside_a_block_that_fails_is_undone_too(history: stratalog.Run) -> None:
    with pytest.raises(ZeroDivisionError), history.transact("block"):
        history.revert_to("one")
        _ = 1 // 0
    assert state(history) == THREE


def test_reverting_a_run_that_somebody_holds_is_refused(
    history: stratalog.Run, database: Database
) -> None:
    other = database.open().runs.get_by_id(history.id)
    with other.transact("theirs"), nothing_written(database, history):
        with pytest.raises(stratalog.RunIsLocked, match="theirs"):
            history.revert_to("one")
        with pytest.raises(stratalog.RunIsLocked, match="waited"):
            history.checkpoints["one"].revert(timeout=0.2)
        # What is not there is said at once.
        with pytest.raises(stratalog.CheckpointNotFound):
            history.revert_to("won", timeout=60)


def test_a_revert_that_needs_what_was_deleted_names_it(
    platform: stratalog.Platform, run: stratalog.Run, database: Database
) -> None:
    platform.regions.create("Africa")
    with run.transact("data"):
        run.iamc.add(points(("a", 2020, 1.0), region="Africa"))
    with run.transact("none"):
        run.iamc.remove(points(("a", 2020, 1.0), region="Africa"))
    platform.regions.delete("Africa")
    with (
        nothing_written(database, run),
        pytest.raises(stratalog.RevertNeedsMissing, match="Africa"),
    ):
        run.revert_to("data")
    platform.regions.create("Africa")
    run.revert_to("data")
    assert len(run.iamc.tabulate(region="Africa")) == 1


def test_checkpoints_in_a_block_survive_its_failure(run: stratalog.Run) -> None:
    with pytest.raises(ZeroDivisionError), run.transact("block"):
        run.iamc.add(points(("a", 2020, 1.0)))
        made = run.checkpoints.create("kept")
        assert made.transaction_id == run.last_transaction
        run.iamc.add(points(("b", 2020, 1.0)))
        _ = 1 // 0
    assert [checkpoint.message for checkpoint in run.checkpoints] == ["kept"]
    assert state(run) == {("a", 2020): 1.0}


def test_runs_do_not_touch_each_other(platform: stratalog.Platform) -> None:
    one, two = platform.runs.create("m", "s"), platform.runs.create("m", "s")
    with one.transact("one"), two.transact("two"):
        one.iamc.add(points(("a", 2020, 1.0)))
        two.iamc.add(points(("a", 2020, 2.0)))
        one.checkpoints.create("half")
        one.iamc.add(points(("a", 2020, 3.0)))
        two.iamc.add(points(("b", 2020, 4.0)))
    one.revert_to("half")
    assert state(one) == {("a", 2020): 1.0}
    assert state(two) == {("a", 2020): 2.0, ("b", 2020): 4.0}
    assert platform.verify().ok
