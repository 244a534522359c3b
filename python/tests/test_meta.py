"""Meta indicators as a dict."""

from collections.abc import MutableMapping

import numpy as np
import pandas as pd
import pytest
from support import Database, free, nothing_written

import stratalog


def typed(meta: object) -> dict[str, tuple[type, object]]:
    return {key: (type(value), value) for key, value in dict(meta).items()}  # type: ignore[call-overload]


def test_behaves_like_a_dict_that_keeps_types(run: stratalog.Run) -> None:
    with run.transact("meta"):
        run.meta["bool"] = True
        run.meta.update({"int": 1, "float": 1.0}, text="1")
    assert isinstance(run.meta, MutableMapping)
    assert typed(run.meta) == {
        "bool": (bool, True),
        "float": (float, 1.0),
        "int": (int, 1),
        "text": (str, "1"),
    }
    assert list(run.meta) == ["bool", "float", "int", "text"] and len(run.meta) == 4
    assert "int" in run.meta and "other" not in run.meta
    assert run.meta.get("other") is None and run.meta.get("other", 5) == 5
    assert (
        run.meta
        == {"bool": True, "float": 1.0, "int": 1, "text": "1"}
        != run.meta.copy() | {"a": 1}
    )
    assert repr(run.meta) == "{'bool': True, 'float': 1.0, 'int': 1, 'text': '1'}"
    with pytest.raises(KeyError, match="other"):
        run.meta["other"]
    with run.transact("less"):
        assert run.meta.pop("int") == 1
        del run.meta["bool"]
        with pytest.raises(KeyError):
            del run.meta["bool"]
        assert run.meta.setdefault("text", 2) == "1"
    assert run.meta == {"float": 1.0, "text": "1"}


def test_numpy_and_pandas_say_what_they_mean(run: stratalog.Run) -> None:
    series = pd.Series({"b": np.True_, "i": np.int32(7), "f": np.float32(0.5), "s": np.str_("x")})
    with run.transact("numpy"):
        run.meta = dict(series)
        assert typed(run.meta) == {
            "b": (bool, True),
            "f": (float, 0.5),
            "i": (int, 7),
            "s": (str, "x"),
        }
        run.meta.update({"b": None, "i": np.nan, "f": pd.NA, "s": pd.NaT, "new": float("nan")})
    assert run.meta == {}


def test_assigning_replaces_all_in_one_transaction(run: stratalog.Run) -> None:
    with run.transact("first"):
        run.meta = {"a": 1, "b": 2, "none": None}
    with run.transact("second"):
        run.meta = {"b": 2, "c": 3}
    assert run.meta == {"b": 2, "c": 3}
    assert run.as_of("first").meta == {"a": 1, "b": 2}
    log = run.log()
    assert log["operation"].tolist().count("meta.replace") == 2
    with run.transact("third"):
        run.meta.clear()
    assert run.meta == {}
    run.revert_to("first")
    assert run.meta == {"a": 1, "b": 2}
    with pytest.raises(stratalog.ReadOnlyView):
        run.as_of("second").meta["a"] = 2


def test_what_cannot_be_kept_is_refused(database: Database, run: stratalog.Run) -> None:
    database.watcher = database.open()
    with nothing_written(database, run), pytest.raises(stratalog.RunLockRequired):
        run.meta["a"] = 1
    refused: list[tuple[object, object, type[Exception], str]] = [
        ("version", 1, stratalog.InvalidName, "reserved"),
        ("", 1, stratalog.InvalidName, "empty"),
        (1, 1, stratalog.InvalidInput, "text"),
        ("a", 2**63, stratalog.InvalidInput, "64 bits"),
        ("a", [1], stratalog.InvalidInput, "list"),
        ("a", np.array([1, 2]), stratalog.InvalidInput, "one value"),
        ("a", pd.Timestamp("2026-01-01"), stratalog.InvalidInput, "Timestamp"),
        ("a", float("inf"), stratalog.InvalidFrame, "infinite"),
        ("a", "\0", stratalog.InvalidFrame, "NUL"),
        ("a", "\ud800", stratalog.InvalidInput, "surrogates"),
    ]
    with run.transact("bad"):
        for key, value, error, message in refused:
            with pytest.raises(error, match=message):
                run.meta.update({"good": 1, key: value})  # type: ignore[dict-item]
    assert run.meta == {} and free(database)


def test_the_platform_lists_default_runs(platform: stratalog.Platform) -> None:
    empty = platform.meta.tabulate()
    assert list(empty.columns) == ["model", "scenario", "version", "key", "value"] and empty.empty
    for value in (True, 2.5):
        run = platform.runs.create("m", "s")
        with run.transact("meta"):
            run.meta = {"category": value, "other": "x"}
    run.set_as_default()
    default = platform.meta.tabulate("cat*")
    assert default.values.tolist() == [["m", "s", 2, "category", 2.5]]
    every = platform.meta.tabulate(["category"], run={"default_only": False})
    assert every["value"].tolist() == [True, 2.5] and every["value"][0] is True
    assert platform.meta.tabulate(model="n").empty
