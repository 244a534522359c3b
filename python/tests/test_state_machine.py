"""Random work on several runs against a model in memory, on both engines.

After each step the live state of the runs it touched and their state as of every checkpoint equal
the model, and `verify` is clean; at the end so it is for all runs. PROPTEST_CASES raises the number
of cases.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from support import ENGINES, Database

import stratalog

REGIONS = ["World", "Africa"]
RUNS = 3

Key = tuple[str, str, Any, str | None]
"""Region, variable, year or moment, part of the year."""
State = dict[Key, str]
"""Values by key, as text: 0.0 and -0.0 differ."""

keys = st.tuples(
    st.sampled_from(REGIONS),
    st.sampled_from(["a", "b|c"]),
    st.one_of(
        st.tuples(st.sampled_from([2020, 2030]), st.sampled_from([None, "Winter"])),
        st.tuples(st.just(dt.datetime(2020, 1, 1, 12)), st.none()),
    ),
).map(lambda key: (key[0], key[1], *key[2]))
numbers = st.sampled_from([0.0, -0.0, 1.0, 1.5, -1e308, 5e-324])

additions = st.dictionaries(keys, numbers, max_size=6).map(lambda rows: ("add", rows))
removals = st.lists(keys, unique=True, max_size=4).map(lambda rows: ("remove", rows))
checkpoints = st.sampled_from(["raw", "clean"]).map(lambda message: ("checkpoint", message))
reverts = st.integers(0, 100).map(lambda pick: ("revert", pick))
operations = st.lists(st.one_of(additions, additions, removals, checkpoints, reverts), max_size=4)


class Crash(BaseException):
    """What no `except Exception` catches."""


@dataclass
class Model:
    """What a run should be."""

    run: stratalog.Run
    live: State = field(default_factory=dict)
    states: dict[int, State] = field(default_factory=lambda: {0: {}})
    """The state after each of the run's transactions."""
    checkpoints: list[tuple[str, int]] = field(default_factory=list)
    """Message and transaction."""

    def follow(self) -> None:
        """After a write: the live state is that of the run's last transaction."""
        last = self.run.last_transaction
        # A transaction that is known already means that nothing was written.
        assert self.states.setdefault(last, dict(self.live)) == self.live

    def checkpointed(self, message: str) -> None:
        self.checkpoints.append((message, self.run.last_transaction))


def table(rows: list[tuple[Key, float | None]]) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "region": [key[0] for key, _ in rows],
            "variable": [key[1] for key, _ in rows],
            "unit": ["EJ/yr" for _ in rows],
            "time": pd.Series([key[2] for key, _ in rows], dtype=object),
            "subannual": [key[3] for key, _ in rows],
            "value": [value for _, value in rows],
        }
    )
    if all(key[3] is None for key, _ in rows):
        return frame.drop(columns="subannual")
    # With parts of the year the times are two columns.
    time = frame.pop("time")
    is_year = time.map(lambda at: isinstance(at, int))
    return frame.assign(year=time.where(is_year, None), datetime=time.where(~is_year, None))


def state(points: pa.Table) -> State:
    found: State = {}
    for row in points.to_pylist():
        year = row.get("year")
        time = row["datetime"] if year is None else year
        found[row["region"], row["variable"], time, row.get("subannual")] = repr(row["value"])
    assert len(found) == len(points)
    return found


class Machine(RuleBasedStateMachine):
    engine: str
    folder: Path

    @initialize()
    def begin(self) -> None:
        self.database = Database(self.engine, Path(tempfile.mkdtemp(dir=self.folder)))
        self.platform = self.database.open()
        for region in REGIONS:
            self.platform.regions.create(region)
        self.platform.units.create("EJ/yr")
        self.runs = [Model(self.platform.runs.create("model", f"{n}")) for n in range(RUNS)]
        self.touched: list[Model] = []

    def teardown(self) -> None:
        if hasattr(self, "runs"):
            self.touched = self.runs
            self.the_runs_are_as_the_model_says()
            self.database.drop()

    def perform(self, model: Model, operation: str, what: Any) -> None:
        run = model.run
        if operation == "add":
            counts = run.iamc.add(table(list(what.items())))
            new = {key: repr(value) for key, value in what.items()}
            assert counts.inserted == len(new.keys() - model.live.keys())
            same = {key for key in new if model.live.get(key) == new[key]}
            assert counts.total == len(new) - len(same)
            model.live |= new
        elif operation == "remove":
            # A variable that no run ever had is an error, which other tests are about.
            known = {named.name for named in self.platform.variables.list()}
            rows = [key for key in what if key[1] in known]
            counts = run.iamc.remove(table([(key, None) for key in rows]).drop(columns="value"))
            assert counts.deleted == counts.total == len(set(rows) & model.live.keys())
            model.live = {key: value for key, value in model.live.items() if key not in rows}
        elif operation == "checkpoint":
            run.checkpoints.create(what)
            model.checkpointed(what)
        else:
            self.revert(model, sorted(model.states)[what % len(model.states)])
        model.follow()

    def revert(self, model: Model, transaction: int, target: Any = None) -> None:
        before = model.live
        model.live = dict(model.states[transaction])
        counts = model.run.revert_to(transaction if target is None else target)
        assert counts.inserted == len(model.live.keys() - before.keys())
        assert counts.deleted == len(before.keys() - model.live.keys())

    @rule(
        n=st.integers(0, RUNS - 1),
        operations=operations,
        failure=st.sampled_from([None, None, ValueError, KeyboardInterrupt, SystemExit, Crash]),
    )
    def block(self, n: int, operations: list[Any], failure: type[BaseException] | None) -> None:
        model = self.runs[n]
        self.touched = [model]
        begun = dict(model.live)
        made = len(model.checkpoints)
        try:
            with model.run.transact("block"):
                for operation, what in operations:
                    self.perform(model, operation, what)
                if failure is not None:
                    raise failure
            model.checkpointed("block")
        except BaseException as error:
            if failure is None or type(error) is not failure:
                raise
            made_inside = model.checkpoints[made:]
            model.live = dict(model.states[made_inside[-1][1]]) if made_inside else begun
            model.follow()

    @rule(n=st.integers(0, RUNS - 1), m=st.integers(0, RUNS - 1), operations=operations)
    def two_blocks_at_once(self, n: int, m: int, operations: list[Any]) -> None:
        one, two = self.runs[n], self.runs[m]
        if n == m:
            return
        self.touched = [one, two]
        with one.run.transact("one"), two.run.transact("two"):
            for turn, (operation, what) in enumerate(operations):
                self.perform((one, two)[turn % 2], operation, what)
        two.checkpointed("two")
        one.checkpointed("one")

    @rule(n=st.integers(0, RUNS - 1), pick=st.integers(0, 100), by_name=st.booleans())
    def revert_to_a_checkpoint(self, n: int, pick: int, by_name: bool) -> None:
        model = self.runs[n]
        self.touched = [model]
        if not model.checkpoints:
            return
        picked = pick % len(model.checkpoints)
        message, transaction = model.checkpoints[picked]
        if by_name:
            # A name means its latest checkpoint.
            transaction = [at for name, at in model.checkpoints if name == message][-1]
            self.revert(model, transaction, message)
            done = f'revert to "{message}"'
        else:
            checkpoint = model.run.checkpoints.list()[picked]
            self.revert(model, transaction, checkpoint)
            done = f"revert to checkpoint {checkpoint.id}"
        model.follow()
        model.checkpointed(done)

    @rule(n=st.integers(0, RUNS - 1), pick=st.integers(0, 100))
    def revert_to_a_transaction(self, n: int, pick: int) -> None:
        model = self.runs[n]
        self.touched = [model]
        transaction = sorted(model.states)[pick % len(model.states)]
        self.revert(model, transaction)
        model.follow()
        model.checkpointed(f"revert to transaction {transaction}")

    @rule(n=st.integers(0, RUNS - 1), picks=st.tuples(st.integers(0, 100), st.integers(0, 100)))
    def compare(self, n: int, picks: tuple[int, int]) -> None:
        model = self.runs[n]
        a, b = (sorted(model.states)[pick % len(model.states)] for pick in picks)
        before, after = model.states[a], model.states[b]
        changes = pa.Table.from_pandas(model.run.iamc.difference(a, b), preserve_index=False)
        operation = changes["operation"].to_pylist()
        assert operation.count("insert") == len(after.keys() - before.keys())
        assert operation.count("delete") == len(before.keys() - after.keys())
        for column, old, new in (("value_before", before, after), ("value_after", after, before)):
            values = changes.append_column("value", changes[column])
            assert state(values.filter(pc.is_valid(values["value"]))) == {
                key: value for key, value in old.items() if new.get(key) != value
            }

    @invariant()
    def the_runs_are_as_the_model_says(self) -> None:
        for model in self.touched:
            assert not model.run.owns_lock
            assert state(model.run.iamc.arrow()) == model.live
            found = model.run.checkpoints.list()
            assert [(c.message, c.transaction_id) for c in found] == model.checkpoints
            for checkpoint in found:
                then = checkpoint.iamc.arrow()
                assert state(then) == model.states[checkpoint.transaction_id]
        if self.touched:
            report = self.platform.verify()
            assert report.ok, report
        self.touched = []


@pytest.mark.long
@pytest.mark.parametrize("on", ENGINES)
def test_random_work(on: str, tmp_path: Path) -> None:
    class OnEngine(Machine):
        engine = on
        folder = tmp_path

    run_state_machine_as_test(OnEngine)
