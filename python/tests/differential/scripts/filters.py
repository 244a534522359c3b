"""Filters of each kind, on each list and table."""

import datetime as dt
from typing import Any

import pandas as pd


def _prepare(platform: Any) -> tuple[Any, Any, Any]:
    for region, hierarchy in (
        ("World", "common"),
        ("Austria", "country"),
        ("Australia", "country"),
        ("Unused", "none"),
    ):
        platform.regions.create(region, hierarchy)
    for unit in ("EJ/yr", "Mt CO2/yr", "Mt CH4/yr", "unused"):
        platform.units.create(unit)
    rows = [
        ("World", "Primary Energy", "EJ/yr", 2020, 1.0),
        ("World", "Primary Energy|Coal", "EJ/yr", 2030, 2.0),
        ("Austria", "Emissions|CO2", "Mt CO2/yr", 2020, 3.0),
        ("Australia", "Emissions|CO2", "Mt CO2/yr", 2040, 4.0),
    ]
    frame = pd.DataFrame(rows, columns=["region", "variable", "unit", "year", "value"])
    first = platform.runs.create("model 1", "scenario 1")
    second = platform.runs.create("model 1", "scenario 1")
    third = platform.runs.create("model 2", "scenario 2")
    platform.runs.create("model 3", "scenario 2")
    with first.transact("all"):
        first.iamc.add(frame)
    with second.transact("all"):
        second.iamc.add(
            frame.assign(value=10.0, unit="Mt CH4/yr", variable="Emissions|CH4").iloc[:2]
        )
    with third.transact("all"):
        third.iamc.add(frame.iloc[2:])
        third.iamc.add(
            pd.DataFrame(
                [
                    ("World", "Price", "EJ/yr", dt.datetime(2020, 1, 1, 6), 5.0),
                    ("World", "Price", "EJ/yr", dt.datetime(2021, 1, 1), 6.0),
                ],
                columns=["region", "variable", "unit", "datetime", "value"],
            )
        )
        third.iamc.add(
            pd.DataFrame(
                [
                    ("World", "Load", "EJ/yr", 2020, "summer", 7.0),
                    ("World", "Load", "EJ/yr", 2020, "winter", 8.0),
                ],
                columns=["region", "variable", "unit", "year", "subannual", "value"],
            )
        )
    first.set_as_default()
    third.set_as_default()
    return first, second, third


def names(platform: Any, see: Any) -> None:
    _prepare(platform)
    world = platform.regions.get_by_name("World")
    for facade in (platform.regions, platform.units, platform.models, platform.scenarios):
        every = facade.tabulate()["name"].tolist()
        see(lambda facade=facade, every=every: facade.list(name=every[0]))
        see(lambda facade=facade, every=every: facade.tabulate(name=every[0]))
        see(lambda facade=facade, every=every: facade.list(name__in=every[1:]))
        see(lambda facade=facade: facade.list(name__in=[]))
        see(lambda facade=facade: facade.list(name__like="*1"))
        # Models begin with a small m, units with a capital one.
        case = {"sqlite": "letters and their case"} if facade is platform.models else None
        see(lambda facade=facade: facade.list(name__like="M*"), differs=case)
        see(lambda facade=facade: facade.list(name__ilike="M*"))
        see(lambda facade=facade: facade.list(name__like="%"))
        see(lambda facade=facade: facade.list(name__notlike="*u*"))
        see(lambda facade=facade: facade.list(name__notilike="*U*"))
        see(lambda facade=facade, every=every: facade.list(id=facade.get_by_name(every[0]).id))
        see(lambda facade=facade: facade.list(id__in=[facade.list()[1].id, 4711]))
        see(lambda facade=facade: facade.list(iamc=True))
        see(lambda facade=facade: facade.list(iamc=False))
        see(lambda facade=facade: facade.list(iamc=None))
        see(lambda facade=facade: facade.list(iamc={}))
        see(lambda facade=facade: facade.list(iamc={"variable": {"name": "Primary Energy"}}))
        see(lambda facade=facade: facade.list(iamc={"variable": {"name__like": "Emissions*"}}))
        see(lambda facade=facade: facade.list(iamc={"run": {"model": {"name": "model 2"}}}))
        see(lambda facade=facade: facade.list(iamc={"run": {"default_only": False}}))
        see(lambda facade=facade: facade.list(nothing="x"))
        see(lambda facade=facade: facade.list(name__nothing="x"))
        see(lambda facade=facade: facade.list(name=3))
        see(lambda facade=facade: facade.list(id="x"))
        see(lambda facade=facade: facade.list(iamc={"nothing": 1}))
    see(lambda: platform.regions.list(hierarchy="country"))
    see(lambda: platform.regions.list(hierarchy__in=["country", "none"]))
    see(lambda: platform.regions.list(hierarchy__like="co*"))
    see(lambda: platform.regions.list(hierarchy__ilike="CO*"))
    see(lambda: platform.regions.list(hierarchy__notlike="co*"))
    see(lambda: platform.regions.list(hierarchy__notilike="CO*"))
    see(lambda: platform.regions.list(hierarchy="country", name__like="*ia"))
    see(lambda: platform.regions.list(iamc={"unit": {"name": "EJ/yr"}}))
    see(lambda: platform.units.list(iamc={"region": {"name": "World"}}))
    see(lambda: platform.units.list(iamc={"region": {"id": world.id}}))
    see(lambda: platform.models.list(iamc={"region": {"name": "World"}, "unit": {"name": "EJ/yr"}}))
    see(lambda: platform.scenarios.list(iamc={"region": {"name__in": ["Austria"]}}))


def variables(platform: Any, see: Any) -> None:
    _prepare(platform)
    platform.iamc.variables.create("Unused")
    facade = platform.iamc.variables
    see(lambda: facade.list(), order=False)
    see(lambda: facade.list(run=None), order=False)
    see(lambda: facade.list(run={"default_only": False}), order=False)
    see(lambda: facade.list(name="Price"), order=False)
    see(lambda: facade.list(name__in=["Price", "Load"]), order=False)
    see(lambda: facade.list(name__like="Emissions|*"), order=False)
    see(lambda: facade.list(name__ilike="EMISSIONS|*"), order=False)
    see(lambda: facade.list(name__notlike="*|*"), order=False)
    see(lambda: facade.list(name__notilike="*E*"), order=False)
    see(lambda: facade.tabulate(region={"name": "Austria"}), order=False)
    see(lambda: facade.tabulate(unit={"name": "EJ/yr"}), order=False)
    see(lambda: facade.tabulate(run={"model": {"name": "model 2"}}), order=False)
    see(lambda: facade.list(run={"default_only": False, "version": 2}), order=False)
    see(lambda: facade.list(id=facade.get_by_name("Load").id), order=False)
    see(lambda: facade.list(id__in=[facade.get_by_name("Load").id]), order=False)
    see(lambda: facade.list(nothing=1), order=False)
    see(lambda: facade.list(run={"nothing": 1}), order=False)


def runs(platform: Any, see: Any) -> None:
    first, second, _ = _prepare(platform)
    facade = platform.runs
    everything = {"default_only": False}
    see(lambda: facade.list())
    see(lambda: facade.list(default_only=True))
    see(lambda: facade.list(default_only=False))
    see(lambda: facade.list(is_default=True))
    see(lambda: facade.list(is_default=False))
    see(lambda: facade.list(is_default=False, **everything))
    see(lambda: facade.list(id=first.id))
    see(lambda: facade.list(id=second.id))
    see(lambda: facade.list(id__in=[first.id, second.id], **everything))
    see(lambda: facade.list(version=2, **everything))
    see(lambda: facade.list(version__in=[1, 2], **everything))
    see(lambda: facade.list(model="model 1", **everything))
    see(lambda: facade.list(model="model*"))
    see(lambda: facade.list(model=["model 1", "model 2"]))
    see(lambda: facade.list(model=["model*"]))
    see(lambda: facade.list(model={"name": "model 2"}))
    see(lambda: facade.list(model={"name__in": ["model 2"]}))
    see(lambda: facade.list(model={"name__like": "*2"}))
    see(lambda: facade.list(scenario="scenario 2", **everything))
    see(lambda: facade.list(scenario={"name__notlike": "*2"}, **everything))
    see(lambda: facade.list(scenario={"id": platform.scenarios.get_by_name("scenario 2").id}))
    see(lambda: facade.list(iamc=True, **everything))
    see(lambda: facade.list(iamc=False, **everything))
    see(lambda: facade.list(iamc=None, **everything))
    see(lambda: facade.list(iamc={}, **everything))
    see(lambda: facade.list(iamc={"variable": {"name": "Price"}}))
    see(lambda: facade.list(iamc={"region": {"name__like": "Aus*"}}))
    see(lambda: facade.list(iamc={"unit": {"name": "Mt CH4/yr"}}, **everything))
    see(lambda: facade.list(iamc={"variable": {"name": "Price"}, "region": {"name": "Austria"}}))
    see(lambda: facade.tabulate(model="model 1", scenario="scenario 1", **everything))
    see(lambda: facade.tabulate(model="nothing"))
    see(lambda: facade.list(nothing=1))
    see(lambda: facade.list(model=3))
    see(lambda: facade.list(model={"nothing": "x"}))
    see(lambda: facade.list(version="x"))
    see(lambda: facade.list(default_only="yes"))


def points(platform: Any, see: Any) -> None:
    first, second, third = _prepare(platform)
    noon = dt.datetime(2020, 6, 1)
    for facade in (third.iamc, platform.iamc):
        for filters in (
            {"region": "World"},
            {"region": "Aus*"},
            {"region": ["World", "Austria"]},
            {"region": ["Aus*"]},
            {"region": {"name": "World"}},
            {"region": {"name__in": ["World"]}},
            {"region": {"name__notlike": "Aus*"}},
            {"region": {"hierarchy": "country"}},
            {"region": {"id": platform.regions.get_by_name("World").id}},
            {"variable": "Emissions|*"},
            {"variable": {"name__ilike": "EMISSIONS*"}},
            {"variable": ["Price", "nothing"]},
            {"unit": "EJ/yr"},
            {"unit": {"name__like": "Mt*"}},
            {"year": 2020},
            {"year__in": [2020, 2030]},
            {"year__gt": 2020},
            {"year__gte": 2030},
            {"year__lt": 2030},
            {"year__lte": 2020},
            {"step_year": 2040},
            {"category": "summer"},
            {"category__in": ["winter"]},
            {"step_category": "summer"},
            {"datetime": dt.datetime(2021, 1, 1)},
            {"datetime__in": [dt.datetime(2020, 1, 1, 6)]},
            {"datetime__gt": noon},
            {"datetime__gte": noon},
            {"datetime__lt": noon},
            {"datetime__lte": noon},
            {"step_datetime__lt": noon},
            {"type": "ANNUAL"},
            {"type": "DATETIME"},
            {"type__in": ["CATEGORICAL", "ANNUAL"]},
            {"value": 4.0},
            {"value__in": [4.0, 7.0]},
            {"value__gt": 4},
            {"value__gte": 4.0},
            {"value__lt": 4.0},
            {"value__lte": 4.0},
            {"model": "model 2"},
            {"model": {"name": "model 1"}},
            {"scenario": "scenario*"},
            {"scenario": ["scenario 1"]},
            {"region": "World", "year": 2020},
            {"region": "nothing"},
            {"nothing": 1},
            {"region": {"nothing": 1}},
            {"region": 3},
            {"year": "text"},
            {"value__like": "x"},
        ):
            see(
                lambda facade=facade, filters=filters: facade.tabulate(**filters),
                order=False,
                label=str(filters),
            )
    for run in (
        {"default_only": False},
        {"default_only": True},
        {"default_only": False, "version": 2},
        {"id": first.id},
        {"id": second.id},
        {"id": second.id, "default_only": False},
        {"id__in": [first.id, second.id], "default_only": False},
        {"is_default": False, "default_only": False},
        {"nothing": 1},
    ):
        see(lambda run=run: platform.iamc.tabulate(run=run), order=False, label=str(run))


def more(platform: Any, see: Any) -> None:
    first, _, _ = _prepare(platform)
    for filters in (
        {"year": [2020, 2030]},
        {"run": {"default_only": False, "model": "model 1"}},
        {"run": {"default_only": False, "model": {"name__in": ["model 2"]}}},
        {"run": {"scenario": ["scenario 2"]}},
    ):
        see(
            lambda filters=filters: platform.iamc.tabulate(**filters),
            differs="more filters",
            label=str(filters),
        )
    for filters in (
        {"id": 1},
        {"id__in": [1]},
        {"time_series__id": 1},
        {"time_series__id__in": [1]},
    ):
        see(
            lambda filters=filters: platform.iamc.tabulate(**filters),
            differs="ids of points",
            label=str(filters),
        )
    with first.transact("meta"):
        first.meta["a"] = 1
    see(lambda: platform.meta.tabulate(id__in=[1]), differs="ids of points")
    platform.units.get_by_name("unused").docs = "Nobody needs it."
    see(lambda: platform.units.list_docs(id__in=[1]), differs="ids of points")


def items(platform: Any, see: Any) -> None:
    platform.units.create("km")
    run = platform.runs.create("model", "scenario")
    other = platform.runs.create("model", "scenario")
    for each in (run, other):
        with each.transact("all"):
            optimization = each.optimization
            for name in ("alpha", "beta", "Gamma"):
                optimization.indexsets.create(name)
                optimization.scalars.create(name, 1.0, "km")
                optimization.tables.create(name, ["alpha"])
                optimization.parameters.create(name, ["alpha"])
                optimization.variables.create(name, ["alpha"])
                optimization.equations.create(name, ["alpha"])
    optimization = run.optimization
    for facade in (
        optimization.indexsets,
        optimization.scalars,
        optimization.tables,
        optimization.parameters,
        optimization.variables,
        optimization.equations,
    ):
        see(lambda facade=facade: facade.list())
        see(lambda facade=facade: facade.list(name="alpha"))
        see(lambda facade=facade: facade.tabulate(name="alpha"))
        see(lambda facade=facade: facade.list(name__in=["beta", "Gamma", "x"]))
        see(lambda facade=facade: facade.list(name__like="*a"))
        see(
            lambda facade=facade: facade.list(name__like="g*"),
            differs={"sqlite": "letters and their case"},
        )
        see(lambda facade=facade: facade.list(name__ilike="g*"))
        see(lambda facade=facade: facade.list(name__notlike="*l*"))
        see(lambda facade=facade: facade.list(name__notilike="G*"))
        see(lambda facade=facade: facade.list(id=facade.get_by_name("beta").id))
        see(lambda facade=facade: facade.list(id__in=[facade.get_by_name("beta").id]))
        see(lambda facade=facade: facade.list(nothing=1))
        see(lambda facade=facade: facade.tabulate(name="nothing"))
        see(lambda facade=facade: facade.list(name=1))
