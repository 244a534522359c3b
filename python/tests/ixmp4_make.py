"""Makes an ixmp4 database with ixmp4 itself, and writes down what it says of it.

    python ixmp4_make.py RECIPE DSN FILE.json [ARGUMENT...]

Runs in .venv-peer. The file gets, for each run, its state now and at each of its checkpoints, as
ixmp4 gave them at that moment.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
import warnings
from typing import Any

warnings.filterwarnings("ignore")

import pandas as pd  # noqa: E402
import sqlalchemy as sa  # noqa: E402
from ixmp4 import Platform  # noqa: E402
from ixmp4.data.backend import Backend  # noqa: E402
from ixmp4.db import get_alembic_controller  # noqa: E402
from ixmp4.transport import DirectTransport  # noqa: E402

KINDS = ["tables", "parameters", "variables", "equations"]


def points(run: Any) -> list[list[Any]]:
    frame = run.iamc.tabulate()
    if frame.empty:
        return []
    rows = []
    for row in frame.to_dict("records"):
        time = row.get("year", row.get("time"))
        moment = time.isoformat() if isinstance(time, pd.Timestamp) else int(time)
        part = row.get("subannual")
        part = None if part is None or pd.isna(part) else part
        rows.append([row["region"], row["variable"], row["unit"], moment, part, row["value"]])
    return sorted(rows, key=repr)


def meta(run: Any) -> dict[str, list[Any]]:
    """Types and values of indicators. As a dict they are not exact: among floats 1 becomes 1.0."""
    entries = run._backend.meta.list(run={"id": run.id, "default_only": False})
    return {entry.key: [type(entry.value).__name__, entry.value] for entry in entries}


def data(item: Any) -> list[list[Any]]:
    """A row per row: the elements in the order of the columns, then the values."""
    columns = item.data
    if not columns:
        return []
    own = item.column_names or item.indexset_names or []
    numbers = [name for name in ("values", "levels", "marginals") if name in columns]
    units = ["units"] if "units" in columns else []
    floats = ([float(number) for number in columns[name]] for name in numbers)
    texts = (columns[name] for name in units)
    rows = zip(*(columns[name] for name in own), *floats, *texts, strict=True)
    return sorted((list(row) for row in rows), key=repr)


def state(run: Any) -> dict[str, Any]:
    items = run.optimization
    return {
        "points": points(run),
        "meta": meta(run),
        "indexsets": {item.name: [item.docs, list(item.data)] for item in items.indexsets.list()},
        "scalars": {
            item.name: [item.docs, item.value, item.unit.name] for item in items.scalars.list()
        },
        **{
            kind: {
                item.name: [item.docs, item.indexset_names, item.column_names, data(item)]
                for item in getattr(items, kind).list()
            }
            for kind in KINDS
        },
    }


class Made:
    """A database on its way, with what is written down of it."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.has_history = dsn.startswith("postgresql")
        get_alembic_controller(dsn).upgrade_database("head")
        self.transport = DirectTransport.from_dsn(dsn)
        self.backend = Backend(self.transport)
        self.platform = Platform(self.backend)
        self.states: dict[int, dict[int, Any]] = {}

    def note(self, run: Any) -> None:
        """Writes down the state that the run's newest checkpoint names."""
        newest = int(run.checkpoints.tabulate()["id"].max())
        self.states.setdefault(run.id, {})[newest] = state(run)

    def pause(self, seconds: int) -> None:
        """Makes what was done so far that much older."""
        if not self.has_history:
            return
        with sa.create_engine(self.dsn).begin() as connection:
            age = sa.text(f"UPDATE transaction SET issued_at = issued_at - interval '{seconds} s'")
            connection.execute(age)

    def finish(self) -> dict[str, Any]:
        runs = []
        for run in self.platform.runs.list(default_only=False):
            checkpoints = [
                {
                    "id": int(row["id"]),
                    "message": row["message"],
                    "transaction": None
                    if pd.isna(row["transaction__id"])
                    else int(row["transaction__id"]),
                    "state": self.states.get(run.id, {}).get(int(row["id"])),
                }
                for row in run.checkpoints.tabulate().to_dict("records")
            ]
            runs.append(
                {
                    "id": run.id,
                    "model": run.model.name,
                    "scenario": run.scenario.name,
                    "version": run.version,
                    "is_default": run.is_default,
                    "created_at": run.created_at and run.created_at.isoformat(),
                    "created_by": run.created_by,
                    "checkpoints": checkpoints,
                    "state": state(run),
                }
            )
        # Listing them leaves out those without data in default runs.
        with sa.create_engine(self.dsn).connect() as connection:
            variables = (
                connection.execute(sa.text("SELECT name FROM iamc_variable")).scalars().all()
            )
        names = {
            "regions": {
                region.name: [region.hierarchy, region.docs]
                for region in self.platform.regions.list()
            },
            "units": {unit.name: unit.docs for unit in self.platform.units.list()},
            "models": {model.name: model.docs for model in self.platform.models.list()},
            "scenarios": {one.name: one.docs for one in self.platform.scenarios.list()},
            "variables": {
                name: self.platform.iamc.variables.get_by_name(name).docs for name in variables
            },
        }
        self.transport.close()
        return {"runs": runs, "names": names}


def frame(rows: list[tuple[Any, ...]], *time: str) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["region", "variable", "unit", *time, "value"])


def yearly(*rows: tuple[str, int, float], region: str = "World") -> pd.DataFrame:
    return frame(
        [(region, variable, "EJ/yr", year, value) for variable, year, value in rows], "step_year"
    )


def everything(made: Made) -> None:
    """All that a database can hold, changed and removed in all ways."""
    platform = made.platform
    platform.regions.create("World", hierarchy="common")
    platform.regions.create("Österreich / \"Süd\" 'x'", hierarchy="country")
    platform.regions.create("Gone", hierarchy="common")
    for unit in ("EJ/yr", "km", "", "gone"):
        platform.units.create(unit)
    platform.regions.get_by_name("World").docs = "All of it."
    platform.units.get_by_name("km").docs = "Kilometres"

    run = platform.runs.create("model", "scenario")
    platform.models.get_by_name("model").docs = "A model"
    platform.scenarios.get_by_name("scenario").docs = "A scenario\nin two lines"
    with run.transact("first"):
        run.iamc.add(yearly(("Primary", 2020, 1.0), ("Primary", 2030, 2.5), ("Final", 2020, -0.0)))
        run.iamc.add(yearly(("Primary", 2020, 7.0), region="Gone"), type="ANNUAL")
        run.meta = {"int": 1, "float": 1.0, "bool": True, "str": "text", "gone": "soon"}
        run.checkpoints.create("within")
        made.note(run)
        run.iamc.add(
            frame(
                [
                    ("World", "Primary", "EJ/yr", 2020, "summer", 1.0),
                    ("World", "Primary", "EJ/yr", 2020, "winter", 2.0),
                ],
                "step_year",
                "step_category",
            ),
            type="CATEGORICAL",
        )
        moments = [pd.Timestamp("2020-01-01 12:30:00.123456"), pd.Timestamp("1969-12-31 23:00")]
        run.iamc.add(
            frame([("World", "Primary", "km", at, 3.25) for at in moments], "step_datetime"),
            type="DATETIME",
        )
    made.note(run)
    platform.iamc.variables.get_by_name("Primary").docs = "Primary energy"
    made.pause(60)

    with run.transact("items"):
        items = run.optimization
        plants, years, shares = (items.indexsets.create(name) for name in ("plants", "years", "s"))
        plants.add_data(["seattle", "san-diego", "Zürich", "x"])
        years.add_data([2020, 2030])
        shares.add_data([0.5, 1.0, 1e-05])
        items.indexsets.create("empty")
        items.scalars.create("f", 90.0, "km")
        items.scalars.create("old unit", 1.0, "gone")
        links = items.tables.create("links", ["plants", "plants"], column_names=["from", "to"])
        links.add_data({"from": ["seattle", "x"], "to": ["san-diego", "x"]})
        cost = items.parameters.create("cost", ["plants", "years"])
        cost.add_data(
            {
                "plants": ["seattle", "x", "Zürich"],
                "years": [2020, 2030, 2030],
                "values": [1, 2.5, -3.0],
                "units": ["km", "", "EJ/yr"],
            }
        )
        flow = items.variables.create("flow", ["plants"])
        flow.add_data({"plants": ["x"], "levels": [1.0], "marginals": [0.0]})
        total = items.variables.create("total")
        total.add_data({"levels": [5.0], "marginals": [0.1]})
        balance = items.equations.create("balance", ["s"])
        balance.add_data({"s": [0.5, 1e-05], "levels": [1, 2], "marginals": [0, 0.5]})
        cost.docs = "What it costs"
        plants.docs = "Where"
    made.note(run)

    with run.transact("changes"):
        run.iamc.add(yearly(("Primary", 2020, 10.0), ("Primary", 2030, 2.5), ("Final", 2050, 4.0)))
        run.iamc.remove(yearly(("Final", 2020, 0.0)).drop(columns="value"), type="ANNUAL")
        run.iamc.remove(
            yearly(("Primary", 2020, 0.0), region="Gone").drop(columns="value"), type="ANNUAL"
        )
        run.meta["int"] = "now text"
        run.meta["float"] = 2.0
        run.meta["gone"] = None
        # With the element go the rows that have it.
        plants.remove_data("x")
        cost.add_data({"plants": ["seattle"], "years": [2020], "values": [9.0], "units": ["km"]})
        items.scalars.get_by_name("f").value = 91.5
        items.scalars.delete("old unit")
        items.tables.delete("links")
        again = items.tables.create("links", ["years"])
        again.add_data({"years": [2030]})
        total.remove_data()
        items.equations.delete("balance")
        shares.add_data([7.0])
    made.note(run)
    made.pause(60)

    try:
        with run.transact("fails"):
            run.meta["int"] = 5
            run.iamc.add(yearly(("Primary", 2020, 99.0)), type="ANNUAL")
            raise RuntimeError("on purpose")
    except RuntimeError:
        pass
    if not made.has_history:
        # ixmp4 cannot take it back here; so does the recipe.
        with run.transact("repaired"):
            run.meta["int"] = "now text"
            run.iamc.add(yearly(("Primary", 2020, 10.0)), type="ANNUAL")
        made.note(run)
    if made.has_history:
        target = run.checkpoints.tabulate().set_index("message").loc["items", "transaction__id"]
        with run.transact("reverted"):
            made.backend.runs.revert(run.id, int(target))
        run = platform.runs.get("model", "scenario", version=1)
        made.note(run)
        with run.transact("after the revert"):
            run.iamc.remove(yearly(("Primary", 2020, 0.0)).drop(columns="value"), type="ANNUAL")
            run.iamc.remove(
                yearly(("Primary", 2020, 0.0), region="Gone").drop(columns="value"), type="ANNUAL"
            )
            run.optimization.scalars.delete("old unit")
        made.note(run)

    # Not of the first: ixmp4 fails to clone a run with all types of points.
    second = platform.runs.create("model", "scenario")
    with second.transact("second"):
        second.iamc.add(yearly(("Primary", 2020, 5.0)), type="ANNUAL")
        second.optimization.scalars.create("f", 1.5, "km")
    made.note(second)
    clone = second.clone()
    made.note(clone)
    deleted = platform.runs.create("model", "scenario")
    fifth = platform.runs.create("model", "scenario")
    deleted.delete()
    fifth.set_as_default()
    second.set_as_default()
    with fifth.transact(""):
        fifth.meta["x"] = 1
    made.note(fifth)
    with fifth.transact("checkpoint"):
        fifth.meta["x"] = 2
    made.note(fifth)

    platform.runs.create("model", "empty")
    named = platform.runs.create("other model", "scenario")
    with named.transact("nothing yet"):
        pass
    made.note(named)
    with named.transact("twice the same name"):
        named.meta["n"] = 1
    made.note(named)
    with named.transact("twice the same name"):
        named.meta["n"] = 2
    made.note(named)

    if made.has_history:
        platform.regions.delete("Gone")
        platform.units.delete("gone")


def small(made: Made, rows: str = "3") -> None:
    """One run with so many points, a checkpoint in the middle, a parameter, and a second run."""
    count = int(rows)
    platform = made.platform
    platform.regions.create("World", hierarchy="common")
    platform.units.create("EJ/yr")
    run = platform.runs.create("model", "scenario")
    years = range(2000, 2000 + min(count, 100))
    all_points = [(f"V{at // len(years)}", years[at % len(years)], at * 0.5) for at in range(count)]
    with run.transact("half"):
        run.iamc.add(yearly(*all_points[: (count + 1) // 2]), type="ANNUAL")
    made.note(run)
    with run.transact("all"):
        if count > 1:
            run.iamc.add(yearly(*all_points[(count + 1) // 2 :]), type="ANNUAL")
        run.meta["rows"] = count
        elements = run.optimization.indexsets.create("i")
        elements.add_data([f"e{at}" for at in range(3)])
        run.optimization.indexsets.create("text").add_data(["1", "2"])
        parameter = run.optimization.parameters.create("p", ["i"])
        parameter.add_data({"i": ["e0", "e2"], "values": [1.5, 2.5], "units": ["EJ/yr", "EJ/yr"]})
    made.note(run)
    other = platform.runs.create("model", "other")
    with other.transact("other"):
        other.meta["x"] = True
    run.set_as_default()


class Chance:
    """Changes of one run at random."""

    def __init__(self, run: Any, seed: int) -> None:
        self.run = run
        self.random = random.Random(seed)

    def some(self, *of: Any) -> list[Any]:
        return self.random.sample(of, self.random.randint(1, len(of)))

    def some_points(self) -> pd.DataFrame:
        values = [round(self.random.uniform(-5, 5), 1) for _ in range(6)]
        kind = self.random.choice(["ANNUAL", "CATEGORICAL", "DATETIME"])
        places = [("World", "A", "EJ/yr"), ("World", "B", "km"), ("Europe", "A", "EJ/yr")]
        times = {
            "ANNUAL": [(2020,), (2030,)],
            "CATEGORICAL": [(2020, "summer"), (2020, "winter")],
            "DATETIME": [(pd.Timestamp(2020, 1, 1, hour),) for hour in (1, 2)],
        }[kind]
        columns = {
            "ANNUAL": ["step_year"],
            "CATEGORICAL": ["step_year", "step_category"],
            "DATETIME": ["step_datetime"],
        }[kind]
        keys = self.some(*(place + time for place in places for time in times))
        rows = [(*key, value) for key, value in zip(keys, values, strict=False)]
        return frame(rows, *columns).assign(type=kind)

    def add_points(self) -> None:
        self.run.iamc.add(self.some_points())

    def remove_points(self) -> None:
        self.run.iamc.remove(self.some_points().drop(columns="value"))

    def set_meta(self) -> None:
        for key in self.some("a", "b", "c"):
            self.run.meta[key] = self.random.choice([1, 1.0, True, "one", None, 2, "two"])

    def change_indexset(self) -> None:
        sets = self.run.optimization.indexsets
        for name, elements in (("i", ["x", "y", "z"]), ("j", [1, 2, 3])):
            if name not in [each.name for each in sets.list()]:
                sets.create(name)
            indexset = sets.get_by_name(name)
            gone = [element for element in self.some(*elements) if element in indexset.data]
            if gone and self.random.random() < 0.4:
                indexset.remove_data(gone)
            new = [element for element in elements if element not in indexset.data]
            if new:
                indexset.add_data(self.some(*new))

    def change_item(self, kind: str) -> None:
        items = getattr(self.run.optimization, kind)
        sets = {each.name: list(each.data) for each in self.run.optimization.indexsets.list()}
        if not sets:
            return
        there = {each.name: each for each in items.list()}
        name = self.random.choice(["p", "q"])
        if name not in there:
            used = self.some(*sets)
            columns = [f"{each} column" for each in used] if self.random.random() < 0.5 else None
            items.create(name, used, column_names=columns)
            return
        item = there[name]
        if self.random.random() < 0.15:
            items.delete(name)
            return
        columns = item.column_names or item.indexset_names
        combinations = list(itertools.product(*(sets[each] for each in item.indexset_names)))
        if not combinations:
            return
        keys = self.some(*combinations)[:4]
        rows = pd.DataFrame(keys, columns=columns)
        if self.random.random() < 0.3:
            item.remove_data(rows)
            return
        number = [self.random.randint(-3, 3) / 2 for _ in keys]
        if kind == "parameters":
            rows = rows.assign(values=number, units=self.random.choice(["km", "EJ/yr"]))
        elif kind != "tables":
            rows = rows.assign(levels=number, marginals=0.5)
        item.add_data(rows)

    def change_scalar(self) -> None:
        scalars = self.run.optimization.scalars
        there = {each.name: each for each in scalars.list()}
        name = self.random.choice(["s", "t"])
        if name not in there:
            scalars.create(name, self.random.random(), "km")
        elif self.random.random() < 0.3:
            scalars.delete(name)
        else:
            there[name].value = self.random.random()

    def step(self) -> None:
        change = self.random.choice(
            [
                self.add_points,
                self.add_points,
                self.remove_points,
                self.set_meta,
                self.change_indexset,
                self.change_scalar,
                lambda: self.change_item("tables"),
                lambda: self.change_item("parameters"),
                lambda: self.change_item("parameters"),
                lambda: self.change_item("variables"),
                lambda: self.change_item("equations"),
            ]
        )
        change()


def at_random(made: Made, seed: str, blocks: str) -> None:
    """Two runs, changed in turn and at random, and now and then reverted by ixmp4."""
    platform = made.platform
    for region in ("World", "Europe"):
        platform.regions.create(region, hierarchy="common")
    for unit in ("EJ/yr", "km"):
        platform.units.create(unit)
    # A revert of ixmp4 takes measurands that are newer than its target from other runs as well,
    # and fails: all of them are there before.
    base = platform.runs.create("model", "base")
    with base.transact("base"):
        series = [("World", "A", "EJ/yr", 2020, 1.0), ("World", "B", "km", 2020, 1.0)]
        base.iamc.add(frame(series, "step_year"), type="ANNUAL")
    made.note(base)
    runs = [platform.runs.create("model", "scenario") for _ in range(2)]
    chances = [Chance(run, int(seed) * 2 + at) for at, run in enumerate(runs)]
    for block in range(int(blocks)):
        chance = chances[block % 2]
        run = chance.run
        checkpoints = run.checkpoints.tabulate()
        if block > 4 and chance.random.random() < 0.2 and made.has_history:
            target = chance.random.choice(checkpoints["transaction__id"].tolist())
            with run.transact(f"block {block}"):
                made.backend.runs.revert(run.id, int(target))
            chance.run = run = platform.runs.get("model", "scenario", version=run.version)
        else:
            with run.transact(f"block {block}"):
                for _ in range(chance.random.randint(1, 4)):
                    chance.step()
        made.note(run)
        if chance.random.random() < 0.3:
            made.pause(30)


RECIPES = {"everything": everything, "small": small, "random": at_random}


def main(recipe: str, dsn: str, file: str, *arguments: str) -> None:
    made = Made(dsn)
    RECIPES[recipe](made, *arguments)
    with open(file, "w", encoding="utf-8") as out:
        json.dump(made.finish(), out)


if __name__ == "__main__":
    main(*sys.argv[1:])
