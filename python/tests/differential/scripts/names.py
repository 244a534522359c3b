"""Regions, units, models, scenarios and IAMC variables."""

from typing import Any

import pandas as pd


def regions(ixmp4: Any, platform: Any, see: Any) -> None:
    see(lambda: platform.regions.tabulate())
    see(lambda: platform.regions.list())
    world = see(lambda: platform.regions.create("World", hierarchy="common"))
    see(lambda: platform.regions.create("Austria", "country"))
    see(lambda: platform.regions.create("World", "other"))
    see(lambda: platform.regions.create("Italy"))
    see(lambda: world.name)
    see(lambda: world.hierarchy)
    see(lambda: world.created_at)
    see(lambda: isinstance(world.created_by, str))
    see(lambda: isinstance(world.id, int))
    see(lambda: platform.regions.get_by_name("World"))
    see(lambda: platform.regions.get_by_name("Nowhere"))
    see(lambda: platform.regions.list())
    see(lambda: platform.regions.tabulate())
    see(lambda: platform.regions.delete("Nowhere"))
    see(lambda: platform.regions.delete(4711))
    see(lambda: platform.regions.delete(3.5))
    see(lambda: platform.regions.delete(platform.regions.get_by_name("Austria").id))
    see(lambda: platform.regions.delete(world))
    see(lambda: world.delete())
    see(lambda: platform.regions.tabulate())
    see(lambda: platform.regions.create("", "common"), differs="names")
    see(lambda: platform.regions.create(" x ", "common"), differs="names")
    see(lambda: ixmp4.Region.NotFound.__name__)
    see(lambda: ixmp4.Region.NotUnique.__name__)
    see(lambda: ixmp4.Region.DeletionPrevented.__name__)


def units(ixmp4: Any, platform: Any, see: Any) -> None:
    see(lambda: platform.units.tabulate())
    unit = see(lambda: platform.units.create("EJ/yr"))
    see(lambda: platform.units.create("EJ/yr"))
    see(lambda: platform.units.create(""))
    see(lambda: platform.units.create("   "))
    see(lambda: platform.units.create("dimensionless"))
    see(lambda: unit.name)
    see(lambda: unit.created_at)
    see(lambda: platform.units.get_by_name(""))
    see(lambda: platform.units.get_by_name("EJ"))
    see(lambda: platform.units.list())
    see(lambda: platform.units.tabulate())
    see(lambda: platform.units.delete("EJ/yr"))
    see(lambda: platform.units.delete(unit))
    see(lambda: platform.units.delete(None))
    see(lambda: platform.units.get_by_name("").delete())
    see(lambda: platform.units.list())
    see(lambda: ixmp4.Unit.NotFound.__name__)
    see(lambda: ixmp4.Unit.NotUnique.__name__)


def models(ixmp4: Any, platform: Any, see: Any) -> None:
    see(lambda: platform.models.tabulate())
    model = see(lambda: platform.models.create("MESSAGE"))
    see(lambda: platform.models.create("MESSAGE"))
    see(lambda: platform.models.get_by_name("MESSAGE"))
    see(lambda: platform.models.get_by_name("REMIND"))
    platform.runs.create("AIM", "SSP2")
    see(lambda: platform.models.list())
    see(lambda: platform.models.tabulate())
    see(lambda: platform.models.delete("AIM"), differs="deletion prevented")
    see(lambda: platform.models.get_by_name("AIM").delete(), differs="deletion prevented")
    see(lambda: model.delete())
    see(lambda: platform.models.delete("MESSAGE"))
    see(lambda: platform.models.delete([]))
    see(lambda: platform.models.list())
    see(lambda: ixmp4.Model.NotFound.__name__)


def scenarios(ixmp4: Any, platform: Any, see: Any) -> None:
    see(lambda: platform.scenarios.tabulate())
    scenario = see(lambda: platform.scenarios.create("SSP1"))
    see(lambda: scenario.created_at)
    see(lambda: platform.scenarios.create("SSP1"))
    see(lambda: platform.scenarios.get_by_name("SSP1"))
    see(lambda: platform.scenarios.get_by_name("SSP9"))
    platform.runs.create("AIM", "SSP2")
    see(lambda: platform.scenarios.list())
    see(lambda: platform.scenarios.tabulate())
    see(lambda: platform.scenarios.delete("SSP2"), differs="deletion prevented")
    see(lambda: platform.scenarios.delete(scenario.id))
    see(lambda: platform.scenarios.delete({}))
    see(lambda: platform.scenarios.list())
    see(lambda: ixmp4.Scenario.NotFound.__name__)


def variables(ixmp4: Any, platform: Any, see: Any) -> None:
    facade = platform.iamc.variables
    see(lambda: facade.tabulate())
    coal = see(lambda: facade.create("Primary Energy|Coal"))
    see(lambda: facade.create("Primary Energy|Coal"))
    see(lambda: facade.create("Primary Energy|Gas"))
    see(lambda: coal.name)
    see(lambda: coal.created_at)
    see(lambda: facade.get_by_name("Primary Energy|Gas"))
    see(lambda: facade.get_by_name("Primary Energy"))
    see(lambda: facade.list())
    see(lambda: facade.tabulate())
    see(lambda: facade.delete("Primary Energy"))
    see(lambda: facade.delete(coal))
    see(lambda: facade.delete(0.5))
    see(lambda: coal.delete())
    see(lambda: facade.list())


def deletion_prevented(ixmp4: Any, platform: Any, see: Any) -> None:
    platform.regions.create("World", "common")
    platform.units.create("EJ/yr")
    run = platform.runs.create("model", "scenario")
    point = {"region": "World", "variable": "Coal", "unit": "EJ/yr", "year": 2030, "value": 1.0}
    with run.transact("a point"):
        run.iamc.add(pd.DataFrame([point]))
    see(lambda: platform.regions.delete("World"), differs="deletion prevented")
    see(lambda: platform.regions.get_by_name("World").delete(), differs="deletion prevented")
    see(lambda: platform.units.delete("EJ/yr"), differs="deletion prevented")
    see(lambda: platform.iamc.variables.delete("Coal"), differs="deletion prevented")
    see(lambda: platform.models.delete("model"), differs="deletion prevented")
    see(lambda: platform.scenarios.delete("scenario"), differs="deletion prevented")
    see(lambda: len(run.iamc.tabulate()))
    with run.transact("none"):
        run.iamc.remove(pd.DataFrame([point]))
    see(lambda: platform.regions.delete("World"))
    see(lambda: platform.regions.list())


def docs(platform: Any, see: Any) -> None:
    world = platform.regions.create("World", "common")
    platform.regions.create("Austria", "country")
    see(lambda: world.docs)
    world.docs = "All of it."
    see(lambda: world.docs)
    see(lambda: platform.regions.get_docs("World"))
    see(lambda: platform.regions.get_docs("Austria"))
    see(lambda: platform.regions.get_docs("Nowhere"))
    see(lambda: platform.regions.set_docs("Austria", "A country."))
    see(lambda: platform.regions.list_docs())
    see(lambda: platform.regions.list_docs(dimension__id=world.id))
    see(lambda: platform.regions.list_docs(dimension__id__in=[world.id]))
    see(lambda: platform.regions.set_docs("Austria", None))
    see(lambda: platform.regions.delete_docs("World"))
    see(lambda: platform.regions.delete_docs("World"))
    see(lambda: platform.regions.list_docs())
    world.docs = "Once more."

    def delete_twice() -> None:
        del world.docs
        del world.docs

    see(delete_twice)
    see(lambda: world.docs)

    def set_none() -> None:
        world.docs = None

    see(set_none)
    see(lambda: platform.regions.set_docs(world, "By object."))
    see(lambda: platform.regions.get_docs(world.id))
    for facade in (platform.units, platform.models, platform.scenarios, platform.iamc.variables):
        item = facade.create("something")
        see(lambda item=item: item.docs)
        item.docs = "What it is."
        see(lambda item=item: item.docs)
        see(lambda facade=facade: facade.get_docs("something"))
        see(lambda facade=facade: facade.set_docs("something", "Else."))
        see(lambda facade=facade: facade.list_docs())
        see(lambda facade=facade: facade.delete_docs("something"))
        see(lambda facade=facade: facade.get_docs("something"))
