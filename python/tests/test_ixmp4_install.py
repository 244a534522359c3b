"""Registering the swap as ``ixmp4``, and taking it back, without a database."""

from __future__ import annotations

from pathlib import Path

import peer
import pytest
from test_pages import blocks


@pytest.mark.parametrize(
    "step", ["install", "uninstall", "too_late", "every_submodule", "by_another_first_name"]
)
def test_installing(step: str) -> None:
    peer.run(Path(__file__).parent / "ixmp4_installed.py", step)


def test_the_examples_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    peer.run("-c", "\n".join(blocks("docs/ixmp4-swap.md", "python")))
