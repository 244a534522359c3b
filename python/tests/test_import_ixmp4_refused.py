"""import-ixmp4 refuses what it does not understand or cannot keep, all of it at once."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from ixmp4_sources import Copies, Source, Sources, import_ixmp4, state
from support import ENGINES, Database

import stratalog

HEAD = "ad8eabea98b9"
# Of ixmp4 0.14: it keeps the types of elements in another column, and an upgrade loses them.
OLD = "9596778a8150"


def refused(database: Database, source: Source | str, *expected: str) -> str:
    """The whole message; nothing was written, and a dry run says the same."""
    platform = database.open()
    with pytest.raises(stratalog.ImportRefused) as refusal:
        platform.import_ixmp4(source if isinstance(source, str) else source.dsn)
    message = str(refusal.value)
    for text in expected:
        assert text in message, message
    assert database.last_transaction() == 0
    assert platform.regions.list() == []
    return message


def test_what_does_not_fit_is_told_all_at_once(
    database: Database, sources: Sources, copies: Copies
) -> None:
    source = copies(sources("sqlite", "small", "8"))
    source.sql(
        "INSERT INTO region (name, hierarchy) VALUES (' blank', 'common'), ('x', ''), ('', 'y')",
        "INSERT INTO unit (name) VALUES ('km ')",
        "INSERT INTO scenario (name) VALUES ('a' || char(0) || 'b')",
        "UPDATE iamc_datapoint_universal SET value = 9e999 WHERE step_year = 2000",
        "UPDATE iamc_datapoint_universal SET step_year = NULL WHERE step_year = 2001",
        "UPDATE iamc_datapoint_universal SET step_category = 'Year', type = 'CATEGORICAL' "
        "WHERE step_year = 2002",
        "INSERT INTO iamc_datapoint_universal (time_series__id, type, step_year, value) "
        "VALUES (1, 'ANNUAL', 2003, 5.0)",
        "INSERT INTO runmetaentry (run__id, key, dtype, value_float) VALUES "
        "(1, 'inf', 'FLOAT', 9e999), (1, 'version', 'FLOAT', 1.0), (1, 'none', 'STR', NULL), "
        "(1, ' k', 'FLOAT', 1.0)",
        "INSERT INTO opt_sca (run__id, name, value, unit__id) VALUES (1, 's ', 9e999, 1)",
        "INSERT INTO opt_idx (run__id, name, data_type) VALUES (1, 'value', 'INT')",
        "INSERT INTO opt_idx_data (indexset__id, value) VALUES (3, '1'), (3, 'one')",
        "INSERT INTO opt_par (run__id, name, data) VALUES "
        '(1, \'nan\', \'{"i": ["e0"], "values": [NaN], "units": ["EJ/yr"]}\'), '
        '(1, \'unit\', \'{"i": ["e0"], "values": [1], "units": ["lost"]}\'), '
        '(1, \'twice\', \'{"i": ["e0", "e0"], "values": [1, 2], "units": ["EJ/yr", "EJ/yr"]}\'), '
        "(1, 'column', '{}')",
        "INSERT INTO opt_par_idx_association (parameter__id, indexset__id) "
        "VALUES (2, 1), (3, 1), (4, 1), (5, 3)",
    )
    message = refused(
        database,
        source,
        'region name " blank"',
        'hierarchy name ""',
        'region name ""',
        'unit name "km "',
        "there is a NUL in it",
        "1 points have no value, NaN or infinity",
        "1 points have not the time that their type needs",
        '1 points are of the part of the year "" or "Year"',
        "are there twice",
        'meta indicator "inf"',
        'meta indicator "version"',
        'meta indicator "none"',
        'meta indicator " k"',
        'scalar name "s "',
        'scalar "s ": its value is NaN or infinite',
        'indexset "value": it has the element "one"',
        'parameter "nan": its data are not JSON',
        'parameter "unit": it has the unit "lost"',
        'parameter "twice": its data have the row ["e0"] more than once',
        'parameter "column": its column is called "value"',
    )
    assert message.count("\n  - ") == 20, message
    dry = database.open().import_ixmp4(source.dsn, dry_run=True)
    assert not dry.ok
    assert dry.problems == re.split(r"\n  - ", message)[1:]
    out, err = import_ixmp4(database, source, "--dry-run", code=1)
    assert "20 problems" in err and out.count("problem: ") == 20


def test_what_only_the_history_has_can_be_left_out(
    database: Database, sources: Sources, copies: Copies
) -> None:
    source = copies(sources("postgres", "small", "8"))
    value = "UPDATE iamc_datapoint_universal SET value = {} WHERE step_year = 2000"
    meta = "UPDATE runmetaentry SET value_int = {}, dtype = '{}' WHERE key = 'rows'"
    data = "UPDATE opt_par SET data = '{}'"
    bad = '{"i": ["e0"], "values": [1], "units": ["never"]}'
    source.sql(
        value.format("'NaN'"),
        meta.format("NULL", "INT"),
        data.format(bad),
        # Nobody looks at what was only there for a moment; so this stays for a while.
        "INSERT INTO checkpoint (run__id, transaction__id, message) "
        "SELECT 1, max(id), 'bad' FROM transaction",
        value.format("1.0"),
        meta.format("5", "INT"),
        data.format("{}"),
    )
    refused(
        database,
        source,
        "1 points in its history have no value, NaN or infinity",
        'meta indicator "rows"',
        'it has the unit "never"',
        "--no-history",
    )
    report = database.open().import_ixmp4(source.dsn, history=False)
    assert report.ok


@pytest.fixture(params=ENGINES)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Source]:
    """An empty database of ixmp4 0.14."""
    source = Source(request.param, tmp_path, "old")
    source.create()
    source.upgrade(OLD)
    yield source
    source.drop()


ITEMS = [
    "INSERT INTO model (name) VALUES ('m')",
    "INSERT INTO scenario (name) VALUES ('s')",
    "INSERT INTO unit (name) VALUES ('km')",
    "INSERT INTO run (model__id, scenario__id, version, is_default) VALUES (1, 1, 1, true)",
    "INSERT INTO opt_idx (run__id, name, _data_type) VALUES "
    "(1, 'text', 'str'), (1, 'years', 'str'), (1, 'numbers', 'int'), (1, 'shares', 'float')",
    "INSERT INTO opt_idx_data (indexset__id, value) VALUES "
    "(1, 'a'), (2, '2020'), (2, '2030'), (3, '1'), (4, '0.5'), (4, '1.0')",
    "INSERT INTO opt_tab (run__id, name, data) VALUES (1, 't', '{\"years\": [\"2030\"]}')",
    "INSERT INTO opt_tab_idx_association (table__id, indexset__id) VALUES (1, 2)",
]
EXPECTED = {"text": ["a"], "years": ["2020", "2030"], "numbers": [1], "shares": [0.5, 1.0]}


def elements(platform: stratalog.Platform) -> dict[str, list[str | int | float]]:
    run = platform.runs.get("m", "s")
    return {item.name: item.data for item in run.optimization.indexsets.list()}


def test_a_database_of_ixmp4_0_14(database: Database, old: Source) -> None:
    old.sql(*ITEMS)
    platform = database.open()
    report = platform.import_ixmp4(old.dsn)
    assert report.ok and report.revision == OLD
    assert elements(platform) == EXPECTED


def test_a_database_of_ixmp4_0_15_and_0_16(database: Database, tmp_path: Path) -> None:
    source = Source("sqlite", tmp_path, "between")
    source.upgrade("87987b875e9b")
    source.sql(*(item.replace("_data_type", "data_type") for item in ITEMS))
    source.sql("UPDATE opt_idx SET data_type = upper(data_type)")
    platform = database.open()
    report = platform.import_ixmp4(source.dsn)
    assert report.ok and report.revision == "87987b875e9b"
    assert elements(platform) == EXPECTED


@pytest.mark.parametrize("old", ["postgres"], indirect=True)
def test_one_that_was_upgraded_and_lost_the_types_of_elements(
    database: Database, old: Source
) -> None:
    # On PostgreSQL only: on SQLite ixmp4 cannot upgrade a database with indexsets in use.
    old.sql(*ITEMS)
    old.upgrade(HEAD)
    platform = database.open()
    report = platform.import_ixmp4(old.dsn)
    assert report.ok and report.revision == HEAD
    assert len([note for note in report.notes if "is lost there" in note]) == 4
    # The data of the table say what the years are; the forms of the others, what they are.
    assert elements(platform) == EXPECTED
    assert state(platform.runs.get("m", "s"))["tables"] == {
        "t": [None, ["years"], None, [["2030"]]]
    }


def test_another_revision(database: Database, sources: Sources, copies: Copies) -> None:
    for engine in ENGINES:
        source = copies(sources(engine, "small"))
        source.sql("UPDATE alembic_version SET version_num = '5069a5e8c20c'")
        refused(database, source, "5069a5e8c20c", "ixmp4 alembic --platform NAME upgrade", HEAD)
        source.sql("DELETE FROM alembic_version")
        refused(database, source, "no revision")


def test_what_is_no_database_of_ixmp4(database: Database, tmp_path: Path) -> None:
    platform = database.open()
    other = Database(database.engine, tmp_path / "other")
    (tmp_path / "other").mkdir()
    other.open()
    refused(database, other.url, "not a database of ixmp4")
    # Nor is the platform itself.
    refused(database, database.url, "not a database of ixmp4")
    other.drop()
    for url, error in [
        (str(tmp_path / "nowhere.sqlite3"), stratalog.InvalidUrl),
        (str(tmp_path), stratalog.InvalidUrl),
        ("sqlite://:memory:", stratalog.InvalidUrl),
        ("mysql://host/database", stratalog.InvalidUrl),
        (__file__, stratalog.ConnectionFailed),
    ]:
        with pytest.raises(error):
            platform.import_ixmp4(url)
    assert not (tmp_path / "nowhere.sqlite3").exists()


def test_a_wrong_source_leaves_no_database_behind(tmp_path: Path) -> None:
    database = Database("sqlite", tmp_path)
    import_ixmp4(database, str(tmp_path / "nowhere.sqlite3"), code=1)
    import_ixmp4(database, __file__, code=1)
    assert list(tmp_path.iterdir()) == []


def test_a_source_that_can_only_be_read(
    database: Database, sources: Sources, tmp_path: Path
) -> None:
    source = sources("sqlite", "small")
    folder = tmp_path / "read only % ? #"
    folder.mkdir()
    file = folder / "source.sqlite3"
    shutil.copy(source.url, file)
    file.chmod(0o444)
    folder.chmod(0o555)
    try:
        assert database.open().import_ixmp4(str(file)).ok
        assert [each.name for each in folder.iterdir()] == ["source.sqlite3"]
    finally:
        folder.chmod(0o755)


def test_the_app_role_may_not_give_transactions_times(tmp_path: Path, sources: Sources) -> None:
    # PostgreSQL only: SQLite has no roles.
    database = Database("postgres", tmp_path)
    owner, app, person = (f"{role}_{database.schema}" for role in ("owner", "app", "person"))
    stratalog.Platform.migrate(database.url, owner_role=owner, app_role=app)
    database.plain(f"CREATE ROLE {person} LOGIN PASSWORD 'secret' IN ROLE {app}")
    source = sources("sqlite", "small")
    try:
        platform = stratalog.Platform(database.url_as(person, "secret"))
        with pytest.raises(stratalog.ImportRefused, match="owner of the tables"):
            platform.import_ixmp4(source.dsn)
        (problem,) = platform.import_ixmp4(source.dsn, dry_run=True).problems
        assert "owner of the tables" in problem
        assert platform.log().empty
        admin = f"admin_{database.schema}"
        database.plain(f"CREATE ROLE {admin} LOGIN PASSWORD 'secret' IN ROLE {owner}")
        stratalog.Platform(database.url_as(admin, "secret")).import_ixmp4(source.dsn)
        # What is there can be read and compared by everybody.
        assert platform.import_ixmp4(source.dsn).ok
        run = platform.runs.get("model", "scenario")
        with run.transact("goes on"):
            run.meta["new"] = 1
        assert platform.verify().ok
    finally:
        database.drop(owner, app, person, f"admin_{database.schema}")
