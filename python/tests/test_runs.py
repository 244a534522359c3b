"""Runs: versions, defaults, deleting."""

import pytest
from support import Database, finish, points, python

import stratalog


def test_versions_count_from_one(platform: stratalog.Platform) -> None:
    runs = [platform.runs.create("m", "s") for _ in range(3)]
    assert [run.version for run in runs] == [1, 2, 3]
    assert platform.runs.create("m", "another").version == 1
    assert (runs[1].model, runs[1].scenario, runs[1].label) == ("m", "s", "m / s, version 2")
    assert repr(runs[1]) == f"Run(id={runs[1].id}, model='m', scenario='s', version=2)"


def test_runs_are_found(platform: stratalog.Platform) -> None:
    first, second = platform.runs.create("m", "s"), platform.runs.create("m", "s")
    assert platform.runs.get("m", "s", 2) == second != first
    assert platform.runs.get("m", "s", version=1) == first
    assert platform.runs.get_by_id(second.id) == second
    assert len({first, platform.runs.get_by_id(first.id)}) == 1
    with pytest.raises(stratalog.RunNotFound, match="version 3"):
        platform.runs.get("m", "s", 3)
    with pytest.raises(stratalog.RunNotFound):
        platform.runs.get("m", "elsewhere")
    with pytest.raises(stratalog.RunNotFound):
        platform.runs.get_by_id(999)


def test_the_default_version(platform: stratalog.Platform) -> None:
    first, second = platform.runs.create("m", "s"), platform.runs.create("m", "s")
    with pytest.raises(stratalog.NoDefaultVersion, match="1, 2") as raised:
        platform.runs.get("m", "s")
    assert isinstance(raised.value, stratalog.NotFound)
    first.set_as_default()
    assert platform.runs.get("m", "s") == first
    second.set_as_default()
    assert platform.runs.get("m", "s") == second
    assert (first.is_default, second.is_default) == (False, True)
    second.unset_as_default()
    with pytest.raises(stratalog.NoDefaultVersion):
        platform.runs.get("m", "s")
    assert not second.is_default


def test_runs_are_listed(platform: stratalog.Platform) -> None:
    for model, scenario in [("m", "s"), ("m", "t"), ("n", "s")]:
        platform.runs.create(model, scenario)
    platform.runs.get("m", "t", 1).set_as_default()
    runs = platform.runs
    assert [run.id for run in runs.list()] == [1, 2, 3]
    assert [run.id for run in runs.list("m")] == [1, 2]
    assert [run.id for run in runs.list(scenario="s")] == [1, 3]
    assert [run.id for run in runs.list(default_only=True)] == [2]
    table = runs.tabulate(model="m")
    assert table.values.tolist() == [[1, "m", "s", 1, False], [2, "m", "t", 1, True]]
    assert table.columns.tolist() == ["id", "model", "scenario", "version", "is_default"]
    empty = runs.tabulate(model="nobody's")
    assert empty.empty
    assert empty.dtypes.equals(table.dtypes)


@pytest.mark.parametrize("by_id", [False, True])
def test_a_deleted_run_is_gone_but_logged(
    platform: stratalog.Platform, run: stratalog.Run, by_id: bool
) -> None:
    with run.transact("data"):
        run.iamc.add(points(("a", 2020, 1.0)))
    platform.runs.delete(run.id if by_id else run)
    assert platform.runs.list() == []
    with pytest.raises(stratalog.RunNotFound):
        platform.runs.delete(run)
    with pytest.raises(stratalog.RunNotFound):
        assert run.is_default
    with pytest.raises(stratalog.RunNotFound), run.transact("more"):
        pass
    assert platform.log(limit=1)["operation"].tolist() == ["runs.delete"]
    assert platform.runs.create("model", "scenario").version == 2
    assert platform.verify().ok


def test_a_locked_run_is_not_deleted(platform: stratalog.Platform, run: stratalog.Run) -> None:
    with run.transact("mine"), pytest.raises(stratalog.RunIsLocked):
        platform.runs.delete(run)
    with pytest.raises(TypeError):
        platform.runs.delete("1")  # type: ignore[arg-type]


def test_eight_processes_that_create_the_same_run_get_eight_versions(database: Database) -> None:
    code = """
import sys, stratalog
platform = stratalog.Platform(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(platform.runs.create("m", "s").version)
"""
    platform = database.open()
    processes = [python(code, database.url) for _ in range(8)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:  # all are waiting: now at once
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    finished = [finish(process) for process in processes]
    assert [code for code, _, _ in finished] == [0] * 8, finished
    assert sorted(int(out) for _, out, _ in finished) == list(range(1, 9))
    assert len(platform.runs.list("m", "s")) == 8
    assert platform.verify().ok
