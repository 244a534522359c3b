"""What notebooks show: runs, views, checkpoints and diffs as HTML. All text is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from stratalog._errors import StratalogError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from stratalog import Checkpoint, Diff, Run, RunView

_ROWS = 20
_COLOURS = {"insert": "#00734e", "update": "#8a5a00", "delete": "#a33b00"}


def _cell(value: object, tag: str = "td", style: str = "") -> str:
    style = f' style="text-align:left;{style}"'
    return f"<{tag}{style}>{escape(str(value))}</{tag}>"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    header = "".join(_cell(name, "th") for name in head)
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table>"


def _facts(title: str, facts: dict[str, object]) -> str:
    rows = "".join(f"<tr>{_cell(name, 'th')}{_cell(value)}</tr>" for name, value in facts.items())
    return f"<div><strong>{escape(title)}</strong><table><tbody>{rows}</tbody></table></div>"


def _time(value: Any) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S} UTC"


def _label(run: Run) -> str:
    return f"{run.model} / {run.scenario}, version {run.version}"


def _state(run: Run) -> str:
    """What the database knows of a run. It may be closed or gone: showing never fails."""
    try:
        log = run.log(limit=1)
        checkpoints = run.checkpoints.list()
    except (StratalogError, RuntimeError) as error:
        return f"<div><em>{escape(str(error))}</em></div>"
    if log.empty:
        html = "<div><em>nothing was written yet</em></div>"
    else:
        last = log.iloc[0]
        html = _facts(
            "last transaction",
            {
                "id": last["id"],
                "written": _time(last["issued_at"]),
                "by": last["actor"],
                "what": last["operation"],
                "rows": f"+{last['inserted']} ~{last['updated']} -{last['deleted']}",
            },
        )
    if checkpoints:
        newest = list(reversed(checkpoints))[:5]
        html += _table(
            ["checkpoint", "id", "transaction", "made", "by"],
            [
                (
                    point.message,
                    point.id,
                    point.transaction_id,
                    _time(point.created_at),
                    point.actor,
                )
                for point in newest
            ],
        )
        if len(checkpoints) > len(newest):
            html += f"<div>… and {len(checkpoints) - len(newest)} older checkpoints</div>"
    return html


def run(run: Run) -> str:
    return _facts(f"Run {_label(run)}", {"id": run.id}) + _state(run)


def view(view: RunView) -> str:
    return _facts(
        "View of a run as it was",
        {"run": view.run_id, "after transaction": view.transaction_id},
    )


def checkpoint(checkpoint: Checkpoint) -> str:
    return _facts(
        f"Checkpoint {checkpoint.message}",
        {
            "id": checkpoint.id,
            "run": checkpoint.run_id,
            "transaction": checkpoint.transaction_id,
            "made": _time(checkpoint.created_at),
            "by": checkpoint.actor,
        },
    )


def _points(points: pd.DataFrame) -> str:
    header = "".join(_cell(name, "th") for name in points.columns)
    body = []
    for row in points.itertuples(index=False):
        colour = f"color:{_COLOURS.get(str(row[0]), 'inherit')}"
        cells = ("" if value != value else value for value in row)
        body.append(f"<tr>{''.join(_cell(value, style=colour) for value in cells)}</tr>")
    return f"<table><thead><tr>{header}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def diff(diff: Diff) -> str:
    title = f"Diff from transaction {diff.before} to {diff.after}"
    try:
        counts = diff.counts()
        points = diff._first(_ROWS)
    except (StratalogError, RuntimeError) as error:
        return f"<div><strong>{title}</strong> <em>{escape(str(error))}</em></div>"
    if counts.empty:
        return f"<div><strong>{title}</strong>: no difference</div>"
    html = f"<div><strong>{title}</strong></div>"
    html += _table(list(counts.columns), counts.itertuples(index=False))
    if not points.empty:
        html += _points(points)
        of_points = counts[counts["table"] == "datapoints"]
        total = int(of_points[["inserted", "updated", "deleted"]].to_numpy().sum())
        if total > len(points):
            html += f"<div>… and {total - len(points):,} more points: diff.tabulate()</div>"
    return html
