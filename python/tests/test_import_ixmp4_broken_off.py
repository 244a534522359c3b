"""import-ixmp4 goes on where it was broken off, and ends as one that never was."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from ixmp4_sources import PROGRAM, Source, Sources, import_ixmp4, same, state
from support import Database, finish

import stratalog

KILLS = 20


def start(database: Database, source: Source) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [PROGRAM, "--db", database.url, "import-ixmp4", source.dsn],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def everything(platform: stratalog.Platform) -> dict[str, Any]:
    """All that there is, but for ids of transactions, of which a failed attempt may use some up."""
    log = platform.log(limit=None).iloc[::-1].drop(columns=["id", "run_id", "checkpoints"])
    runs = platform.runs.list(default_only=False)
    return {
        "log": log.to_csv(index=False),
        "runs": [
            [run.model, run.scenario, run.version, run.is_default, state(run)] for run in runs
        ],
        "checkpoints": [
            run.checkpoints.tabulate()[["message", "actor", "created_at"]].to_csv() for run in runs
        ],
        "states": [
            [state(run.as_of(checkpoint)) for checkpoint in run.checkpoints.list()] for run in runs
        ],
        "names": [
            [(name.name, name.docs) for name in kind.list()]
            for kind in (platform.regions, platform.units, platform.variables, platform.models)
        ],
    }


@pytest.fixture
def undisturbed(database: Database, source: Source, tmp_path: Path) -> Any:
    """What an import comes to that nobody broke off, and how long it took."""
    folder = tmp_path / "undisturbed"
    folder.mkdir()
    other = Database(database.engine, folder)
    began = time.monotonic()
    import_ixmp4(other, source)
    seconds = time.monotonic() - began
    outcome = everything(other.open())
    other.drop()
    return outcome, seconds


def kill_again_and_again(database: Database, source: Source, longest: float) -> int:
    """Kills imports within so many seconds, until one gets to the end.

    Returns how many had begun to write, and did not.
    """
    broken_off = 0
    for _ in range(KILLS):
        process = start(database, source)
        # Not much longer than it takes to begin: each gets a little further.
        time.sleep(longest * random.uniform(0.3, 1.0))
        process.send_signal(signal.SIGKILL)
        code, _, err = finish(process)
        assert code in (0, -signal.SIGKILL), err
        if database.engine == "sqlite" and not Path(database.url).exists():
            continue
        platform = database.open()
        assert platform.verify().ok
        del platform
        finished = database.plain(
            "SELECT count(*) FROM imported_runs WHERE finished_at IS NOT NULL"
        )
        if finished == len(source.expected["runs"]):
            break
        broken_off += database.plain("SELECT count(*) FROM transactions") > 0
    return broken_off


def test_killed_at_any_moment_it_goes_on(
    database: Database, source: Source, undisturbed: Any, tmp_path: Path
) -> None:
    outcome, seconds = undisturbed
    longest = 0.6 * seconds
    others = []
    while not (broken_off := kill_again_and_again(database, source, longest)):
        # So much faster than the undisturbed one was the first: sooner, on another database.
        longest /= 1.5
        assert longest > 0.05 * seconds
        folder = tmp_path / str(longest)
        folder.mkdir()
        database = Database(database.engine, folder)
        others.append(database)
    print("broken off", broken_off)
    out, _ = import_ixmp4(database, source)
    assert "both sides are the same" in out
    platform = database.open()
    same(everything(platform), outcome)
    assert platform.verify().ok
    assert platform.locks.tabulate().empty
    del platform
    for other in others:
        other.drop()


def test_ctrl_c_ends_it_and_it_goes_on(database: Database, sources: Sources) -> None:
    source = sources("sqlite", "small", "100000")
    process = start(database, source)
    platform = database.open()
    until = time.monotonic() + 60
    # In the middle of the first run.
    while not platform.runs.list(default_only=False):
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    code, _, err = finish(process)
    assert code == 130, err
    assert "the same command goes on" in err
    import_ixmp4(database, source)
    run = platform.runs.get("model", "scenario")
    assert len(run.iamc.tabulate()) == 100_000
    assert platform.verify().ok


def test_two_at_once_do_not_mix(database: Database, sources: Sources) -> None:
    source = sources("postgres", "small", "3")
    database.open()
    processes = [start(database, source) for _ in range(3)]
    ends = [finish(process) for process in processes]
    assert any(code == 0 for code, _, _ in ends), ends
    for code, _, err in ends:
        assert code in (0, 1, 4), err
        assert "Traceback" not in err
    out, _ = import_ixmp4(database, source)
    assert "both sides are the same" in out
    platform = database.open()
    for there in source.expected["runs"]:
        run = platform.runs.get(there["model"], there["scenario"], there["version"])
        same(state(run), there["state"])
        assert len(run.checkpoints) == len(there["checkpoints"])
    assert platform.verify().ok


def test_a_run_that_somebody_else_wrote_to_meanwhile_is_left_alone(
    database: Database, sources: Sources
) -> None:
    # Unfinished, as an import leaves it that was killed after the run's first step.
    source = sources("postgres", "small", "3")
    platform = database.open()
    platform.import_ixmp4(source.dsn)
    on = "" if database.engine == "sqlite" else " ON imported_runs"
    database.plain(
        f"DROP TRIGGER imported_runs_progress{on}",
        "UPDATE imported_runs SET finished_at = NULL, copied_until = 0 WHERE source_run = 1",
    )
    run = platform.runs.get("model", "scenario")
    with run.transact("mine"):
        run.meta["mine"] = 1
    with pytest.raises(stratalog.ImportRefused, match="somebody else has written"):
        platform.import_ixmp4(source.dsn)
    assert run.meta["mine"] == 1


def test_it_goes_on_the_way_it_was_begun(database: Database, sources: Sources) -> None:
    source = sources("postgres", "small", "3")
    platform = database.open()
    platform.import_ixmp4(source.dsn)
    on = "" if database.engine == "sqlite" else " ON imported_runs"
    unfinished = "UPDATE imported_runs SET finished_at = NULL, copied_until = {}"
    database.plain(f"DROP TRIGGER imported_runs_progress{on}", unfinished.format("copied_until"))
    with pytest.raises(stratalog.ImportRefused, match="go on without --no-history"):
        platform.import_ixmp4(source.dsn, history=False)
    assert platform.import_ixmp4(source.dsn).ok
    database.plain(unfinished.format("-1"))
    with pytest.raises(stratalog.ImportRefused, match="go on with --no-history"):
        platform.import_ixmp4(source.dsn)
    assert platform.import_ixmp4(source.dsn, history=False).ok
    assert platform.verify().ok
