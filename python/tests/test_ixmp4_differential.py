"""The same scripts on ixmp4 itself and on the swap: each step comes to the same, or is listed."""

from __future__ import annotations

import ast
import functools
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

import peer
import pytest
from differential.differences import DIFFERENCES, LEFT_OUT
from support import ENGINES, NO_SERVER

Transcripts = dict[str, list[dict[str, Any]]]

SCRIPTS = [
    f"{path.stem}.{function.name}"
    for path in sorted((peer.DIFFERENTIAL / "scripts").glob("*.py"))
    for function in ast.parse(path.read_text("utf-8")).body
    if isinstance(function, ast.FunctionDef) and not function.name.startswith("_")
]


@functools.cache
def transcripts(engine: str) -> tuple[Transcripts, Transcripts] | str:
    """What the scripts came to on ixmp4 and on the swap, each in a process of its own, or why they
    could not be run.
    """
    try:
        return _transcripts(engine)
    except AssertionError as error:
        return str(error)


def sides(engine: str) -> tuple[Transcripts, Transcripts]:
    found = transcripts(engine)
    assert not isinstance(found, str), found
    return found


def _transcripts(engine: str) -> tuple[Transcripts, Transcripts]:
    with tempfile.TemporaryDirectory() as folder:
        where = folder
        if engine == "postgres":
            where = os.environ.get("STRATALOG_TEST_POSTGRES_URL", "")
            assert where, NO_SERVER
        files = {side: Path(folder) / f"{side}.json" for side in ("ixmp4", "swap")}
        script = peer.DIFFERENTIAL / "transcript.py"
        processes = [peer.start(script, side, where, out) for side, out in files.items()]
        for process in processes:
            peer.finish(process)
        ixmp4, swap = (json.loads(out.read_text("utf-8")) for out in files.values())
        return ixmp4, swap


@pytest.mark.long
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("script", SCRIPTS)
def test_each_step_comes_to_the_same(script: str, engine: str) -> None:
    ixmp4, swap = (side[script] for side in sides(engine))
    wrong = []
    for there, here in zip(ixmp4, swap, strict=True):
        assert there["step"] == here["step"]
        same = there["outcome"] == here["outcome"]
        if same == bool(there["differs"]):
            wrong.append({"ixmp4": there, "swap": here})
    assert not wrong, json.dumps(wrong, indent=1)


def test_each_difference_is_shown_by_a_step() -> None:
    shown = {
        step["differs"]
        for engine in ENGINES
        for steps in sides(engine)[0].values()
        for step in steps
        if step["differs"]
    }
    assert shown == {each.name for each in DIFFERENCES if not each.always}


def test_the_page_lists_the_same_differences() -> None:
    page = (peer.ROOT / "docs" / "ixmp4-swap.md").read_text("utf-8")
    rows = [
        tuple(cell.strip() for cell in row.strip("|").split("|")) for row in _table(page, "what")
    ]
    assert rows == [(each.name, each.ixmp4, each.stratalog) for each in DIFFERENCES]
    rows = [
        tuple(cell.strip() for cell in row.strip("|").split("|"))
        for row in _table(page, "left out")
    ]
    assert rows == [(f"`{name}`", why) for name, why in LEFT_OUT.items()]


def _table(page: str, first: str) -> list[str]:
    found = re.search(rf"^\| {first} \|.*\n\|[-| ]+\n((?:\|.*\n)+)", page, re.MULTILINE)
    assert found, f"no table that begins with {first!r}"
    return found[1].splitlines()


def test_the_swap_has_each_public_name() -> None:
    found = json.loads(peer.run(peer.DIFFERENTIAL / "api.py"))
    assert len(found["names"]) > 400
    left_out = {
        name: entry
        for name in found["unfit"]
        for entry in LEFT_OUT
        if name == entry or name.startswith(f"{entry}.")
    }
    assert {name: why for name, why in found["unfit"].items() if name not in left_out} == {}
    assert set(left_out.values()) == set(LEFT_OUT)
