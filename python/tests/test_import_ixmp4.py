"""import-ixmp4: databases that ixmp4 itself made, compared with what ixmp4 says of them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sysconfig
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import peer
import pytest
from ixmp4_sources import (
    Copies,
    Source,
    Sources,
    import_ixmp4,
    points,
    same,
    state,
    without_docs,
)
from support import ENGINES, Database

import stratalog


def runs_of(platform: stratalog.Platform, source: Source) -> list[tuple[dict[str, Any], Any]]:
    """The source's runs as ixmp4 has them, and as they are here."""
    return [
        (there, platform.runs.get(there["model"], there["scenario"], there["version"]))
        for there in source.expected["runs"]
    ]


def test_all_of_it_comes_along(database: Database, source: Source) -> None:
    before = source.contents()
    platform = database.open(actor="importer")
    report = platform.import_ixmp4(source.dsn)
    assert report.ok, report.differences
    assert report.history == (source.engine == "postgres")
    assert report.runs()["state"].tolist() == ["imported"] * len(source.expected["runs"])
    counts = report.counts()
    assert counts["there"].tolist() == counts["here"].tolist()

    assert len(platform.runs.list(default_only=False)) == len(source.expected["runs"])
    for there, run in runs_of(platform, source):
        same(state(run), there["state"])
        assert run.is_default == there["is_default"]
        assert run.created_at == pd.Timestamp(there["created_at"], tz="UTC")
        assert run.created_by == there["created_by"]
    names = source.expected["names"]
    here = {region.name: [region.hierarchy, region.docs] for region in platform.regions.list()}
    same(here, names["regions"])
    for kind in ("units", "models", "scenarios", "variables"):
        same({name.name: name.docs for name in getattr(platform, kind).list()}, names[kind])

    assert platform.verify().ok
    assert source.contents() == before


def test_each_checkpoint_names_the_state_that_it_named_there(
    database: Database, source: Source
) -> None:
    platform = database.open()
    platform.import_ixmp4(source.url)
    checked = 0
    for there, run in runs_of(platform, source):
        here = run.checkpoints.list()
        assert len(here) == len(there["checkpoints"])
        for was, checkpoint in zip(there["checkpoints"], here, strict=True):
            renamed = f"ixmp4 checkpoint {was['id']}"
            fits = was["message"] not in ("", "checkpoint")
            assert checkpoint.message == (was["message"] if fits else renamed)
            # Where there is no history, nobody knows what it was: it is the present state.
            expected = was["state"] if source.engine == "postgres" else there["state"]
            same(without_docs(state(run.as_of(checkpoint))), without_docs(expected))
            checked += 1
    assert checked > 10


def test_the_history_is_one_to_work_with(database: Database, sources: Sources) -> None:
    source = sources("postgres")
    platform = database.open(actor="importer")
    platform.import_ixmp4(source.dsn)
    there, run = runs_of(platform, source)[0]
    was = {checkpoint["message"]: checkpoint["state"] for checkpoint in there["checkpoints"]}

    changed = run.diff("first", "changes").tabulate()
    assert {"insert", "update", "delete"} == set(changed["operation"])
    log = run.log()
    assert log["actor"].tolist() == [there["created_by"]] * len(log)
    assert log["operation"].str.startswith("import-ixmp4").all()
    times = log["issued_at"].iloc[::-1]
    assert times.is_monotonic_increasing
    # As of a time after one block and before the next, which came a minute later.
    between = times.iloc[1] + pd.Timedelta(seconds=30)
    same(without_docs(state(run.as_of(between.to_pydatetime()))), without_docs(was["first"]))
    checkpoints = run.checkpoints.tabulate()
    assert checkpoints["created_at"].is_monotonic_increasing
    assert (checkpoints["created_at"] < datetime.now(UTC)).all()

    # What is gone there, and the run's history has, is gone here as well.
    with pytest.raises(stratalog.RevertNeedsMissing, match="Gone"):
        run.revert_to("first")
    platform.regions.create("Gone")
    run.revert_to("first")
    same(without_docs(state(run)), without_docs(was["first"]))
    with run.transact("goes on"):
        run.meta["new"] = 1
        run.optimization.indexsets.create("another", ["a"])
    run.revert_to("after the revert")
    same(without_docs(state(run)), without_docs(there["state"]))
    assert platform.verify().ok


@pytest.mark.parametrize("seed", range(2))
def test_histories_at_random(database: Database, sources: Sources, seed: int) -> None:
    source = sources("postgres", "random", str(seed), "30")
    platform = database.open()
    report = platform.import_ixmp4(source.dsn)
    assert report.ok and report.notes == [], (report.notes, report.differences)
    for there, run in runs_of(platform, source)[1:]:
        here = run.checkpoints.list()
        assert len(here) == len(there["checkpoints"]) == 15
        for was, checkpoint in zip(there["checkpoints"], here, strict=True):
            same(state(run.as_of(checkpoint)), was["state"])
        same(state(run), there["state"])
        run.revert_to(here[3])
        same(state(run), there["checkpoints"][3]["state"])
    assert platform.verify().ok


def test_a_second_import_imports_nothing(database: Database, source: Source) -> None:
    platform = database.open()
    platform.import_ixmp4(source.dsn)
    last = database.last_transaction()
    report = platform.import_ixmp4(source.dsn)
    assert report.ok, report.differences
    assert set(report.runs()["state"]) == {"unchanged"}
    # Whatever is done here meanwhile: the data that were imported are still those that are there.
    run = platform.runs.list(default_only=False)[0]
    with run.transact("mine"):
        run.iamc.remove(run.iamc.tabulate())
        run.meta = {}
    assert database.last_transaction() > last
    last = database.last_transaction()
    assert platform.import_ixmp4(source.dsn).ok
    assert database.last_transaction() == last
    assert platform.verify().ok


def test_a_dry_run_writes_nothing(database: Database, source: Source, tmp_path: Path) -> None:
    platform = database.open()
    report = platform.import_ixmp4(source.dsn, dry_run=True)
    assert report.ok and report.dry_run
    counts = report.counts().set_index("what")["there"]
    runs = source.expected["runs"]
    assert counts["runs"] == len(runs)
    assert counts["points"] == sum(len(run["state"]["points"]) for run in runs)
    assert counts["meta indicators"] == sum(len(run["state"]["meta"]) for run in runs)
    assert counts["checkpoints"] == sum(len(run["checkpoints"]) for run in runs)
    parameters = [run["state"]["parameters"] for run in runs]
    assert counts["parameters"] == sum(map(len, parameters))
    assert counts["regions"] == len(source.expected["names"]["regions"])
    assert database.last_transaction() == 0
    assert platform.runs.list(default_only=False) == []

    # Nor does the command make a database.
    missing = Database("sqlite", tmp_path / "nowhere")
    (tmp_path / "nowhere").mkdir()
    out, _ = import_ixmp4(missing, source, "--dry-run", "--json")
    assert json.loads(out)["runs"][0]["state"] == "imported"
    assert list((tmp_path / "nowhere").iterdir()) == []

    platform.import_ixmp4(source.dsn)
    nothing = platform.import_ixmp4(source.dsn, dry_run=True).counts()
    assert nothing["there"].sum() == 0


def test_the_command(database: Database, sources: Sources) -> None:
    source = sources("sqlite", "small")
    out, _ = import_ixmp4(database, source)
    assert "both sides are the same" in out and "imported" in out
    out, _ = import_ixmp4(database, source.url, "--json")
    document = json.loads(out)
    assert document["is_ok"] and document["differences"] == []
    assert [run["state"] for run in document["runs"]] == ["unchanged"] * 2
    _, err = import_ixmp4(database, "nowhere.sqlite3", code=1)
    assert "no such file" in err


def test_the_examples_of_the_page_run(
    sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(sources("sqlite", "small").url, tmp_path / "ixmp4.sqlite3")
    monkeypatch.chdir(tmp_path)
    page = (peer.ROOT / "docs/import-ixmp4.md").read_text("utf-8")
    commands, code = (
        "\n".join(re.findall(rf"^```{language}\n(.*?)^```$", page, flags=re.M | re.S))
        for language in ("console", "python")
    )
    path = sysconfig.get_path("scripts") + os.pathsep + os.environ["PATH"]
    environment = {**os.environ, "PATH": path}
    subprocess.run(["bash", "-ec", commands], env=environment, check=True, capture_output=True)
    exec(compile(code, "docs/import-ixmp4.md", "exec"), {})
    platform = stratalog.Platform("scenarios.db")
    assert len(platform.runs.list(default_only=False)) == 2


def test_hash_chains_go_on(database: Database, source: Source) -> None:
    platform = database.open()
    platform.enable_chain()
    platform.import_ixmp4(source.dsn)
    assert platform.verify(chain=True).ok


def test_without_history(database: Database, sources: Sources) -> None:
    source = sources("postgres")
    platform = database.open()
    report = platform.import_ixmp4(source.dsn, history=False)
    assert report.ok and not report.history
    for there, run in runs_of(platform, source):
        same(state(run), there["state"])
        assert len(run.log()) <= 3
        assert len(run.checkpoints) == len(there["checkpoints"])
    # The history does not come after all.
    last = database.last_transaction()
    assert platform.import_ixmp4(source.dsn).ok
    assert database.last_transaction() == last


def test_what_is_here_already_stays(database: Database, sources: Sources, copies: Copies) -> None:
    source = sources("sqlite", "small")
    platform = database.open()
    platform.regions.create("World", hierarchy="my own")
    mine = platform.runs.create("model", "other model's scenario")
    platform.runs.create("model", "scenario")  # version 1 is taken
    with pytest.raises(stratalog.ImportRefused, match="model / scenario, version 1"):
        platform.import_ixmp4(source.dsn)
    dry = platform.import_ixmp4(source.dsn, dry_run=True)
    assert not dry.ok and "version numbers are taken" in dry.problems[0]
    _, err = import_ixmp4(database, source, "--dry-run", code=1)
    assert "1 problem" in err
    assert [unit.name for unit in platform.units.list()] == []

    shifted = copies(source)
    shifted.sql("UPDATE run SET version = 2 WHERE version = 1")
    platform.runs.get("model", "scenario", 1).set_as_default()
    report = platform.import_ixmp4(shifted.dsn)
    # Two default versions there cannot be, nor two hierarchies.
    assert len(report.differences) == 2
    assert any("World" in line and "my own" in line for line in report.differences)
    assert any("default version" in line for line in report.differences)
    out, err = import_ixmp4(database, shifted, code=1)
    assert "2 differences" in err and "difference: region" in out
    run = platform.runs.get("model", "scenario", 2)
    assert not run.is_default
    same(state(run), source.expected["runs"][0]["state"])
    assert platform.runs.create("model", "scenario").version == 3
    assert mine.log().empty
    assert platform.verify().ok


def test_what_changed_there_since_is_a_difference(
    database: Database, sources: Sources, copies: Copies
) -> None:
    for engine in ENGINES:
        source = copies(sources(engine, "small"))
        platform = database.open()
        if engine == "postgres":
            source.sql("UPDATE run SET version = version + 10")
        platform.import_ixmp4(source.dsn)
        run = platform.runs.list(default_only=False)[0]
        source.sql("UPDATE iamc_datapoint_universal SET value = 77 WHERE step_year = 2001")
        last = database.last_transaction()
        report = platform.import_ixmp4(source.dsn)
        (difference,) = report.differences
        assert "only there: World | V0 | EJ/yr | 2001: 77.0" in difference
        assert "only here: World | V0 | EJ/yr | 2001: 0.5" in difference
        assert database.last_transaction() == last
        # A run that was deleted here does not come back.
        for run in platform.runs.list(default_only=False):
            platform.runs.delete(run)
        last = database.last_transaction()
        report = platform.import_ixmp4(source.dsn)
        assert set(report.runs()["state"]) == {"deleted"}
        assert "left out" in report.notes[0]
        assert database.last_transaction() == last


def test_what_is_done_within_ten_seconds_is_one_transaction(
    database: Database, sources: Sources, copies: Copies
) -> None:
    source = copies(sources("postgres", "small", "40"))
    platform = database.open()
    # Of what the second block did, the items come an hour later.
    first = "(SELECT min(transaction_id) FROM opt_idx_version)"
    source.sql(
        f"UPDATE transaction SET issued_at = issued_at + interval '1 hour' WHERE id >= {first}",
        "INSERT INTO checkpoint (run__id, transaction__id, message) "
        "SELECT 1, transaction_id, 'in the middle' FROM opt_par_version "
        "ORDER BY transaction_id LIMIT 1",
        # Elements are there a statement before the indexset knows their type.
        "INSERT INTO checkpoint (run__id, transaction__id, message) "
        "SELECT 1, max(transaction_id), 'no type yet' FROM opt_idx_data_version",
    )
    report = platform.import_ixmp4(source.dsn)
    assert report.ok, report.differences
    run = platform.runs.get("model", "scenario", 1)
    log = run.log().iloc[::-1]
    tables = [sorted(row.split(", ")) for row in log["tables"]]
    assert tables[0] == ["datapoints"]
    assert tables[1] == ["datapoints", "meta_indicators"]
    assert "indexset_elements" in tables[2]
    assert "optimization_columns" not in tables[3] and "optimization_rows" not in tables[3]
    assert "optimization_rows" in tables[4]
    assert len(tables) == 5
    assert run.as_of("no type yet").optimization.indexsets.get("text").data == ["1", "2"]
    assert log["issued_at"].iloc[2] - log["issued_at"].iloc[1] > pd.Timedelta(minutes=59)
    assert run.checkpoints.list()[-1].message == "all"
    assert run.as_of("in the middle").optimization.parameters.get("p").tabulate().empty
    there = report.runs()["transactions_there"].sum()
    assert there > 10


def test_times_are_utc_whatever_the_zone_of_the_server(
    database: Database, sources: Sources, copies: Copies
) -> None:
    source = copies(sources("postgres", "small"))
    # What a server in Tokyo would have written.
    tables = ["region", "unit", "model", "scenario", "run"]
    source.sql(
        f"ALTER DATABASE {source.database} SET timezone = 'Asia/Tokyo'",
        "UPDATE transaction SET issued_at = issued_at + interval '9 hours'",
        *(f"UPDATE {table} SET created_at = created_at + interval '9 hours'" for table in tables),
    )
    platform = database.open()
    platform.import_ixmp4(source.dsn)
    there = source.expected["runs"][0]
    run = platform.runs.get("model", "scenario", 1)
    assert run.created_at == pd.Timestamp(there["created_at"], tz="UTC")
    age = run.log()["issued_at"] - pd.Timestamp(there["created_at"], tz="UTC")
    assert (age.abs() < pd.Timedelta(minutes=5)).all()


def test_a_history_that_is_not_all_is_made_up_for(
    database: Database, sources: Sources, copies: Copies
) -> None:
    source = copies(sources("postgres", "small"))
    tables = ["iamc_datapoint_universal", "runmetaentry", "opt_idx_data", "opt_par"]
    source.sql(
        *(f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in tables),
        "UPDATE iamc_datapoint_universal SET value = 77 WHERE step_year = 2001",
        "DELETE FROM iamc_datapoint_universal WHERE step_year = 2002",
        "DELETE FROM runmetaentry WHERE key = 'rows'",
        "UPDATE opt_par SET data = '{}'",
        "DELETE FROM opt_idx_data WHERE value = 'e1'",
    )
    platform = database.open()
    report = platform.import_ixmp4(source.dsn)
    assert report.ok, report.differences
    assert "transactions of its own" in report.notes[0]
    run = platform.runs.get("model", "scenario", 1)
    assert [row[3:] for row in points(run.iamc.tabulate())] == [[2000, None, 0.0], [2001, None, 77]]
    assert dict(run.meta) == {}
    assert run.optimization.indexsets.get("i").data == ["e0", "e2"]
    assert run.optimization.parameters.get("p").tabulate().empty
    expected = source.expected["runs"][0]["checkpoints"][-1]["state"]
    same(state(run.as_of("all")), expected)
    assert platform.verify().ok


@pytest.mark.parametrize("engine", ENGINES)
def test_many_points(database: Database, sources: Sources, engine: str) -> None:
    # ixmp4 takes a minute for more on PostgreSQL.
    count = 100_000 if engine == "sqlite" else 30_000
    source = sources(engine, "small", str(count))
    platform = database.open()
    report = platform.import_ixmp4(source.dsn)
    assert report.ok, report.differences
    run = platform.runs.get("model", "scenario", 1)
    same(state(run), source.expected["runs"][0]["state"])
    if engine == "postgres":
        assert len(run.as_of("half").iamc.tabulate()) == count // 2
        # One statement of ixmp4 is a transaction there.
        assert report.runs()["transactions_there"][0] > len(run.log())
    assert platform.verify().ok
