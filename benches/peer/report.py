"""The page: rates, ratios, and whether the targets are met. Nobody edits the numbers by hand."""

import math

Side = dict[str, dict[str, float]]

# Work: its name on the page, the floor's operation, and the targets: of ixmp4's speed, of the floor's, and the longest
# time in ms, for SQLite and PostgreSQL.
WORKS = {
    "add": ("add into an empty run", "add", (30, 25), (0.6, 0.7), (None, None)),
    "add again": ("add again, nothing changed", "add again", (60, 60), (None, None), (None, None)),
    "update": ("add again, all values changed", "update all", (30, 20), (None, None), (None, None)),
    "remove": ("remove all", "remove all", (30, 30), (None, None), (None, None)),
    "arrow": ("tabulate to Arrow", "tabulate", (None, None), (None, None), (None, None)),
    "pandas": ("tabulate to pandas", None, (8, 8), (None, None), (None, None)),
    "change 100": ("change 100 points and checkpoint", None, (20, 10), (None, None), (5, 10)),
    "revert 100": ("revert that change", "revert 100 rows", (None, 500), (None, None), (5, 10)),
    "one row": ("one-row transact block", None, (None, None), (None, None), (3, 6)),
    "import": ("import of the package", None, (None, None), (None, None), (150, 150)),
}
ENGINES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}


def page(
    results: dict[str, dict[str, Side]],
    machine: str,
    versions: dict[str, str],
    date: str,
    command: str,
) -> str:
    parts = [
        "# Benchmarks",
        f"Written by `{command.strip()}` on {date}; nobody edits it.",
        f"Machine: {machine}. Versions: "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
        + ".",
        "Each side runs in a process of its own on a fresh database with the engine's default"
        " durability, from a pandas frame to a committed, checkpointed run. Speeds are points per"
        " second (of small work: times per second). The targets are meant for a million points."
        " ixmp4 is measured with fewer points than stratalog, because it takes minutes for many:"
        " what is compared is speed. The floor is the engine without the library (Rust,"
        " `benches/write`), and the library is compared with it there, in the same run. A target"
        " in bold is not met.",
    ]
    for engine, sides in results.items():
        parts += [f"## {ENGINES[engine]}", sizes(sides), table(engine, sides), growth(sides), writers(engine, sides)]
    return "\n\n".join(part for part in parts if part) + "\n"


def sizes(sides: dict[str, Side]) -> str:
    points = {
        name: int(side["add"]["rows"])
        for name, side in sides.items()
        if "add" in side and name != "floor"
    }
    return (
        f"Points: stratalog {points['stratalog']:,}, ixmp4 {points['ixmp4']:,},"
        f" SQLAlchemy-Continuum {points['continuum']:,}, the floor {floor_points(sides):,}. Peak memory of the first add above the frame:"
        f" stratalog {sides['stratalog']['memory']['mb']:,.0f} MB, ixmp4 {sides['ixmp4']['memory']['mb']:,.0f} MB,"
        f" SQLAlchemy-Continuum {sides['continuum']['memory']['mb']:,.0f} MB."
    )


def floor_points(sides: dict[str, Side]) -> int:
    return next((int(line["rows"]) for line in sides["floor"].values()), 0)


def speed(side: Side, work: str) -> float | None:
    line = side.get(work)
    if line is None:
        return None
    # Small work is about a fixed number of points, whatever there is.
    rows = line["rows"] if line["rows"] > 100 else 1
    return rows / line["seconds"]


def table(engine: str, sides: dict[str, Side]) -> str:
    column = list(ENGINES).index(engine)
    lines = [
        "| work | stratalog | time | ixmp4 | times ixmp4 | Continuum | of the floor | target |",
        "|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    for work, (name, operation, peers, fractions, limits) in WORKS.items():
        ours = speed(sides["stratalog"], work)
        if ours is None:
            continue
        ms = sides["stratalog"][work]["seconds"] * 1e3
        ixmp4, continuum = speed(sides["ixmp4"], work), speed(sides["continuum"], work)
        floor = sides["floor"].get(operation or "")
        fraction = floor["floor"] / floor["library"] if floor else None
        ratio = ours / ixmp4 if ixmp4 else None
        targets = [
            target(f"{peers[column]} x ixmp4", ratio, peers[column]),
            target(f"{fractions[column]} of the floor", fraction, fractions[column]),
            target(f"{limits[column]} ms", -ms, limits[column] and -limits[column]),
        ]
        cells = [
            name,
            f"{ours:,.0f}/s",
            f"{ms:,.1f} ms",
            f"{ixmp4:,.0f}/s" if ixmp4 else "",
            f"{ratio:,.1f}" if ratio else "",
            f"{continuum:,.0f}/s" if continuum else "",
            f"{fraction:.2f}" if fraction else "",
            ", ".join(text for text in targets if text),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def target(text: str, value: float | None, wanted: float | None) -> str:
    if wanted is None or value is None:
        return "" if wanted is None else f"{text} (not measured)"
    return text if value >= wanted else f"**{text}**"


def growth(sides: dict[str, Side]) -> str:
    """How the time grows with the points: the slope in a plot with logarithms on both axes."""
    large, small = sides["stratalog"], sides["small"]
    times = math.log(large["add"]["rows"] / small["add"]["rows"])
    slopes = []
    for work in ("add", "update", "remove", "arrow", "change 100", "revert 100"):
        slope = math.log(large[work]["seconds"] / small[work]["seconds"]) / times
        slopes.append(f"{WORKS[work][0]} {slope:.2f}")
    return (
        f"Growth from {int(small['add']['rows']):,} to {int(large['add']['rows']):,} points (1.0: in proportion;"
        f" 0.0: not at all): {', '.join(slopes)}."
    )


def writers(engine: str, sides: dict[str, Side]) -> str:
    one, eight = (speed(sides["writers"], f"{count} writers") for count in (1, 8))
    if not one or not eight:
        return ""
    text = (
        f"Writers: one process adds {one:,.0f} points per second, eight at once to eight runs {eight:,.0f},"
        f" {eight / one:.2f} times as many"
    )
    wanted = ""
    if engine == "postgres":
        wanted = " (target 1.7)" if eight / one >= 1.7 else " (**target 1.7**)"
    return text + wanted + "."
