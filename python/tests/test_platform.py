"""Opening, migrating, the log, names of things."""

import concurrent.futures
import getpass
import json
import pickle
import sqlite3
import threading
from pathlib import Path

import pandas as pd
import pytest
from support import ENGINES, Database, finish, points, python

import stratalog


def test_what_a_platform_says_of_itself(database: Database) -> None:
    platform = database.open(actor="ada")
    assert platform.engine == database.engine
    assert platform.actor == "ada"
    assert repr(platform) == f"Platform({platform.url!r}, actor='ada')"
    assert database.open().actor == getpass.getuser()


def test_a_path_may_be_given_as_such(tmp_path: Path) -> None:  # SQLite only: it is about files
    platform = stratalog.Platform(tmp_path / "new.db")
    assert platform.engine == "sqlite"
    assert platform.url == str(tmp_path / "new.db")
    assert stratalog.Platform(f"sqlite:///{tmp_path}/new.db").regions.list() == []
    assert stratalog.Platform("sqlite://:memory:").runs.list() == []


@pytest.mark.parametrize("url", ["", "mysql://host/db", "sqlite://x.db", "/nowhere/at/all/x.db"])
def test_what_is_no_database_is_refused(url: str) -> None:
    with pytest.raises(stratalog.InvalidUrl):
        stratalog.Platform(url)


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    with pytest.raises(stratalog.ConnectionFailed) as raised:
        stratalog.Platform("postgresql://me:secret@127.0.0.1:1/nowhere")
    assert "127.0.0.1" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_migrating_twice_applies_nothing_the_second_time(database: Database) -> None:
    database.open()
    assert stratalog.Platform.migrate(database.url) == []


def test_a_new_file_is_migrated(
    tmp_path: Path,
) -> None:  # SQLite only: servers are migrated on request
    assert len(stratalog.Platform.migrate(tmp_path / "new.db")) >= 1


def test_a_schema_of_another_version_is_refused_naming_both(database: Database) -> None:
    database.open()
    ours = database.plain("SELECT max(version) FROM __diesel_schema_migrations")
    database.plain("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')")
    with pytest.raises(stratalog.SchemaTooNew, match="99990101000000") as newer:
        database.open()
    assert str(ours) in str(newer.value)
    database.plain("DELETE FROM __diesel_schema_migrations")
    with pytest.raises(stratalog.SchemaOutdated, match="stratalog migrate") as older:
        database.open()
    assert str(ours) in str(older.value)
    assert isinstance(older.value, stratalog.SchemaError)


def test_the_actor_is_recorded(database: Database) -> None:
    ada, bob = database.open("ada"), database.open("bob")
    ada.regions.create("World")
    ada.units.create("EJ/yr")
    run = bob.runs.create("m", "s")
    with run.transact("data"):
        run.iamc.add(points(("a", 2020, 1.0)))
    log = ada.log()
    assert log["actor"].tolist() == ["bob", "bob", "ada", "ada"]
    assert run.checkpoints["data"].actor == "bob"


def test_more_threads_than_connections_wait_for_each_other(database: Database) -> None:
    platform = stratalog.Platform(database.url, pool_size=2)
    platform.regions.create("World")
    platform.units.create("EJ/yr")
    runs = [platform.runs.create("model", f"scenario {n}") for n in range(8)]

    def write(run: stratalog.Run) -> int:
        with run.transact("point", timeout=60):
            return run.iamc.add(
                {
                    "region": ["World"],
                    "variable": ["x"],
                    "unit": ["EJ/yr"],
                    "year": [2030],
                    "value": [1.0],
                }
            ).inserted

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        assert list(threads.map(write, runs)) == [1] * 8
    if database.engine == "postgres":
        named = f"{database.url}&application_name={database.schema}"
        platform = stratalog.Platform(named, pool_size=2)
        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda _: platform.regions.list(), range(50)))
        mine = f"SELECT count(*) FROM pg_stat_activity WHERE application_name = '{database.schema}'"
        assert 1 <= database.plain(mine) <= 2
    with pytest.raises(stratalog.InvalidInput, match="1 or more connections"):
        stratalog.Platform(database.url, pool_size=0)


def test_the_log_says_what_happened(platform: stratalog.Platform, run: stratalog.Run) -> None:
    with run.transact("data"):
        run.iamc.add(points(("a", 2020, 1.0), ("a", 2030, 2.0)))
        run.iamc.add(points(("a", 2020, 1.5)))
    log = platform.log()
    assert log["operation"].tolist() == [
        "iamc.add",
        "iamc.add",
        "runs.create",
        "units.create",
        "regions.create",
    ]
    assert log["id"].is_monotonic_decreasing
    assert log["run_id"].tolist() == [run.id, run.id, pd.NA, pd.NA, pd.NA]
    first = log.iloc[1]
    # The points and their variable.
    assert (first["inserted"], first["updated"], first["deleted"]) == (3, 0, 0)
    assert sorted(first["tables"].split(", ")) == ["datapoints", "variables"]
    assert log["updated"].tolist() == [1, 0, 0, 0, 0]
    assert log["checkpoints"].tolist() == ["data", "", "", "", ""]
    assert str(log["issued_at"].dtype) == "datetime64[us, UTC]"


def test_the_log_comes_in_pages(platform: stratalog.Platform, run: stratalog.Run) -> None:
    for year in range(2020, 2025):
        with run.transact("one more"):
            run.iamc.add(points(("a", year, 1.0)))
    everything = platform.log(limit=None)["id"].tolist()
    pages = []
    before = None
    while not (page := platform.log(limit=3, before=before)).empty:
        assert len(page) <= 3
        pages += page["id"].tolist()
        before = pages[-1]
    assert pages == everything
    of_run = platform.log(run)["id"].tolist()
    assert of_run == platform.log(run.id)["id"].tolist() == run.log()["id"].tolist()
    assert len(of_run) == 5
    assert platform.log(limit=0).columns.tolist() == platform.log().columns.tolist()
    with pytest.raises(stratalog.InvalidFilter, match="limit=-1"):
        platform.log(limit=-1)


def test_names_are_created_found_listed_and_deleted(database: Database) -> None:
    platform = database.open()
    for names in (platform.units, platform.variables, platform.models, platform.scenarios):
        made = names.create("b")
        names.create("a")
        assert names.get("b") == made
        assert (made.name, made.hierarchy) == ("b", None)
        assert [named.name for named in names.list()] == ["a", "b"]
        assert names.tabulate()["name"].tolist() == ["a", "b"]
        assert names.tabulate().columns.tolist() == ["id", "name"]
        names.delete("b")
        assert [named.name for named in names.list()] == ["a"]
        # History refers to it by its id.
        assert names.create("b").id == made.id


def test_regions_have_a_hierarchy(database: Database) -> None:
    regions = database.open().regions
    assert regions.create("World").hierarchy == "common"
    assert regions.create("R5|Asia", hierarchy="R5").hierarchy == "R5"
    assert regions.tabulate()[["name", "hierarchy"]].values.tolist() == [
        ["R5|Asia", "R5"],
        ["World", "common"],
    ]
    assert repr(regions.get("World")) == "Named(id=1, name='World', hierarchy='common')"


def test_a_taken_name_is_refused(database: Database) -> None:
    regions = database.open().regions
    taken = regions.create("World")
    with pytest.raises(stratalog.AlreadyExists, match=f'"World".*id {taken.id}'):
        regions.create("World", hierarchy="another")
    assert len(regions.list()) == 1


@pytest.mark.parametrize("name", ["", " World", "World ", "Wo\0rld"])
def test_a_name_that_cannot_be_is_refused(database: Database, name: str) -> None:
    platform = database.open()
    with pytest.raises(stratalog.InvalidName):
        platform.regions.create(name)
    with pytest.raises(stratalog.InvalidName):
        platform.runs.create("model", name)
    assert platform.log().empty


def test_a_name_that_is_no_text_is_refused(database: Database) -> None:
    platform = database.open()
    with pytest.raises(stratalog.InvalidInput, match="surrogates"):
        platform.regions.create("\ud800")
    with pytest.raises(TypeError):
        platform.regions.create(5)  # type: ignore[arg-type]


def test_the_empty_unit_is_one(database: Database) -> None:
    assert database.open().units.create("").name == ""


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("regions", stratalog.RegionNotFound),
        ("units", stratalog.UnitNotFound),
        ("variables", stratalog.VariableNotFound),
        ("models", stratalog.ModelNotFound),
        ("scenarios", stratalog.ScenarioNotFound),
    ],
)
def test_what_is_not_there_is_said(database: Database, kind: str, error: type[Exception]) -> None:
    names = getattr(database.open(), kind)
    with pytest.raises(error, match=f"there are no {kind} yet"):
        names.get("World")
    names.create("World")
    with pytest.raises(error, match='did you mean "World"'):
        names.delete("world")


def test_what_is_in_use_is_not_deleted(platform: stratalog.Platform, run: stratalog.Run) -> None:
    with run.transact("data"):
        run.iamc.add(points(("a", 2020, 1.0)))
    for names, name in (
        (platform.regions, "World"),
        (platform.units, "EJ/yr"),
        (platform.variables, "a"),
        (platform.models, "model"),
        (platform.scenarios, "scenario"),
    ):
        with pytest.raises(stratalog.InUse, match="model / scenario, version 1"):
            names.delete(name)
        assert names.get(name).name == name


def test_verify_finds_what_was_changed_behind_the_log(
    database: Database,
    platform: stratalog.Platform,
    run: stratalog.Run,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with run.transact("data"):
        run.iamc.add(points(("a", 2020, 1.0), ("a", 2030, 2.0)))
    report = platform.verify(progress=True)
    assert report and report.ok and report.problems == []
    assert "datapoints" in capfd.readouterr().err
    assert "datapoints" in report.tables
    assert report.live_rows == 8 and report.version_rows == 8
    report.raise_if_broken()
    assert repr(report) == "<VerifyReport OK: 12 tables, 8 live rows, 8 version rows>"

    if database.engine == "sqlite":
        triggers = "SELECT json_group_array(name) FROM sqlite_schema WHERE type = 'trigger'"
        names = json.loads(database.plain(triggers))
        database.plain(*(f'DROP TRIGGER "{name}"' for name in names))
    else:
        database.plain("ALTER TABLE datapoints DISABLE TRIGGER USER")
    database.plain("UPDATE datapoints SET value = 7.0 WHERE step = 2030")
    report = platform.verify()
    assert not report and not report.ok
    (problem,) = report.problems
    assert (problem.table, problem.count, len(problem.rows)) == ("datapoints", 1, 1)
    assert "step=2030" in problem.rows[0]
    assert "BROKEN" in repr(report) and "step=2030" in repr(report)
    with pytest.raises(stratalog.ChangeLogBroken, match="step=2030"):
        report.raise_if_broken()


def test_doctor_says_what_protects_the_data(database: Database) -> None:
    platform = database.open()
    report = platform.doctor()
    by_check = {finding.check: finding for finding in report.findings}
    assert by_check["triggers"].severity == "ok" and by_check["triggers"].advice is None
    if database.engine == "sqlite":
        assert report and report.ok
        assert by_check["history"].severity == "note"
        assert "tamper-evident at best" in repr(report)
        database.plain("DROP TRIGGER datapoints_record_update")
    else:
        # The tests connect as a superuser.
        assert not report and not report.ok
        assert by_check["role"].severity == "problem"
        assert "--app-role" in (by_check["role"].advice or "")
        assert "is a superuser" in repr(by_check["role"])
        database.plain("DROP TRIGGER datapoints_guard_key ON datapoints")
    report = platform.doctor()
    assert not report.ok
    (triggers,) = [finding for finding in report.findings if finding.check == "triggers"]
    assert triggers.severity == "problem" and "of datapoints is missing" in triggers.what


def test_roles_that_cannot_be_are_refused(database: Database) -> None:
    with pytest.raises(stratalog.InvalidInput, match="both, or neither"):
        stratalog.Platform.migrate(database.url, owner_role="owner")
    with pytest.raises(stratalog.InvalidInput, match="both, or neither"):
        stratalog.Platform.migrate(database.url, app_role="app")
    match = "SQLite has no roles" if database.engine == "sqlite" else "must be two roles"
    with pytest.raises(stratalog.MigrationFailed, match=match):
        stratalog.Platform.migrate(database.url, owner_role="same", app_role="same")


@pytest.mark.parametrize("engine", ENGINES)
def test_in_a_forked_child_the_platform_is_refused_and_the_parent_unharmed(
    engine: str, tmp_path: Path
) -> None:
    database = Database(engine, tmp_path)
    code = """
import os, sys, warnings
warnings.simplefilter("ignore")
import stratalog
from support import points
platform = stratalog.Platform(sys.argv[1])
platform.regions.create("World"); platform.units.create("EJ/yr")
run = platform.runs.create("m", "s")
with run.transact("parent"):
    run.iamc.add(points(("a", 2020, 1.0)))
    child = os.fork()
    if child == 0:
        try:
            run.iamc.tabulate()
        except stratalog.StratalogError as error:
            print("child:", error, flush=True)
        sys.exit(7)  # unwinds through the parent's block, and drops everything
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert run.owns_lock
    run.iamc.add(points(("b", 2020, 2.0)))
assert len(run.iamc.tabulate()) == 2
assert platform.log()["operation"].tolist().count("iamc.add") == 2
assert platform.verify().ok
print("parent: fine")
"""
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n" + code
    exit_code, out, err = finish(python(code, database.url))
    assert exit_code == 0, err
    assert "child:" in out and "by fork" in out
    assert "parent: fine" in out
    database.drop()


@pytest.mark.parametrize("mode", ["rw", "ro"])
def test_pythons_own_sqlite_in_the_same_process_loses_nothing(tmp_path: Path, mode: str) -> None:
    # SQLite only. When another SQLite library in the process closes the file, it deletes the
    # write-ahead log under ours, or takes our file locks away so that another process may do so.
    database = Database("sqlite", tmp_path)
    platform = database.open()
    platform.regions.create("World")
    platform.units.create("EJ/yr")
    run = platform.runs.create("m", "s")

    def look() -> None:
        plain = sqlite3.connect(f"file:{database.url}?mode={mode}", uri=True)
        assert plain.execute("SELECT count(*) FROM regions").fetchone() == (1,)
        plain.close()
        database.plain("SELECT count(*) FROM datapoints")  # another process comes and goes

    look()
    for number in range(3):
        with run.transact(f"{number}"):
            run.iamc.add(points((f"{number}", 2020, 1.0)))
            look()
            run.iamc.add(points((f"{number}", 2030, 1.0)))
        look()
    assert len(run.iamc.tabulate()) == 6
    assert database.plain("SELECT count(*) FROM datapoints") == 6
    assert database.plain("SELECT count(*) FROM checkpoints") == 3
    assert platform.verify().ok


def test_threads_may_share_a_platform(database: Database) -> None:
    platform = database.open()
    failures: list[BaseException] = []

    def work(thread: int) -> None:
        try:
            for number in range(10):
                platform.regions.create(f"{thread} {number}")
                platform.regions.get(f"{thread} {number}")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(platform.regions.list()) == 40
    assert platform.verify().ok


def test_errors_can_be_sent_to_another_process(run: stratalog.Run, database: Database) -> None:
    other = database.open().runs.get_by_id(run.id)
    with run.transact("mine"), pytest.raises(stratalog.RunIsLocked) as raised, other.transact("x"):
        pass
    again = pickle.loads(pickle.dumps(raised.value))
    assert str(again) == str(raised.value)
    assert (again.reason, again.since) == ("mine", raised.value.since)
