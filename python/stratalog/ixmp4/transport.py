"""How a platform is reached: a database's URL, as ``DirectTransport`` and ``Backend`` of ixmp4."""

from __future__ import annotations

import os
import re
from typing import Self

import stratalog
from stratalog.ixmp4.exceptions import ImproperlyConfigured, OperationNotSupported, ProgrammingError
from stratalog.ixmp4.refusals import refusals

_ENVIRONMENT = re.compile(r"\{env:([A-Za-z_][A-Za-z0-9_]*)\}")


def resolve_dsn_env_tokens(dsn: str) -> str:
    """With what environment variables hold in place of ``{env:NAME}``."""
    missing = [name for name in _ENVIRONMENT.findall(dsn) if name not in os.environ]
    if missing:
        raise ImproperlyConfigured(f"environment variables that are not set: {', '.join(missing)}")
    return _ENVIRONMENT.sub(lambda found: os.environ[found[1]], dsn)


class Transport:
    """How a platform is reached."""

    def check_versioning_compatiblity(self) -> None:
        """Nothing: history is there on both engines."""

    def __str__(self) -> str:
        return f"<{type(self).__name__}>"


class DirectTransport(Transport):
    """An open database. ``DirectTransport.from_dsn("sqlite:///scenarios.db")`` opens one."""

    def __init__(self, platform: stratalog.Platform) -> None:
        self._platform: stratalog.Platform | None = platform

    @classmethod
    def from_dsn(
        cls,
        dsn: str,
        ping_database: bool = True,
        check_alembic_version: bool = True,
        *,
        pg_planner_collapse_limit: int | None = None,
    ) -> Self:
        """Opens a database: a path, ``sqlite:///relative.db``, ``sqlite:////absolute.db`` or
        ``postgresql://user@host/database``. It is always looked at, and its schema checked: the
        other arguments are without effect.

        Raises:
            ImproperlyConfigured: its schema is not this version's; ``stratalog migrate``.
            ServiceUnavailable: it cannot be reached.
        """
        url = cls.check_dsn(resolve_dsn_env_tokens(dsn))
        scheme, separator, _ = url.partition("://")
        if scheme in ("http", "https"):
            raise OperationNotSupported(f"{dsn}: stratalog talks to databases, not to servers")
        if separator and scheme not in ("sqlite", "postgres", "postgresql"):
            raise ProgrammingError(f"{scheme}: stratalog knows sqlite and postgresql")
        with refusals():
            return cls(stratalog.Platform(url))

    @classmethod
    def check_dsn(cls, dsn: str) -> str:
        """Without the driver that SQLAlchemy is told, as in ``postgresql+psycopg://``."""
        return re.sub(r"^(postgresql|sqlite)\+\w+:", r"\1:", dsn)

    @property
    def stratalog(self) -> stratalog.Platform:
        """The platform as stratalog has it."""
        if self._platform is None:
            raise ProgrammingError("this transport was closed: open the database again")
        return self._platform

    def get_engine_info(self) -> str:
        """Which database it is, without a password."""
        return f"dialect={self.stratalog.engine} database={self.stratalog.url}"

    def __str__(self) -> str:
        return f"<{type(self).__name__} {self.get_engine_info()}>"

    def close(self) -> None:
        """Lets the database go."""
        self._platform = None


class Backend:
    """An open database, for ``Platform``. Its services are ixmp4's own and are not there: what they
    do beyond the API is in ``Platform.stratalog``.
    """

    def __init__(self, transport: Transport) -> None:
        if not isinstance(transport, DirectTransport):
            raise TypeError(f"expected a DirectTransport, not {type(transport).__name__}")
        self.transport = transport

    @property
    def stratalog(self) -> stratalog.Platform:
        """The platform as stratalog has it."""
        return self.transport.stratalog


class AlembicController:
    """Makes and migrates a database, as ``ixmp4.db.get_alembic_controller(dsn)`` gives it."""

    def __init__(self, dsn: str) -> None:
        self._url = DirectTransport.check_dsn(resolve_dsn_env_tokens(dsn))

    def upgrade_database(self, revision: str = "head") -> None:
        """Brings it to this version's schema."""
        with refusals():
            stratalog.Platform.migrate(self._url)


def get_alembic_controller(dsn: str) -> AlembicController:
    """What migrates the database."""
    return AlembicController(dsn)
