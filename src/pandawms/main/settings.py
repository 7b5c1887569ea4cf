"""The only reader of environment and settings files on the side of the system: fills each package's Options and hands them down.

A data folder has a `panda.toml`; the environment wins over it (`PANDA_SERVER_PORT` over `[server] port`); unknown keys are refused.
"""

import json
import os
import platform
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from pandawms.domain.errors import Invalid, Unavailable
from pandawms.engine.services import Options as EngineOptions
from pandawms.store.database import Options as DatabaseOptions
from pandawms.wire.decode import decode

FILE = "panda.toml"
EMBEDDED = "embedded"


class DatabaseSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`url` is `embedded` for the private PostgreSQL of `panda up`, or the libpq URL of any PostgreSQL from 15 up; connections are a process's own."""

    url: str = EMBEDDED
    max_connections: int = 8
    statement_timeout_seconds: int = 60
    shared_buffers_mb: int = 256


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the API listens; port 0 takes a free one. `tls_certificate` and `tls_key` are needed to listen beyond loopback."""

    host: str = "127.0.0.1"
    port: int = 0
    tls_certificate: str = ""
    tls_key: str = ""


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the engine behaves; seconds. See `engine.services.Options`."""

    lease_seconds: float = 120
    heartbeat_seconds: float = 30
    poll_seconds: float = 1
    hearing_gap_seconds: float = 15
    allocation_seconds: float = 60
    look_again_seconds: float = 10


class LocalSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The local site that `panda up` makes: its queue, its slots (0: as many as cores) and what each slot offers (0: an equal part of the machine).

    A pilot leaves after `idle_seconds` without work. `wrapper` are words put before its command line, to run it in a container or namespace.
    """

    queue: str = "local"
    slots: int = 0
    memory_mb: int = 0
    disk_mb: int = 100_000
    max_wall_seconds: int = 604_800
    idle_seconds: float = 20
    wrapper: tuple[str, ...] = ()


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of one system."""

    database: DatabaseSettings = DatabaseSettings()
    server: ServerSettings = ServerSettings()
    engine: EngineSettings = EngineSettings()
    local: LocalSettings = LocalSettings()
    log_format: str = "json"


SECTIONS: Mapping[str, type[msgspec.Struct]] = {
    "database": DatabaseSettings, "server": ServerSettings, "engine": EngineSettings, "local": LocalSettings,
}  # fmt: skip


def data_folder(given: Path | None, environment: Mapping[str, str] = os.environ) -> Path:
    """Returns the data folder: the one given, PANDA_DATA, or ~/.local/share/panda."""
    return (given or Path(environment.get("PANDA_DATA") or Path.home() / ".local/share/panda")).expanduser().absolute()


def load(data: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """Reads the settings of a data folder and the environment. Raises Invalid that names the key, the value and what is allowed."""
    return decode(Settings, _overlay(_file(data / FILE), environment))


def _file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"{path} is not TOML: {error}", code="settings.syntax", field=str(path), hint="mend the line that it names") from error


def _overlay(settings: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    for section, kind in SECTIONS.items():
        for field in msgspec.structs.fields(kind):
            value = environment.get(f"PANDA_{section}_{field.name}".upper())
            if value is not None:
                settings.setdefault(section, {})[field.name] = _typed(f"{section}.{field.name}", value, field.type)
    return settings


def _typed(name: str, value: str, kind: Any) -> Any:
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Invalid(f"{name} has a wrong value", code="settings.value", field=name, value=value, allowed=str(getattr(kind, "__name__", kind))) from error


def database_options(settings: Settings, data: Path) -> DatabaseOptions:
    """Returns where the database is: as set, or the embedded one that runs in this data folder. Raises Unavailable when that one does not run."""
    url = settings.database.url
    if url == EMBEDDED:
        url = _embedded_url(data)
    return DatabaseOptions(url=url, max_connections=settings.database.max_connections, statement_timeout_seconds=settings.database.statement_timeout_seconds)


def _embedded_url(data: Path) -> str:
    try:
        return str(json.loads((data / "run/database.json").read_text())["url"])
    except (FileNotFoundError, ValueError, KeyError) as error:
        raise Unavailable(
            f"the embedded database of {data} does not run", code="database.not_running", field="database.url", value=EMBEDDED,
            hint="start it with `panda up`, or set database.url",
        ) from error  # fmt: skip


def engine_options(settings: Settings) -> EngineOptions:
    """Returns the engine's options."""
    return EngineOptions(**msgspec.structs.asdict(settings.engine))


def local_slots(settings: Settings) -> int:
    """Returns how many slots the local queue has."""
    return settings.local.slots or os.cpu_count() or 1


def slot_memory_mb(settings: Settings) -> int:
    """Returns the memory of one local slot: as set, or an equal part of the machine's."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return settings.local.memory_mb or max(1, total // local_slots(settings))


def architecture() -> str:
    """Returns this machine's architecture, as in x86_64."""
    return platform.machine()
