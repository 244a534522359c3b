"""Optimization items."""

from typing import Any

import pandas as pd


def _prepare(platform: Any) -> Any:
    for unit in ("km", "USD"):
        platform.units.create(unit)
    return platform.runs.create("model", "scenario")


def indexsets(platform: Any, see: Any) -> None:
    run = _prepare(platform)
    items = run.optimization.indexsets
    see(lambda: items.list())
    see(lambda: items.tabulate())
    with run.transact("all"):
        i = see(lambda: items.create("i"))
        see(lambda: items.create("i"))
        see(lambda: i.data)
        see(lambda: i.add_data(["seattle", "san-diego"]))
        see(lambda: i.data)
        see(lambda: i.add_data("boston"))
        see(lambda: i.data)
        see(lambda: i.add_data("boston"))
        see(lambda: i.add_data(["a", "a"]))
        see(lambda: i.add_data([]))
        see(lambda: i.add_data(3))
        see(lambda: i.add_data(["b", 3]), differs="one kind of refusal")
        see(lambda: i.add_data(None))
        see(lambda: i.add_data([True]))
        see(lambda: i.remove_data("seattle"))
        see(lambda: i.data)
        see(lambda: i.remove_data("not there"))
        see(lambda: i.remove_data(["boston", "not there"]))
        see(lambda: i.remove_data(3))
        see(lambda: i.data)
        years = items.create("years")
        see(lambda: years.add_data([2030, 2020]))
        see(lambda: years.add_data(2025))
        see(lambda: years.data)
        see(lambda: years.add_data(2025.0))
        see(lambda: years.add_data("2026"))
        see(lambda: years.remove_data(2030))
        see(lambda: years.data)
        see(lambda: years.remove_data([2020, 2025]))
        see(lambda: years.data)
        see(lambda: years.add_data("text"))
        see(lambda: years.data)
        floats = items.create("floats")
        see(lambda: floats.add_data([0.5, 1.0, -3.25]))
        see(lambda: floats.data)
        see(lambda: floats.add_data(2))
    see(lambda: i.name)
    see(lambda: i.run_id == run.id)
    see(lambda: i.created_at)
    see(lambda: items.get_by_name("i"))
    see(lambda: items.get_by_name("j"))
    see(lambda: items.list())
    see(lambda: items.tabulate())
    with run.transact("deleted"):
        see(lambda: items.delete("floats"))
        see(lambda: items.delete("floats"))
        see(lambda: items.delete(4711))
        see(lambda: items.delete(None))
        see(lambda: items.delete(years.id))
        see(lambda: items.delete(i))
        see(lambda: i.delete())
    see(lambda: items.list())


def scalars(platform: Any, see: Any) -> None:
    run = _prepare(platform)
    items = run.optimization.scalars
    see(lambda: items.list())
    see(lambda: items.tabulate())
    km = platform.units.get_by_name("km")
    with run.transact("all"):
        s = see(lambda: items.create("s", 3.7, "km"))
        see(lambda: items.create("s", 1, "km"))
        see(lambda: items.create("t", 1, "no unit"))
        see(lambda: items.create("with object", 2, km))
        see(lambda: items.create("without", 0.5))
        see(lambda: items.get_by_name("without").unit.name)
        see(lambda: s.value)
        see(lambda: s.unit.name)
        see(lambda: s.unit.id == km.id)
        see(lambda: setattr(s, "value", 4))
        see(lambda: s.value, differs="values are numbers")
        see(lambda: setattr(s, "unit", "USD"))
        see(lambda: s.unit.name)
        see(lambda: setattr(s, "unit", km))
        see(lambda: s.unit.name)
        see(lambda: setattr(s, "unit", "no unit"))
        see(lambda: s.update(value=10))
        see(lambda: s.update(unit_name="USD"))
        see(lambda: s.update(value=-1.5, unit_name="km"))
        see(lambda: s.update(), differs="an update of nothing")
        see(lambda: (s.value, s.unit.name))
        see(lambda: s.update(unit_name="no unit"))
        see(lambda: items.create("text", "no number", "km"))
    see(lambda: s.name)
    see(lambda: s.run_id == run.id)
    see(lambda: s.created_at)
    see(lambda: items.get_by_name("s"))
    see(lambda: items.get_by_name("r"))
    see(lambda: items.list())
    see(lambda: items.tabulate())
    see(lambda: platform.units.delete("km"), differs="deletion prevented")
    with run.transact("deleted"):
        see(lambda: items.delete("s"))
        see(lambda: items.delete("s"))
        see(lambda: items.delete(1.5))
        see(lambda: items.get_by_name("without").delete())
    see(lambda: items.list())


def _with_sets(platform: Any, see: Any) -> Any:
    run = _prepare(platform)
    with run.transact("sets"):
        for name, data in (
            ("i", ["seattle", "san-diego"]),
            ("j", ["new-york", "chicago"]),
            ("y", [2030, 2020]),
        ):
            run.optimization.indexsets.create(name).add_data(data)
    return run


def tables(platform: Any, see: Any) -> None:
    run = _with_sets(platform, see)
    items = run.optimization.tables
    see(lambda: items.list())
    see(lambda: items.tabulate())
    with run.transact("all"):
        t = see(lambda: items.create("t", constrained_to_indexsets=["i", "j"]))
        see(lambda: items.create("t", ["i"]))
        see(lambda: items.create("named", ["i", "i"], column_names=["from", "to"]))
        see(lambda: items.create("too few", ["i", "j"], column_names=["from"]))
        see(lambda: items.create("twice", ["i", "j"], column_names=["a", "a"]))
        see(lambda: t.indexset_names)
        see(lambda: t.column_names)
        see(lambda: t.data)
        see(lambda: t.add_data({"i": ["seattle"], "j": ["chicago"]}))
        see(lambda: t.data)
        see(lambda: t.add_data(pd.DataFrame([["san-diego", "new-york"]], columns=["i", "j"])))
        see(lambda: t.add_data({"i": ["seattle"], "j": ["chicago"]}))
        see(lambda: sorted(zip(t.data["i"], t.data["j"], strict=True)))
        see(lambda: t.add_data({"i": ["seattle"]}), differs="one kind of refusal")
        see(lambda: t.add_data({"i": ["seattle"], "j": ["chicago"], "k": ["x"]}))
        see(lambda: t.add_data({"i": ["seattle"], "k": ["chicago"]}), differs="one kind of refusal")
        see(lambda: t.add_data({"i": ["seattle", "san-diego"], "j": ["chicago"]}))
        see(lambda: t.add_data({"i": ["nowhere"], "j": ["chicago"]}))
        see(lambda: t.add_data({"i": ["seattle", "seattle"], "j": ["new-york", "new-york"]}))
        see(lambda: t.add_data({"i": [None], "j": ["chicago"]}))
        see(lambda: t.add_data({}))
        see(lambda: t.add_data(pd.DataFrame()))
        see(lambda: sorted(zip(t.data["i"], t.data["j"], strict=True)))
        see(lambda: t.remove_data({"i": ["seattle"], "j": ["chicago"]}))
        see(lambda: t.data)
        see(lambda: t.remove_data({"i": ["seattle"], "j": ["new-york"]}))
        see(lambda: t.remove_data({"i": ["seattle"]}))
        see(lambda: t.remove_data({}))
        see(lambda: t.remove_data())
        see(lambda: t.data)
        named = items.get_by_name("named")
        see(lambda: (named.indexset_names, named.column_names))
        see(lambda: named.add_data({"from": ["seattle"], "to": ["san-diego"]}))
        see(lambda: named.data)
        years = items.create("years", ["y"])
        see(lambda: years.add_data({"y": [2020]}))
        see(lambda: years.data)
        see(lambda: years.add_data({"y": ["2020"]}))
    see(lambda: t.name)
    see(lambda: t.run_id == run.id)
    see(lambda: t.created_at)
    see(lambda: items.get_by_name("t"))
    see(lambda: items.get_by_name("u"))
    see(lambda: items.list())
    see(lambda: items.tabulate())
    with run.transact("deleted"):
        see(lambda: run.optimization.indexsets.delete("i"), differs="deletion prevented")
        see(
            lambda: run.optimization.indexsets.get_by_name("i").delete(),
            differs="deletion prevented",
        )
        see(lambda: items.delete("t"))
        see(lambda: items.delete("t"))
        see(lambda: items.delete(4711))
        see(lambda: items.delete([]))
        see(lambda: named.delete())
    see(lambda: items.list())


def parameters(platform: Any, see: Any) -> None:
    run = _with_sets(platform, see)
    items = run.optimization.parameters
    see(lambda: items.list())
    see(lambda: items.tabulate())
    row = {"i": ["seattle"], "j": ["chicago"], "values": [1.7], "units": ["km"]}
    with run.transact("all"):
        p = see(lambda: items.create("p", constrained_to_indexsets=["i", "j"]))
        see(lambda: items.create("p", ["i"]))
        see(lambda: items.create("too many", ["i"], column_names=["a", "b"]))
        see(lambda: (p.data, p.values, p.units, p.indexset_names, p.column_names))
        see(lambda: p.add_data(row))
        see(lambda: p.data)
        see(lambda: (p.values, p.units))
        see(lambda: p.add_data({**row, "values": [1.8]}))
        see(lambda: p.data)
        see(lambda: p.add_data({**row, "values": [2]}))
        see(lambda: p.values)
        more = pd.DataFrame(
            [["san-diego", "chicago", 1.8, "km"], ["seattle", "new-york", 2.5, "USD"]],
            columns=["i", "j", "values", "units"],
        )
        see(lambda: p.add_data(more))
        see(lambda: pd.DataFrame(p.data)[["i", "j", "values", "units"]], order=False)
        see(lambda: p.add_data({**row, "units": ["no unit"]}))
        see(lambda: p.add_data({"i": ["seattle"], "j": ["chicago"], "values": [1.0]}))
        see(
            lambda: p.add_data({"i": ["seattle"], "values": [1.0], "units": ["km"]}),
            differs="one kind of refusal",
        )
        see(lambda: p.add_data({**row, "k": ["x"]}))
        see(lambda: p.add_data({**row, "i": ["nowhere"]}))
        see(lambda: p.add_data({**row, "values": [None]}), differs="values are numbers")
        see(lambda: p.add_data({**row, "values": [float("nan")]}), differs="values are numbers")
        see(lambda: p.add_data({key: held * 2 for key, held in row.items()}))
        see(lambda: p.add_data({}))
        see(lambda: pd.DataFrame(p.data)[["i", "j", "values", "units"]], order=False)
        see(lambda: p.remove_data({"i": ["seattle"], "j": ["chicago"]}))
        see(lambda: p.remove_data({"i": ["seattle"], "j": ["new-york"], "values": [7.0], "x": [1]}))
        see(lambda: p.data)
        see(lambda: p.remove_data({"j": ["chicago"]}))
        see(lambda: p.remove_data())
        see(lambda: p.data)
        see(lambda: p.add_data({**row, "values": ["text"]}), differs="values are numbers")
        see(lambda: p.remove_data())
        mixed = items.create("mixed", ["y", "i"], column_names=["year", "place"])
        see(
            lambda: mixed.add_data(
                {"year": [2020], "place": ["seattle"], "values": [1], "units": ["km"]}
            )
        )
        see(lambda: mixed.data, differs="values are numbers")
        see(
            lambda: mixed.add_data(
                {"year": [2020], "place": ["seattle"], "values": [1.5], "units": ["km"]}
            )
        )
    see(lambda: items.get_by_name("p"))
    see(lambda: items.get_by_name("q"))
    see(lambda: items.list())
    see(lambda: items.tabulate())
    with run.transact("deleted"):
        see(lambda: items.delete("p"))
        see(lambda: items.delete("p"))
        see(lambda: items.delete(1.5))
        see(lambda: mixed.delete())
    see(lambda: items.list())


def unknown_indexsets(platform: Any, see: Any) -> None:
    run = _with_sets(platform, see)
    items = run.optimization
    with run.transact("refused"):
        for facade in (items.tables, items.parameters, items.variables, items.equations):
            see(lambda facade=facade: facade.create("x", ["k"]))
    see(lambda: items.tables.list(), differs="nothing is left behind")
    see(lambda: items.variables.list(), differs="nothing is left behind")
    see(lambda: items.tables.tabulate()["name"].tolist(), differs="nothing is left behind")


def columns_like_values(platform: Any, see: Any) -> None:
    """Models have indexsets that are called level."""
    run = _with_sets(platform, see)
    items = run.optimization
    with run.transact("all"):
        items.indexsets.create("level").add_data(["primary", "final"])
        items.indexsets.create("unit").add_data(["km"])
        x = see(lambda: items.variables.create("x", ["level"]))
        see(lambda: x.add_data({"level": ["final"], "levels": [1.0], "marginals": [0.0]}))
        see(lambda: x.data)
        p = see(lambda: items.parameters.create("p", ["level"]))
        see(lambda: p.add_data({"level": ["final"], "values": [1.0], "units": ["km"]}))
        see(lambda: p.data)
        named = see(lambda: items.parameters.create("named", ["unit"], column_names=["of"]))
        see(lambda: named.add_data({"of": ["km"], "values": [1.0], "units": ["km"]}))
        see(
            lambda: items.parameters.create("q", ["unit"]),
            differs="columns called value and unit",
        )


def _solution(run: Any, items: Any, see: Any) -> None:
    row = {"i": ["seattle"], "j": ["chicago"], "levels": [1.5], "marginals": [0.25]}
    see(lambda: items.list())
    see(lambda: items.tabulate())
    with run.transact("all"):
        x = see(lambda: items.create("x", constrained_to_indexsets=["i", "j"]))
        see(lambda: items.create("x", ["i"]))
        see(lambda: items.create("names only", column_names=["a"]))
        see(lambda: items.create("too few", ["i", "j"], column_names=["from"]))
        see(lambda: (x.data, x.levels, x.marginals, x.indexset_names, x.column_names))
        see(lambda: x.add_data(row))
        see(lambda: x.data)
        see(lambda: (x.levels, x.marginals))
        see(lambda: x.add_data({**row, "levels": [2]}))
        see(lambda: x.data)
        see(lambda: x.add_data(pd.DataFrame({**row, "j": ["new-york"]})))
        see(lambda: pd.DataFrame(x.data), order=False)
        see(lambda: x.add_data({"i": ["seattle"], "j": ["chicago"], "levels": [1.0]}))
        see(lambda: x.add_data({"i": ["seattle"], "j": ["chicago"]}))
        see(
            lambda: x.add_data({"i": ["seattle"], "levels": [1.0], "marginals": [1.0]}),
            differs="one kind of refusal",
        )
        see(lambda: x.add_data({**row, "k": ["x"]}))
        see(lambda: x.add_data({**row, "i": ["nowhere"]}))
        see(lambda: x.add_data({**row, "levels": [None]}), differs="values are numbers")
        see(lambda: x.add_data({key: held * 2 for key, held in row.items()}))
        see(lambda: x.add_data({}))
        see(lambda: x.remove_data({"i": ["seattle"], "j": ["chicago"]}))
        see(lambda: x.data)
        see(lambda: x.remove_data({"j": ["chicago"]}))
        see(lambda: x.remove_data())
        see(lambda: x.data)
        z = see(lambda: items.create("z"))
        see(lambda: (z.data, z.levels, z.indexset_names, z.column_names))
        see(lambda: z.add_data({"levels": [1.0], "marginals": [2.0]}))
        see(lambda: z.data)
        see(lambda: z.add_data({"levels": [3.0], "marginals": [4.0]}))
        see(lambda: z.data)
        see(lambda: z.add_data({"levels": [1.0, 2.0], "marginals": [2.0, 3.0]}))
        see(lambda: z.add_data({"i": ["seattle"], "levels": [1.0], "marginals": [2.0]}))
        see(lambda: z.remove_data({"levels": [3.0]}))
        see(lambda: z.data)
        see(lambda: z.remove_data())
        see(lambda: z.data)
    see(lambda: items.get_by_name("x"))
    see(lambda: items.get_by_name("q"))
    see(lambda: str(items.get_by_name("x")).replace(str(x.id), "?"))
    see(lambda: x.created_at)
    see(lambda: items.list())
    see(lambda: items.tabulate())
    with run.transact("deleted"):
        see(lambda: items.delete("x"))
        see(lambda: items.delete("x"))
        see(lambda: items.delete(1.5))
        see(lambda: z.delete())
    see(lambda: items.list())


def variables(platform: Any, see: Any) -> None:
    run = _with_sets(platform, see)
    _solution(run, run.optimization.variables, see)


def equations(platform: Any, see: Any) -> None:
    run = _with_sets(platform, see)
    _solution(run, run.optimization.equations, see)


def solution(platform: Any, see: Any) -> None:
    run = _with_sets(platform, see)
    see(lambda: run.optimization.has_solution())
    with run.transact("all"):
        x = run.optimization.variables.create("x", ["i"])
        e = run.optimization.equations.create("e")
        p = run.optimization.parameters.create("p", ["i"])
        p.add_data({"i": ["seattle"], "values": [1.0], "units": ["km"]})
        see(lambda: run.optimization.has_solution())
        e.add_data({"levels": [1.0], "marginals": [0.0]})
        see(lambda: run.optimization.has_solution())
        x.add_data({"i": ["seattle"], "levels": [1.0], "marginals": [0.0]})
        see(lambda: run.optimization.remove_solution())
        see(lambda: run.optimization.has_solution())
        see(lambda: run.optimization.variables.get_by_name("x").data)
        see(lambda: run.optimization.parameters.get_by_name("p").data)


def dependent_data(platform: Any, see: Any) -> None:
    """Removing elements removes the rows that depend on them."""
    run = _with_sets(platform, see)
    items = run.optimization
    with run.transact("all"):
        t = items.tables.create("t", ["i", "j"])
        t.add_data({"i": ["seattle", "san-diego"], "j": ["chicago", "chicago"]})
        n = items.tables.create("n", ["i", "i"], column_names=["from", "to"])
        n.add_data({"from": ["seattle", "san-diego"], "to": ["san-diego", "san-diego"]})
        p = items.parameters.create("p", ["i", "y"])
        p.add_data(
            {
                "i": ["seattle", "san-diego"],
                "y": [2020, 2030],
                "values": [1.0, 2.0],
                "units": ["km", "km"],
            }
        )
        x = items.variables.create("x", ["i"])
        x.add_data({"i": ["seattle", "san-diego"], "levels": [1.0, 2.0], "marginals": [0.0, 0.0]})
        see(lambda: items.indexsets.get_by_name("i").remove_data("seattle"))
        see(lambda: items.indexsets.get_by_name("i").data)
        see(lambda: items.tables.get_by_name("t").data)
        see(lambda: items.tables.get_by_name("n").data)
        see(lambda: items.parameters.get_by_name("p").data)
        see(lambda: items.variables.get_by_name("x").data)
        see(lambda: items.indexsets.get_by_name("y").remove_data([2030]))
        see(lambda: items.parameters.get_by_name("p").data)


def docs(platform: Any, see: Any) -> None:
    run = _with_sets(platform, see)
    items = run.optimization
    with run.transact("all"):
        made = [
            (items.indexsets, items.indexsets.get_by_name("i")),
            (items.scalars, items.scalars.create("s", 1, "km")),
            (items.tables, items.tables.create("t", ["i"])),
            (items.parameters, items.parameters.create("p", ["i"])),
            (items.variables, items.variables.create("x", ["i"])),
            (items.equations, items.equations.create("e", ["i"])),
        ]
        for facade, item in made:
            see(lambda item=item: item.docs)
            see(lambda item=item: setattr(item, "docs", "What it is."))
            see(lambda item=item: item.docs)
            see(lambda facade=facade, item=item: facade.get_docs(item.name))
            see(lambda facade=facade, item=item: facade.set_docs(item.id, "Else."))
            see(lambda facade=facade, item=item: facade.get_docs(item))
            see(lambda facade=facade: facade.list_docs())
            see(lambda facade=facade, item=item: facade.delete_docs(item))
            see(lambda item=item: item.docs)
            see(lambda facade=facade: facade.get_docs("not there"))
    other = platform.runs.create("model", "scenario")
    with other.transact("other"):
        other.optimization.scalars.create("s", 1, "km").docs = "Of another run."
    see(lambda: items.scalars.list_docs(), differs="docs of items")
    see(lambda: setattr(items.scalars.get_by_name("s"), "docs", "Now."), differs="docs of items")
    see(lambda: items.scalars.set_docs("s", "Later."), differs="docs of items")
