"""Compaction, redaction, and what the log says of reverts."""

import datetime as dt
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from support import Database, nothing_written, points, values

import stratalog

PROGRAM = str(Path(sys.executable).with_name("stratalog"))


@pytest.fixture
def history(run: stratalog.Run) -> stratalog.Run:
    """Checkpoints "1" to "5", each after two transactions, of which the second has its number."""
    for number in range(1, 6):
        with run.transact(str(number)):
            run.iamc.add(points(("a", 2020, number - 0.5), ("b", 2020, 0.0)))
            run.iamc.add(points(("a", 2020, float(number))))
    return run


def then(run: stratalog.Run, target: str | int) -> float:
    return values(run.as_of(target).iamc.tabulate())["a", 2020]


def test_checkpoints_stay(platform: stratalog.Platform, history: stratalog.Run) -> None:
    between = history.checkpoints["3"].transaction_id - 1
    dry = platform.compact(keep="checkpoints", dry_run=True)
    assert (dry.rows_before, dry.rows_after) == (11, 6)
    assert then(history, between) == 2.5
    report = platform.compact(keep="checkpoints", run=history)
    assert (report.rows_before, report.rows_after, report.locked) == (11, 6, [])
    assert report.bytes_before > 0 and report.bytes_after > 0
    assert report.tabulate()["run_id"].tolist() == [history.id]
    assert "rows_after=6" in repr(report)
    assert [then(history, str(number)) for number in range(1, 6)] == [1.0, 2.0, 3.0, 4.0, 5.0]
    with pytest.raises(stratalog.StateCompacted, match=r"is gone: .* keeping the checkpoints"):
        history.as_of(between)
    with pytest.raises(stratalog.NotFound):
        history.revert_to(between)
    assert platform.verify()


def test_other_policies(
    platform: stratalog.Platform, history: stratalog.Run, capfd: pytest.CaptureFixture[str]
) -> None:
    platform.compact(last=3, progress=True)
    assert "version rows" in capfd.readouterr().err
    assert then(history, "3") == 3.0
    with pytest.raises(stratalog.StateCompacted):
        history.as_of("2")
    platform.compact(before=dt.datetime.now(dt.UTC))
    assert then(history, "5") == 5.0
    with pytest.raises(stratalog.StateCompacted):
        history.as_of("4")
    for wrong in ({}, {"keep": "checkpoints", "last": 1}, {"keep": "all"}, {"last": 0}):
        with pytest.raises(stratalog.InvalidFilter):
            platform.compact(**wrong)  # type: ignore[arg-type]
    assert platform.verify()


def test_a_locked_run_is_passed_over(platform: stratalog.Platform, history: stratalog.Run) -> None:
    with history.transact("busy"):
        report = platform.compact(last=1)
        assert report.locked == [history.id] and report.tabulate().empty
    assert then(history, "1") == 1.0


def test_redacted_values_are_gone(
    platform: stratalog.Platform, history: stratalog.Run, database: Database
) -> None:
    third = history.checkpoints["3"].transaction_id
    with nothing_written(database, history):
        assert history.redact("why", third, dry_run=True) == 1
        with pytest.raises(stratalog.InvalidFilter):
            history.redact("why")
        with pytest.raises(stratalog.InvalidFilter):
            history.redact("", variable="a")
    assert history.redact("why", third, variable="a") == 1
    assert history.redact("why", third) == 0
    assert math.isnan(then(history, "3")) and then(history, "2") == 2.0
    redactions = platform.redactions()
    assert redactions[["run_id", "actor", "reason", "rows"]].values.tolist() == [
        [history.id, platform.actor, "why", 1]
    ]
    report = platform.verify()
    assert report and report.redactions().equals(redactions)
    assert "redacted: 1 values of run" in repr(report)
    with (
        nothing_written(database, history),
        pytest.raises(stratalog.RevertNeedsRedacted, match="variable a"),
    ):
        history.revert_to("3")
    assert history.iamc.history(variable="a")["value"].isna().sum() == 1


def test_the_log_says_what_came_back(platform: stratalog.Platform, history: stratalog.Run) -> None:
    first = history.checkpoints["1"].transaction_id
    history.revert_to("1")
    log = history.log()
    assert log["reverted"].iloc[0] == "revert" and log["reverted"].iloc[1:].isna().all()
    assert log["target_id"].iloc[0] == first
    history.undo(int(log["id"].iloc[0]))
    assert history.log(limit=1)[["reverted", "target_id"]].values.tolist() == [
        ["undo", log["id"].iloc[0]]
    ]


def test_the_commands(
    platform: stratalog.Platform, history: stratalog.Run, database: Database
) -> None:
    def command(*arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [PROGRAM, "--db", database.url, *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, (done.stdout, done.stderr)
        return done.stdout if code == 0 else done.stderr

    third = history.checkpoints["3"].transaction_id
    dry = command("compact", "--checkpoints", "--dry-run")
    assert "would go" in dry and history.log(limit=1)["id"].item() == history.last_transaction
    report = json.loads(command("compact", str(history.id), "--checkpoints", "--json"))
    assert report["runs"][0]["rows_before"] - report["runs"][0]["rows_after"] == 5
    assert command("compact", "--checkpoints") == "nothing to remove\n"
    assert "one of" in command("compact", code=2) or "required" in command("compact", code=2)
    gone = command("diff", str(history.id), f"@{third - 1}", code=1)
    assert "is gone" in gone and "keeping the checkpoints" in gone
    selected = ("redact", str(history.id), "--transaction", f"@{third}", "--reason", "typo")
    assert "1 past value of" in command(*selected, "--dry-run")
    assert "redacted (redaction " in command(*selected)
    assert "nothing to redact" in command(*selected)
    verified = command("verify")
    assert "OK" in verified and "redacted: 1 past value of run" in verified and "typo" in verified
    history.revert_to("2")
    assert f"(@{history.checkpoints['2'].transaction_id})" in command("log", "--limit", "1")
