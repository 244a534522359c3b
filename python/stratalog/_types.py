"""Small types that need no database."""

from enum import StrEnum


class PointType(StrEnum):
    """What the time of a point is."""

    YEARLY = "yearly"
    """A year."""
    ANNUAL = "yearly"
    """Another word for ``YEARLY``."""
    CATEGORICAL = "categorical"
    """A year and a part of it (``subannual``)."""
    DATETIME = "datetime"
    """A moment."""
