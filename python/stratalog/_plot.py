"""Pictures, with matplotlib. It is imported when the first is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from stratalog import Diff, Run

# Okabe and Ito's colours, which people with all kinds of colour vision tell apart.
# <https://jfly.uni-koeln.de/color/>
_GREEN, _ORANGE, _RED, _BLUE, _GREY = "#009E73", "#E69F00", "#D55E00", "#0072B2", "#6B6B6B"
_LINES = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#B8A800"]
_CHECKPOINTS = 12


def _axes(ax: Axes | None, width: float, height: float) -> Axes:
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            "drawing needs matplotlib: pip install 'stratalog[plot]'", name="matplotlib"
        ) from error
    _, made = pyplot.subplots(figsize=(width, height), layout="constrained")
    return made


def timeline(run: Run, ax: Axes | None, limit: int | None) -> Axes:
    """Transactions side by side in their order: of most, the clock says that they came together."""
    log = run.log(limit=limit).iloc[::-1].reset_index(drop=True)
    if log.empty:
        raise ValueError(f"{run!r}: nothing was written yet, there is nothing to draw")
    ax = _axes(ax, 8.0, 3.6)
    place = {int(id): position for position, id in enumerate(log["id"])}
    positions = log.index.to_numpy()
    inserted, updated = log["inserted"].to_numpy(), log["updated"].to_numpy()
    both = (inserted > 0) & (updated > 0)
    # Side by side: on a scale with logarithms a stack would say nothing.
    shift = both * 0.175
    width = 0.7 - both * 0.35
    ax.bar(positions - shift, inserted, width, color=_GREEN, label="inserted")
    ax.bar(positions + shift, updated, width, color=_ORANGE, label="updated")
    ax.bar(positions, -log["deleted"].to_numpy(), 0.7, color=_RED, label="deleted")
    most = log[["inserted", "updated", "deleted"]].to_numpy().max()
    if most > 50:
        # One point and a million in one picture.
        ax.set_yscale("symlog", linthresh=10)
    ax.axhline(0, color="black", linewidth=0.8)
    ax.margins(y=0.12)
    _draw_reverts(ax, log, place)
    _draw_checkpoints(ax, run, place)
    ax.set_ylabel("rows")
    ax.yaxis.set_major_formatter(lambda rows, _: f"{abs(rows):,.0f}")
    ticks = positions[:: max(1, len(log) // 12)]
    # A time is five ids wide.
    timed = set(ticks[:: max(1, len(ticks) // 3)])
    names = [
        f"{log['id'][tick]}"
        + (f"\n{log['issued_at'][tick]:%Y-%m-%d %H:%M}" if tick in timed else "")
        for tick in ticks
    ]
    ax.set_xticks(ticks, names, fontsize="small")
    ax.set_xlabel("transaction, and when it began (UTC)")
    ax.set_xlim(-0.8, len(log) - 0.2)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize="small")
    return ax


def _draw_reverts(ax: Axes, log: pd.DataFrame, place: dict[int, int]) -> None:
    """An arrow along the bottom, from what set rows back to the state that came back."""
    reverts = log[log["reverted"].notna()]
    for nth, (position, row) in enumerate(reverts.iterrows()):
        start = float(position)  # type: ignore[arg-type]
        # What is older than the picture is beyond its left edge; an undo takes back just one.
        target = float(place.get(int(row["target_id"]), -0.7))
        height = 0.05 + 0.05 * (nth % 3)
        at: Any = ("data", "axes fraction")
        ax.annotate(
            "",
            xy=(target, height),
            xytext=(start, height),
            xycoords=at,
            textcoords=at,
            arrowprops={
                "arrowstyle": "-|>",
                "color": _BLUE,
                "linestyle": "--" if row["reverted"] == "rollback" else "-",
                "shrinkA": 0,
                "shrinkB": 0,
            },
        )
        ax.plot([start], [0], marker="o", color=_BLUE, markersize=4, label=f"_{row['reverted']}")
    kinds = dict.fromkeys(reverts["reverted"])
    for kind in kinds:
        style = "--" if kind == "rollback" else "-"
        ax.plot([], [], color=_BLUE, linestyle=style, marker="<", label=kind)


def _draw_checkpoints(ax: Axes, run: Run, place: dict[int, int]) -> None:
    messages: dict[int, list[str]] = {}
    for checkpoint in run.checkpoints.list():
        if checkpoint.transaction_id in place:
            messages.setdefault(place[checkpoint.transaction_id], []).append(checkpoint.message)
    shown = sorted(messages)[-_CHECKPOINTS:]
    for position in sorted(messages):
        ax.axvline(position + 0.5, color=_GREY, linewidth=0.8, linestyle=":", zorder=0)
    for position in shown:
        text = ", ".join(messages[position])
        ax.annotate(
            text if len(text) <= 24 else text[:23] + "…",
            xy=(position + 0.5, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3),
            textcoords="offset points",
            rotation=35,
            ha="left",
            va="bottom",
            fontsize="small",
            color=_GREY,
            annotation_clip=False,
        )
    if messages:
        ax.plot([], [], color=_GREY, linestyle=":", linewidth=0.8, label="checkpoint")
    if len(messages) > len(shown):
        ax.plot([], [], " ", label=f"({len(messages) - len(shown)} older ones unnamed)")


def diff(diff: Diff, ax: Axes | None, max_series: int) -> Axes:
    points = diff.tabulate()
    if points.empty:
        raise ValueError(f"{diff!r}: no points differ, there is nothing to draw")
    keys = [key for key in ("region", "variable", "unit", "subannual") if key in points]
    points = points.fillna({key: "" for key in keys if key == "subannual"})
    changed = points.groupby(keys, observed=True, sort=False).size()
    chosen = changed.sort_values(ascending=False, kind="stable").head(max_series).index
    names = [_key(key) for key in chosen]
    before, after = diff._states(
        sorted({name[0] for name in names}), sorted({name[1] for name in names})
    )
    ax = _axes(ax, 7.0, 4.0)
    for nth, name in enumerate(names):
        colour = _LINES[nth % len(_LINES)]
        label = " | ".join(part for part in (name[0], name[1], *name[3:]) if part)
        if len({other[2] for other in names}) > 1:
            label += f" [{name[2]}]"
        _draw_series(ax, _series(before, keys, name), colour, "--", 0.55, None)
        _draw_series(ax, _series(after, keys, name), colour, "-", 1.0, label)
    units = {name[2] for name in names}
    ax.set_ylabel(units.pop() if len(units) == 1 else "value")
    ax.plot([], [], color=_GREY, linestyle="--", marker="o", markersize=3, label="before (dashed)")
    if len(changed) > len(names):
        ax.set_title(
            f"{len(names)} of {len(changed):,} series that differ", fontsize="medium", loc="left"
        )
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="#E5E5E5", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.legend(frameon=False, fontsize="small", loc="best")
    return ax


def _key(key: Any) -> tuple[str, ...]:
    return tuple(str(part) for part in key)


def _series(frame: pd.DataFrame, keys: list[str], name: tuple[str, ...]) -> pd.Series[float]:
    for key, value in zip(keys, name, strict=True):
        if key in frame:
            column = frame[key].astype(object)
            frame = frame[column.where(column.notna(), "") == value]
    if "datetime" in frame and frame["datetime"].notna().any():
        times = frame["datetime"]
    else:
        times = frame["year"]
    return pd.Series(frame["value"].to_numpy(), index=times.to_numpy()).sort_index()


def _draw_series(
    ax: Axes, series: pd.Series[float], colour: str, style: str, alpha: float, label: str | None
) -> None:
    ax.plot(
        series.index,
        series.to_numpy(),
        color=colour,
        linestyle=style,
        alpha=alpha,
        marker="o",
        markersize=3,
        linewidth=1.6,
        label=label,
    )
    if series.index.dtype.kind in "iuf":
        from matplotlib.ticker import MaxNLocator

        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
