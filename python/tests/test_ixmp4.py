"""What the swap does beyond ixmp4: names of platforms, locks that hold, the way to stratalog."""

from __future__ import annotations

import signal
from pathlib import Path

import pandas as pd
import pytest
from support import Database, finish, points, python

import stratalog
import stratalog.ixmp4 as ixmp4
from stratalog.ixmp4.exceptions import ImproperlyConfigured, PlatformNotUnique
from stratalog.ixmp4.settings import Settings
from stratalog.ixmp4.transport import DirectTransport, get_alembic_controller


def with_run(database: Database) -> tuple[ixmp4.Platform, ixmp4.Run]:
    platform = ixmp4.Platform(database.url)
    platform.regions.create("World", "common")
    platform.units.create("EJ/yr")
    return platform, platform.runs.create("model", "scenario")


def test_pandas_is_imported_when_it_is_needed() -> None:
    process = python("import sys, stratalog.ixmp4; print('pandas' in sys.modules)")
    assert finish(process) == (0, "False\n", "")


def test_a_platform_is_opened_by_whatever_says_where_it_is(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform, _ = with_run(database)
    url = database.url if database.engine == "postgres" else f"sqlite:///{database.url}"
    monkeypatch.setenv("WHERE_IT_IS", database.url)
    driver = url.replace("postgresql:", "postgresql+psycopg:")
    for where in (url, driver, "{env:WHERE_IT_IS}"):
        assert ixmp4.Platform(DirectTransport.from_dsn(where)).regions.list()[0].name == "World"
    assert ixmp4.Platform(url).regions.list()[0].name == "World"
    assert ixmp4.Platform(platform.backend).stratalog is platform.stratalog
    if database.engine == "sqlite":
        assert ixmp4.Platform(Path(url.removeprefix("sqlite:///"))).units.list()


def test_a_platform_has_a_name(database: Database, tmp_path: Path) -> None:
    with_run(database)
    settings = Settings(storage_directory=tmp_path / "of" / "mine")
    named = settings.get_toml_platforms()
    assert named.list_platforms() == []
    named.add_platform('my "own"', database.url)
    named.add_platform("other", "sqlite:///other.db")
    with pytest.raises(PlatformNotUnique, match="other"):
        named.add_platform("other", "sqlite:///third.db")
    platform = ixmp4.Platform('my "own"', settings)
    assert [unit.name for unit in platform.units.list()] == ["EJ/yr"]
    settings.get_toml_platforms().remove_platform("other")
    assert [each.name for each in settings.get_toml_platforms().list_platforms()] == ['my "own"']
    with pytest.raises(ixmp4.Platform.NotFound, match=r"'other'.*add_platform"):
        ixmp4.Platform("other", settings)


def test_where_names_are_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRATALOG_STORAGE_DIRECTORY", str(tmp_path))
    assert Settings().get_toml_platforms_path() == tmp_path / "platforms.toml"
    monkeypatch.delenv("STRATALOG_STORAGE_DIRECTORY")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings().storage_directory == tmp_path / ".local" / "share" / "stratalog"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert ixmp4.Platform("file").runs.list() == []


def test_a_database_of_another_schema_is_refused(database: Database, tmp_path: Path) -> None:
    with_run(database)
    if database.engine == "sqlite":
        database.plain("DELETE FROM __diesel_schema_migrations")
    else:
        database.plain(f"DELETE FROM {database.schema}.__diesel_schema_migrations")
    with pytest.raises(ImproperlyConfigured, match="migrate"):
        ixmp4.Platform(database.url)


def test_a_database_is_made_as_in_ixmp4(tmp_path: Path) -> None:
    """SQLite only: on PostgreSQL ``Database`` of the tests makes it."""
    dsn = f"sqlite:///{tmp_path / 'new.db'}"
    get_alembic_controller(dsn).upgrade_database("head")
    get_alembic_controller(dsn).upgrade_database()
    transport = DirectTransport.from_dsn(dsn, check_alembic_version=True)
    platform = ixmp4.Platform(transport)
    assert platform.regions.list() == []
    transport.close()
    with pytest.raises(Exception, match="closed"):
        platform.regions.list()


def test_the_refusal_of_a_lock_says_who_holds_it(database: Database) -> None:
    platform, run = with_run(database)
    other = platform.runs.get("model", "scenario", 1)
    with run.transact("long work"):
        with (
            pytest.raises(ixmp4.Run.IsLocked, match="long work") as refused,
            other.transact("mine"),
        ):
            pass
        assert refused.value.data["reason"] == "long work"
        assert isinstance(refused.value.__cause__, stratalog.RunIsLocked)
    with pytest.raises(ixmp4.Run.IsLocked), run.transact("outer"), run.transact("inner"):
        pass
    assert not run.owns_lock and len(run.checkpoints.tabulate()) == 1


def test_ctrl_c_sets_a_block_back(database: Database) -> None:
    _, run = with_run(database)

    class Stop(BaseException):
        pass

    for stop in (KeyboardInterrupt, SystemExit, Stop):
        with pytest.raises(stop), run.transact("stopped"):
            run.iamc.add(points(("Coal", 2030, 1.0)))
            raise stop
        assert run.iamc.tabulate().empty and not run.owns_lock
    # Also where it is not raised by the block itself.
    code = f"""
import stratalog.ixmp4 as ixmp4, time
run = ixmp4.Platform({database.url!r}).runs.get("model", "scenario", 1)
with run.transact("slow"):
    run.meta["half"] = True
    print("ready", flush=True)
    time.sleep(60)
"""
    process = python(code)
    assert process.stdout and process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    finish(process)
    assert dict(run.meta) == {}
    with run.transact("free"):
        run.meta["whole"] = True


def test_a_lost_lock_is_said(database: Database) -> None:
    platform, run = with_run(database)
    with pytest.raises(ixmp4.Run.LockRequired), run.transact("mine"):
        locks = platform.stratalog.locks
        token = int(locks.tabulate()["token"].iloc[0])
        locks.force_unlock(run.id, token=token, reason="somebody needs it")
        run.meta["a"] = 1
    assert dict(run.meta) == {}


def test_the_way_to_stratalog_itself(database: Database) -> None:
    platform, run = with_run(database)
    with run.transact("first"):
        run.iamc.add(points(("Coal", 2030, 1.0)))
    with run.transact("second"):
        run.iamc.add(points(("Coal", 2030, 2.0)))
    run.stratalog.revert_to("first")
    assert run.iamc.tabulate()["value"].tolist() == [1.0]
    platform.runs.delete(run)
    platform.stratalog.runs.restore(run.id)
    assert platform.runs.get("model", "scenario", 1).iamc.tabulate()["value"].tolist() == [1.0]
    assert platform.stratalog.verify().ok


def test_the_lock_transaction_is_listed(database: Database) -> None:
    platform, run = with_run(database)
    with run.transact("first"):
        run.meta["a"] = 1
    other = platform.runs.create("model", "scenario")
    with run.transact("second"):
        runs = platform.runs.tabulate(default_only=False, include_internal_columns=True)
        assert runs["lock_transaction"].tolist()[0] == run.stratalog.last_transaction
        assert pd.isna(runs["lock_transaction"].tolist()[1]) and runs["id"].tolist()[1] == other.id


def test_indicators_are_set_as_one_transaction(database: Database) -> None:
    _, run = with_run(database)
    with run.transact("meta"):
        before = run.stratalog.last_transaction
        run.meta.update({"a": 1, "b": None}, c="text")
        assert len(run.stratalog.log()) == 1 and run.stratalog.last_transaction > before
    assert dict(run.meta) == {"a": 1, "c": "text"}
    assert run.meta.copy() == run.meta and "b" not in run.meta
