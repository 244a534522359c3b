"""Platforms."""

from __future__ import annotations

import os
from os import PathLike

import stratalog
from stratalog.ixmp4 import exceptions
from stratalog.ixmp4.iamc import PlatformIamcData
from stratalog.ixmp4.meta import PlatformRunMetaFacade
from stratalog.ixmp4.names import (
    ModelServiceFacade,
    RegionServiceFacade,
    ScenarioServiceFacade,
    UnitServiceFacade,
)
from stratalog.ixmp4.run import RunServiceFacade
from stratalog.ixmp4.settings import Settings
from stratalog.ixmp4.transport import Backend, DirectTransport, Transport

_SUFFIXES = (".db", ".sqlite", ".sqlite3")


class Platform:
    """One database with runs, regions, units.

    Args:
        name_or_connection: a database's path or URL (``"scenarios.db"``,
            ``"sqlite:///scenarios.db"``, ``"postgresql://user@host/database"``), a name that
            ``platforms.toml`` has, a ``DirectTransport`` or a ``Backend``. What has a slash, a
            suffix (``.db``, ``.sqlite``, ``.sqlite3``) or is a file is a path.
        settings: where names are looked up.

    Raises:
        PlatformNotFound: a name that ``platforms.toml`` has not.
        ImproperlyConfigured: a database whose schema is not this version's.

    ``platform.stratalog`` is the platform as stratalog has it, with ``log``, ``verify``, ``diff``,
    ``locks`` …
    """

    NotFound = exceptions.PlatformNotFound
    NotUnique = exceptions.PlatformNotUnique

    runs: RunServiceFacade
    meta: PlatformRunMetaFacade
    iamc: PlatformIamcData
    models: ModelServiceFacade
    scenarios: ScenarioServiceFacade
    regions: RegionServiceFacade
    units: UnitServiceFacade
    backend: Backend
    settings: Settings

    def __init__(
        self,
        name_or_connection: str | PathLike[str] | Transport | Backend,
        settings: Settings | None = None,
    ) -> None:
        self.settings = settings or Settings()
        if isinstance(name_or_connection, str | PathLike):
            self.backend = self.init_backend(os.fspath(name_or_connection))
        elif isinstance(name_or_connection, Transport):
            self.backend = Backend(name_or_connection)
        elif isinstance(name_or_connection, Backend):
            self.backend = name_or_connection
        else:
            raise TypeError(
                "expected a database's path, URL or name, a Transport or a Backend, not "
                f"{type(name_or_connection).__name__}"
            )
        self.runs = RunServiceFacade(self.backend)
        self.iamc = PlatformIamcData(self.backend)
        self.models = ModelServiceFacade(self.backend)
        self.regions = RegionServiceFacade(self.backend)
        self.scenarios = ScenarioServiceFacade(self.backend)
        self.units = UnitServiceFacade(self.backend)
        self.meta = PlatformRunMetaFacade(self.backend)

    def init_backend(self, name: str) -> Backend:
        """Opens a database by path, URL or name."""
        if not _is_location(name):
            name = self.settings.get_toml_platforms().get_platform(name).dsn
        return Backend(DirectTransport.from_dsn(name))

    @property
    def stratalog(self) -> stratalog.Platform:
        """The platform as stratalog has it."""
        return self.backend.stratalog


def _is_location(name: str) -> bool:
    return (
        ":" in name
        or "/" in name
        or os.sep in name
        or name.endswith(_SUFFIXES)
        or os.path.isfile(name)
    )
