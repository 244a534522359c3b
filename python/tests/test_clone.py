"""Cloning runs, also from many processes at once; deleting and bringing back."""

import pytest
from support import Database, finish, points, python, values

import stratalog


@pytest.fixture
def full(run: stratalog.Run) -> stratalog.Run:
    with run.transact("first"):
        run.iamc.add(points(("a", 2020, 1.0), ("b", 2030, 2.0)))
        run.meta = {"category": "C1"}
        run.optimization.indexsets.create("i", ["x"])
        run.optimization.variables.create("v", ["i"])
        solution = {"i": ["x"], "levels": [1.0], "marginals": [0.0]}
        run.optimization.variables.get("v").add_data(solution)
    return run


def test_a_clone_has_everything(platform: stratalog.Platform, full: stratalog.Run) -> None:
    assert full.cloned_from is None
    clone = full.clone()
    assert (clone.model, clone.scenario, clone.version) == ("model", "scenario", 2)
    assert clone.cloned_from == (full.id, full.log()["id"].max())
    assert values(clone.iamc.tabulate()) == values(full.iamc.tabulate())
    assert clone.meta == full.meta and clone.optimization.has_solution()
    assert platform.diff(full, clone).summary().empty
    other = full.clone("other", keep_solution=False)
    assert (other.model, other.scenario, other.version) == ("other", "scenario", 1)
    assert not other.optimization.has_solution()
    assert other.optimization.variables.get("v").columns == ["i"]
    with pytest.raises(stratalog.InvalidName):
        full.clone(scenario=" ")


def test_a_deleted_run_comes_back(platform: stratalog.Platform, full: stratalog.Run) -> None:
    platform.runs.delete(full)
    [gone] = platform.runs.deleted()
    assert gone.label == full.label and len(gone.iamc.tabulate()) == 0
    assert values(gone.as_of("first").iamc.tabulate()) == {("a", 2020): 1.0, ("b", 2030): 2.0}
    back = platform.runs.restore(gone)
    assert back.id == full.id and back.meta == {"category": "C1"}
    assert back.checkpoints.tabulate()["message"].tolist() == ["first", "restore the run"]
    assert platform.runs.deleted() == []
    with pytest.raises(stratalog.RunNotFound, match="deleted"):
        platform.runs.restore(back.id)


CLONE = """
import sys, stratalog
platform = stratalog.Platform(sys.argv[1])
run = platform.runs.get("model", "scenario", 1)
print("ready", flush=True)
sys.stdin.readline()
print(run.clone().version)
"""


def test_eight_processes_clone_one_run_into_eight_versions(
    database: Database, full: stratalog.Run
) -> None:
    processes = [python(CLONE, database.url) for _ in range(8)]
    outcomes = [finish(process, input="go\n") for process in processes]
    assert [code for code, _, _ in outcomes] == [0] * 8, outcomes
    versions = sorted(int(out.split()[-1]) for _, out, _ in outcomes)
    assert versions == list(range(2, 10))
    platform = database.open()
    for version in versions:
        clone = platform.runs.get("model", "scenario", version)
        assert values(clone.iamc.tabulate()) == values(full.iamc.tabulate())
    assert platform.verify().ok
