"""The page: rates, ratios, and whether the targets are met. Nobody edits the numbers by hand."""

import math
from dataclasses import dataclass, field

Line = dict[str, float]
Side = dict[str, Line]

ENGINES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}


@dataclass(frozen=True)
class Targets:
    """What is to be reached on an engine."""

    times_ixmp4: float | None = None
    of_the_floor: float | None = None
    rate: float | None = None
    """Points per second."""
    ms: float | None = None


@dataclass(frozen=True)
class Work:
    name: str
    floor: str | None = None
    """The operation of `benches/write`; small work has the floor that is measured beside it."""
    sqlite: Targets = field(default_factory=Targets)
    postgres: Targets = field(default_factory=Targets)


WORKS = {
    "add": Work("add into an empty run", "add", Targets(30, 0.6), Targets(25, 0.7)),
    "add again": Work("add again, nothing changed", "add again", Targets(60), Targets(60)),
    "update": Work("add again, all values changed", "update all", Targets(30), Targets(20)),
    "remove": Work("remove all", "remove all", Targets(30), Targets(30)),
    "arrow": Work("tabulate to Arrow", "tabulate", Targets(rate=2e6), Targets(rate=1e6)),
    "pandas": Work("tabulate to pandas", "tabulate", Targets(8), Targets(8)),
    "change 100": Work("change 100 points and checkpoint", None, Targets(20, ms=5), Targets(10, ms=10)),
    "revert 100": Work("revert that change", None, Targets(ms=5), Targets(500, ms=10)),
    "one row": Work("one-row transact block", None, Targets(ms=3), Targets(ms=6)),
    "import": Work("import of the package", None, Targets(ms=150), Targets(ms=150)),
}
MEMORY = 200
"""MB above the frame."""
MORE_MEMORY = 20
"""MB that ten times as many points of a stream may take."""
BULK_SLOPE, FLAT_SLOPE = 1.1, 0.1
WRITERS = 1.7

GROWTH = {
    "add": ("add", BULK_SLOPE),
    "update": ("change all", BULK_SLOPE),
    "remove": ("remove all", BULK_SLOPE),
    "read": ("read in batches", BULK_SLOPE),
    "change 100": ("change 100", FLAT_SLOPE),
    "revert 100": ("revert that", FLAT_SLOPE),
}


def page(
    results: dict[str, dict[str, Side]],
    machine: str,
    versions: dict[str, str],
    date: str,
    rounds: int,
    command: str,
) -> str:
    parts = [
        "# Benchmarks",
        f"Written by `{command.strip()}` on {date}; nobody edits it.",
        f"Machine: {machine}. Versions: " + ", ".join(f"{name} {version}" for name, version in versions.items()) + ".",
        "Each side runs in a process of its own on a fresh database with the engine's default"
        " durability, from a pandas frame to a committed, checkpointed run. The sides take turns, because"
        f" other work on the machine comes and goes: of {rounds} rounds the fastest counts, for each work and"
        " side (of memory, the most). Speeds are points per"
        " second (of small work: times per second). ixmp4 is measured with fewer points than"
        " stratalog, because it takes minutes for many: what is compared is speed, and the number of"
        " its points stands beside each ratio; its revert goes through all points of the run and takes the"
        " longer the more there are, so fewer are to its advantage. The floor is the engine without the"
        " library. For work on all points it is measured in Rust (`benches/write`), with fewer points, and"
        " the library is compared with it there, in the same run; for small work it is SQL from Python"
        " (`benches/peer/small_floor.py`), takes turns with the others beside as many points as"
        " stratalog's, and has one commit where a block has three. How many times ixmp4's speed the"
        " floor itself reaches stands beside. A target in **bold** is not met.",
    ]
    for engine, sides in results.items():
        parts += [
            f"## {ENGINES[engine]}",
            sizes(sides),
            table(engine, sides),
            memory(sides),
            growth(sides),
            writers(engine, sides),
        ]
    return "\n\n".join(part for part in parts if part) + "\n"


def target(text: str, value: float | None, wanted: float | None) -> str:
    """The target in words, bold if it is not met."""
    if wanted is None:
        return ""
    if value is None:
        return f"{text} (not measured)"
    return text if value >= wanted else f"**{text}**"


def at_most(text: str, value: float | None, wanted: float | None) -> str:
    return target(text, None if value is None else -value, wanted and -wanted)


def points(side: Side) -> int:
    return int(side["add"]["rows"])


def sizes(sides: dict[str, Side]) -> str:
    floor = next((int(line["rows"]) for line in sides["floor"].values()), 0)
    return (
        f"Points: stratalog {points(sides['stratalog']):,}, ixmp4 {points(sides['ixmp4']):,},"
        f" SQLAlchemy-Continuum {points(sides['continuum']):,}, the floor and the library beside it {floor:,}."
    )


def speed(side: Side, work: str) -> float | None:
    line = side.get(work)
    if line is None:
        return None
    # Small work is about a fixed number of points, whatever there is.
    rows = line["rows"] if line["rows"] > 100 else 1
    return rows / line["seconds"]


def table(engine: str, sides: dict[str, Side]) -> str:
    lines = [
        "| work | stratalog | time | ixmp4 | times ixmp4 | Continuum | of the floor | floor, times ixmp4 | target |",
        "|---|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    for key, work in WORKS.items():
        ours = speed(sides["stratalog"], key)
        if ours is None:
            continue
        wanted = work.sqlite if engine == "sqlite" else work.postgres
        ms = sides["stratalog"][key]["seconds"] * 1e3
        ixmp4, continuum = speed(sides["ixmp4"], key), speed(sides["continuum"], key)
        floor = sides["floor"].get(work.floor or "")
        small = sides.get("small_floor", {}).get(key)
        if small:
            floor = {"floor": small["seconds"], "library": sides["stratalog"][key]["seconds"]}
        fraction = floor["floor"] / floor["library"] if floor else None
        ratio = ours / ixmp4 if ixmp4 else None
        bound = None
        if floor and ixmp4:
            bound = floor.get("rows", 1) / floor["floor"] / ixmp4
        targets = [
            target(f"{wanted.times_ixmp4} x ixmp4", ratio, wanted.times_ixmp4),
            target(f"{wanted.of_the_floor} of the floor", fraction, wanted.of_the_floor),
            target(f"{wanted.rate or 0:,.0f}/s", ours, wanted.rate),
            at_most(f"{wanted.ms} ms", ms, wanted.ms),
        ]
        cells = [
            work.name,
            f"{ours:,.0f}/s",
            f"{ms:,.1f} ms",
            f"{ixmp4:,.0f}/s" if ixmp4 else "",
            f"{ratio:,.1f} ({points(sides['ixmp4']):,} points)" if ratio else "",
            f"{continuum:,.0f}/s" if continuum else "",
            f"{fraction:.2f}" if fraction else "",
            f"{bound:,.1f}" if bound else "",
            ", ".join(text for text in targets if text),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def memory(sides: dict[str, Side]) -> str:
    mb = {name: sides[name]["memory"]["mb"] for name in ("stratalog", "ixmp4", "continuum")}
    return (
        f"Peak memory of the first add above the frame: stratalog {mb['stratalog']:,.0f} MB"
        f" ({at_most(f'target {MEMORY} MB', mb['stratalog'], MEMORY)}), ixmp4 {mb['ixmp4']:,.0f} MB,"
        f" SQLAlchemy-Continuum {mb['continuum']:,.0f} MB."
    )


def growth(sides: dict[str, Side]) -> str:
    """How time and memory grow with the points of a stream: slopes in a plot with logarithms on both axes."""
    grown = [side for name, side in sides.items() if name.startswith("growth")]
    if len(grown) < 2:
        return ""
    grown.sort(key=points)
    heads = [f"{points(side):,}" for side in grown]
    lines = [
        "Points that come as a stream of batches, and go the same way:",
        "",
        f"| work | {' | '.join(heads)} | slope | target |",
        "|---|" + "--:|" * (len(grown) + 1) + "---|",
    ]
    first, last = grown[0], grown[-1]
    times = math.log(points(last) / points(first))
    for key, (name, most) in GROWTH.items():
        slope = math.log(last[key]["seconds"] / first[key]["seconds"]) / times
        cells = [f"{side[key]['seconds'] * 1e3:,.1f} ms" for side in grown]
        text = at_most("flat" if most == FLAT_SLOPE else f"{most}", slope, most)
        lines.append(f"| {name} | {' | '.join(cells)} | {slope:.2f} | {text} |")
    cells = [f"{side['memory']['mb']:,.0f} MB" for side in grown]
    more = last["memory"]["mb"] - grown[-2]["memory"]["mb"]
    text = at_most(f"{MEMORY} MB", last["memory"]["mb"], MEMORY)
    text += ", " + at_most("not growing", more, MORE_MEMORY)
    lines.append(f"| memory of the add | {' | '.join(cells)} | | {text} |")
    lines += [
        "",
        "Slope 1: in proportion to the points; 0: not at all. The work on 100 is done ten times in ten seconds, of"
        " which the fastest counts: after a load the server vacuums. Flat: at most"
        f" {FLAT_SLOPE}. Not growing: from the last size but one to the last by {MORE_MEMORY} MB at most.",
    ]
    return "\n".join(lines)


def writers(engine: str, sides: dict[str, Side]) -> str:
    one, eight = (speed(sides["writers"], f"{count} writers") for count in (1, 8))
    if not one or not eight:
        return ""
    each = int(sides["writers"]["1 writers"]["rows"])
    wanted = WRITERS if engine == "postgres" else None
    text = target(f"target {WRITERS}", eight / one, wanted)
    parts = [
        f"Writers: one process adds {one:,.0f} points per second, eight at once to eight runs {eight:,.0f},"
        f" {eight / one:.2f} times as many{f' ({text})' if text else ''}. Each has {each:,} points."
    ]
    one, eight = (speed(sides.get("writers_floor", {}), f"{count} writers") for count in (1, 8))
    if one and eight:
        parts.append(
            f"The engine without the library (`benches/peer/writers_floor.py`): {one:,.0f} and {eight:,.0f},"
            f" {eight / one:.2f} times as many."
        )
    return " ".join(parts)
