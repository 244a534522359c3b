"""Fixtures. A test that takes ``database`` runs on both engines."""

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from ixmp4_sources import Copies, Source, Sources
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first, or one process has them at the end, and the others have nothing left."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


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


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sources]:
    """ixmp4 databases, each made once: tests leave them as they are."""
    made: dict[tuple[str, ...], Source] = {}

    def get(engine: str, recipe: str = "everything", *arguments: str) -> Source:
        key = (engine, recipe, *arguments)
        if key not in made:
            made[key] = Source.make(engine, tmp_path_factory.mktemp("source"), recipe, *arguments)
        return made[key]

    yield get
    for source in made.values():
        source.drop()


@pytest.fixture(params=ENGINES)
def source(request: pytest.FixtureRequest, sources: Sources) -> Source:
    """An ixmp4 database with everything in it, on either engine."""
    return sources(request.param)


@pytest.fixture
def copies(tmp_path: Path) -> Iterator[Copies]:
    """Copies of ixmp4 databases, to be changed."""
    made = []

    def copy(source: Source) -> Source:
        folder = tmp_path / f"copy{len(made)}"
        folder.mkdir()
        made.append(source.copy(folder))
        return made[-1]

    yield copy
    for one in made:
        one.drop()
