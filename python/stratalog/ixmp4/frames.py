"""What the tables of ixmp4 have in common."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def as_ixmp4(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """These columns in this order; times without a zone (UTC), and an empty table without types."""
    frame = frame[list(columns)]
    if frame.empty:
        return frame.astype(object)
    for name in ("created_at", "updated_at"):
        if name in frame.columns:
            frame = frame.assign(**{name: frame[name].dt.tz_localize(None)})
    return frame.reset_index(drop=True)


def naive(moment: datetime | None) -> datetime | None:
    """A time without its zone, which is UTC."""
    return moment.replace(tzinfo=None) if moment else None
