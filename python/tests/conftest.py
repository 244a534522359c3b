"""Fixtures. A test that takes ``database`` runs on both engines."""

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from support import ENGINES, Database

import stratalog

# As in the Rust tests, PROPTEST_CASES raises the number of random cases.
hypothesis.settings.register_profile(
    "stratalog",
    max_examples=int(os.environ.get("PROPTEST_CASES") or 50),
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("stratalog")


@pytest.fixture(params=ENGINES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database."""
    database = Database(request.param, tmp_path)
    yield database
    database.drop()


@pytest.fixture
def platform(database: Database) -> stratalog.Platform:
    """A platform with the region World and the unit EJ/yr."""
    platform = database.open()
    platform.regions.create("World")
    platform.units.create("EJ/yr")
    return platform


@pytest.fixture
def run(platform: stratalog.Platform) -> stratalog.Run:
    """An empty run."""
    return platform.runs.create("model", "scenario")
