"""The `stratalog` command as the package installs it. What each command does is tested in Rust."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import Database, values

import stratalog

PROGRAM = str(Path(sys.executable).with_name("stratalog"))
GAPMINDER = Path(__file__).parents[1] / "demo/gapminder.csv"


def command(database: Database, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [PROGRAM, "--db", database.url, *arguments], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == code, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done.stdout if code == 0 else done.stderr


def test_it_is_this_version() -> None:
    out = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout
    assert out == f"stratalog {stratalog.__version__}\n"


def test_the_main_job(database: Database) -> None:
    command(database, "import", str(GAPMINDER), "--create")
    platform = database.open()
    (run,) = platform.runs.list()
    imported = values(run.iamc.tabulate(region="Austria"))
    assert len(run.iamc.tabulate()) == 5112
    message = run.checkpoints.list()[-1].message
    with run.transact("edit"):
        run.iamc.remove(run.iamc.tabulate(region="Austria"))
    assert "edit" in command(database, "checkpoints", str(run.id))
    command(database, "revert", str(run.id), message)
    assert values(run.iamc.tabulate(region="Austria")) == imported
    log = json.loads(command(database, "log", str(run.id), "--json"))
    assert [entry["id"] for entry in log] == run.log()["id"].tolist()
    command(database, "verify")


def test_its_exit_codes(database: Database) -> None:
    run = database.open().runs.create("m", "s")
    with run.transact("mine"):
        error = command(database, "revert", str(run.id), "@0", code=4)
        assert "mine" in error
    command(database, "revert", str(run.id), "nowhere", code=1)
    command(database, "frobnicate", code=2)


def test_ctrl_c_while_it_waits(database: Database) -> None:
    run = database.open().runs.create("m", "s")
    with run.transact("mine"):
        waiting = subprocess.Popen(
            [PROGRAM, "--db", database.url, "revert", str(run.id), "@0", "--timeout", "600"],
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(2)
        waiting.send_signal(signal.SIGINT)
        _, error = waiting.communicate(timeout=60)
        assert waiting.returncode == 130, error
        assert "interrupted" in error and "Traceback" not in error


@pytest.mark.parametrize("arguments", [["--help"], ["log"]])
def test_nobody_reads_its_output(database: Database, arguments: list[str]) -> None:
    platform = database.open()
    for number in range(300):
        platform.regions.create(f"region {number}")
    program = subprocess.Popen(
        [PROGRAM, "--db", database.url, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None and program.stderr is not None
    program.stdout.close()
    error = program.stderr.read()
    program.stderr.close()
    program.wait(timeout=60)
    assert "panicked" not in error and "Traceback" not in error
