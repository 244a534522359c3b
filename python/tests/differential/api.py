"""Holds the swap's public names against those of ixmp4.core, which has to be installed here.

    python api.py

Prints, as JSON, what the swap has not or has in another way, by name, and which names there are.
"""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
from collections.abc import Iterator
from typing import Any

import ixmp4.core

import stratalog.ixmp4

MISSING = object()


def public_names() -> Iterator[tuple[str, Any]]:
    """Names below ixmp4.core, as ``run.Run.transact``, and what they are."""
    modules = pkgutil.walk_packages(ixmp4.core.__path__, "ixmp4.core.")
    for module in map(importlib.import_module, sorted(info.name for info in modules)):
        place = module.__name__.removeprefix("ixmp4.core.")
        for name, held in vars(module).items():
            if name.startswith("_") or inspect.ismodule(held):
                continue
            if place == "exceptions":
                yield f"{place}.{name}", held
            elif getattr(held, "__module__", "") == module.__name__:
                yield f"{place}.{name}", held
                if inspect.isclass(held):
                    for attribute in {*dir(held), *held.__annotations__}:
                        if not attribute.startswith("_") or (name, attribute) == (
                            "Platform",
                            "__init__",
                        ):
                            yield (
                                f"{place}.{name}.{attribute}",
                                inspect.getattr_static(held, attribute, None),
                            )
    for package in (ixmp4, ixmp4.core):
        for name, held in vars(package).items():
            if not name.startswith("_") and not inspect.ismodule(held):
                yield name, held


def in_swap(name: str) -> Any:
    held: Any = stratalog.ixmp4.core
    for part in name.split("."):
        annotated = None if part in getattr(held, "__annotations__", ()) else MISSING
        held = inspect.getattr_static(held, part, annotated)
    return held


def unlike(there: Any, here: Any) -> str | None:
    """Why what works there would not work here."""
    if here is MISSING:
        return "is missing"
    there, here = (getattr(each, "__func__", each) for each in (there, here))
    if not inspect.isfunction(there):
        return None
    if not inspect.isfunction(here):
        return f"is {type(here).__name__}, not a function"
    wanted, given = (list(inspect.signature(each).parameters.values()) for each in (there, here))
    if len(given) < len(wanted):
        return f"takes {inspect.signature(here)}, not {inspect.signature(there)}"
    for ours, theirs in zip(given, wanted, strict=False):
        same = (ours.kind, ours.default) == (theirs.kind, theirs.default)
        named = ours.name == theirs.name or theirs.kind is theirs.VAR_KEYWORD
        if not (same and named):
            return f"takes {inspect.signature(here)}, not {inspect.signature(there)}"
    more = given[len(wanted) :]
    if any(each.default is each.empty for each in more):
        return f"needs more: {inspect.signature(here)}"
    return None


def main() -> None:
    names = dict(public_names())
    unfit = {name: why for name, there in names.items() if (why := unlike(there, in_swap(name)))}
    print(json.dumps({"names": list(names), "unfit": unfit}))


if __name__ == "__main__":
    main()
