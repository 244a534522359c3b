"""Hash chains: heads out and in, and the commands."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support import Database, points

import stratalog

PROGRAM = str(Path(sys.executable).with_name("stratalog"))


def stratalog_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def test_heads_go_out_and_in(platform: stratalog.Platform, run: stratalog.Run) -> None:
    assert platform.chain_heads().empty
    with pytest.raises(stratalog.InvalidFilter, match="chain enable"):
        platform.verify(chain=True)
    with run.transact("first"):
        run.iamc.add(points(("a", 2020, 1.0)))
    assert platform.enable_chain() > 0 and platform.enable_chain() == 0
    heads = platform.chain_heads()
    assert heads.columns.tolist() == ["run_id", "position", "transaction_id", "head"]
    assert heads["run_id"].tolist() == [0, run.id]
    with run.transact("second"):
        run.iamc.add(points(("a", 2020, 2.0)))
    for given in (heads, heads.to_dict("records")):
        assert platform.verify(heads=given)
    assert platform.verify(chain=True)
    forged = heads.assign(head="0" * 64)
    report = platform.verify(heads=forged)
    assert not report and [problem.count for problem in report.problems] == [2]
    for wrong in ([], [{"run_id": 1}], 7):
        with pytest.raises(TypeError):
            platform.verify(heads=wrong)  # type: ignore[arg-type]


def test_the_command_follows_the_chains(
    platform: stratalog.Platform, run: stratalog.Run, database: Database, tmp_path: Path
) -> None:
    with run.transact("first"):
        run.iamc.add(points(("a", 2020, 1.0)))
    enabled = stratalog_command("--db", database.url, "chain", "enable")
    assert "chains are on" in enabled.stdout, enabled.stderr
    heads = stratalog_command("--db", database.url, "chain", "heads", "--json").stdout
    file = tmp_path / "heads.json"
    file.write_text(heads)
    arguments = ("--db", database.url, "verify", "--chain", "--heads", str(file))
    verified = stratalog_command(*arguments)
    assert verified.returncode == 0 and "2 kept heads found again" in verified.stdout
    forged = json.loads(heads)
    forged[1]["position"] += 1
    file.write_text(json.dumps(forged))
    verified = stratalog_command(*arguments)
    assert verified.returncode == 3 and "transactions are gone" in verified.stdout
    file.write_text("{}")
    verified = stratalog_command(*arguments)
    assert verified.returncode == 1 and "chain heads --json" in verified.stderr
