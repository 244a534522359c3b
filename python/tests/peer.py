"""Processes in .venv-peer, the environment with ixmp4 and pyam, with stratalog on their path."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-peer" / "bin" / "python"
DIFFERENTIAL = Path(__file__).parent / "differential"


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    """A process there, with the working folder's stratalog."""
    assert PYTHON.exists(), f"{PYTHON} is missing: make .venv-peer/ready"
    return subprocess.Popen(
        [PYTHON, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "python")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*arguments: str | Path) -> str:
    """What a process there writes; it has to succeed."""
    return finish(start(*arguments))


def finish(process: subprocess.Popen[str]) -> str:
    """What it writes; it has to succeed."""
    out, err = process.communicate()
    assert process.returncode == 0, err
    return out
