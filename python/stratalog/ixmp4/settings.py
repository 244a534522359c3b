"""Platforms by name, as ``ixmp4.conf`` has them."""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stratalog.ixmp4.exceptions import PlatformNotFound, PlatformNotUnique


@dataclass
class TomlPlatform:
    """A platform that has a name."""

    name: str
    dsn: str
    slug: str = ""
    accessibility: str = "PUBLIC"
    notice: str | None = None
    url: str | None = None


class TomlPlatforms:
    """The platforms in a TOML file: a table per name, with its ``dsn``."""

    def __init__(self, toml_file: Path) -> None:
        self.path = toml_file
        read = tomllib.loads(toml_file.read_text("utf-8")) if toml_file.exists() else {}
        self.platforms = {
            name: TomlPlatform(name, entry["dsn"], slug=name) for name, entry in read.items()
        }

    def list_platforms(self) -> list[TomlPlatform]:
        """All of them."""
        return list(self.platforms.values())

    def get_platform(self, name: str) -> TomlPlatform:
        """The one of that name.

        Raises:
            PlatformNotFound: there is none.
        """
        if name not in self.platforms:
            raise PlatformNotFound(
                f"there is no platform {name!r} in {self.path}: add it with "
                f"ixmp4.conf.settings.Settings().get_toml_platforms().add_platform({name!r}, dsn), "
                "or give a database's path or URL"
            )
        return self.platforms[name]

    def add_platform(self, name: str, dsn: str) -> None:
        """Gives a database a name.

        Raises:
            PlatformNotUnique: the name is taken.
        """
        if name in self.platforms:
            raise PlatformNotUnique(f"there is a platform {name!r} already: remove it first")
        self.platforms[name] = TomlPlatform(name, dsn, slug=name)
        self._write()

    def remove_platform(self, name: str) -> None:
        """Takes a name away; the database stays.

        Raises:
            PlatformNotFound: there is none of that name.
        """
        self.get_platform(name)
        del self.platforms[name]
        self._write()

    def _write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # JSON's strings are TOML's.
        tables = [
            f"[{json.dumps(platform.name)}]\ndsn = {json.dumps(platform.dsn)}\n"
            for platform in self.platforms.values()
        ]
        self.path.write_text("\n".join(tables), "utf-8")


class ManagerPlatforms:
    """The platforms of a server of IIASA: none, they are ixmp4's own."""

    def list_platforms(self) -> list[TomlPlatform]:
        """None."""
        return []

    def get_platform(self, name: str) -> TomlPlatform:
        """Raises ``PlatformNotFound``."""
        raise PlatformNotFound(f"there is no platform {name!r}")


class Credentials:
    """Nobody's."""

    def get(self, key: str) -> None:
        """None."""


def _storage_directory() -> Path:
    named = os.environ.get("STRATALOG_STORAGE_DIRECTORY")
    return Path(named) if named else Path.home() / ".local" / "share" / "stratalog"


@dataclass
class Settings:
    """Where names of platforms are looked up: ``platforms.toml`` in ``storage_directory``, by
    default ``$STRATALOG_STORAGE_DIRECTORY`` or ``~/.local/share/stratalog``. ixmp4's own file is
    left alone: what it names are ixmp4's databases.
    """

    storage_directory: str | Path = field(default_factory=_storage_directory)
    manager_url: str = ""

    def get_toml_platforms_path(self) -> Path:
        """The file."""
        return Path(self.storage_directory).expanduser() / "platforms.toml"

    def get_toml_platforms(self) -> TomlPlatforms:
        """The platforms in it."""
        return TomlPlatforms(self.get_toml_platforms_path())

    def get_manager_platforms(self, credentials: str = "default") -> ManagerPlatforms:
        """Those of a server: none."""
        return ManagerPlatforms()

    def get_credentials(self) -> Credentials:
        """Those of a server: none."""
        return Credentials()

    def get_client_auth(self, credentials: Any) -> None:
        """None: nobody logs in."""
