"""The only reader of environment and settings files on the side of the system: fills each package's Options and hands them down.

A data folder has a `panda.toml`; the environment wins over it (`PANDA_SERVER_PORT` over `[server] port`); unknown keys are refused.
"""

import json
import os
import platform
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pandawms.domain.errors import Invalid, Unavailable
from pandawms.engine.services import Options as EngineOptions
from pandawms.engine.services import ScoutLimits
from pandawms.engine.watch.archiving import Policy as ArchivePolicy
from pandawms.main import address
from pandawms.store.database import Options as DatabaseOptions
from pandawms.wire.decode import decode

FILE = "panda.toml"
EMBEDDED = "embedded"


class DatabaseSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the system keeps everything."""

    url: Annotated[str, Meta(description="`embedded` for the private PostgreSQL of `panda up`, or the libpq URL of any PostgreSQL from 15 up.")] = EMBEDDED
    max_connections: Annotated[int, Meta(ge=2, le=1000, description="Connections that one process holds at most.")] = 8
    read_url: Annotated[str, Meta(description="The libpq URL that lists and reports read from, such as a replica's; empty for the database itself.")] = ""
    read_statement_seconds: Annotated[int, Meta(ge=1, description="A statement of a list or report that takes longer is cut off.")] = 10
    hot_connections: Annotated[int, Meta(ge=1, le=100, description="Connections that one server holds at most for claims, heartbeats and reports.")] = 4
    hot_statement_seconds: Annotated[int, Meta(ge=1, description="A claim, heartbeat or report that takes the database longer is cut off.")] = 10
    statement_timeout_seconds: Annotated[int, Meta(ge=1, description="A statement that takes longer is cut off.")] = 60
    shared_buffers_mb: Annotated[int, Meta(ge=16, description="Memory of the embedded PostgreSQL for its buffers.")] = 256


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the API listens. Beyond loopback it speaks TLS only."""

    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on; 0 takes the one of last time, or a free one.")] = 0
    tls_certificate: Annotated[str, Meta(description="Path of the certificate chain, needed beyond loopback.")] = ""
    tls_key: Annotated[str, Meta(description="Path of its key.")] = ""
    public_url: Annotated[
        str, Meta(description="How commands and pilots reach it, as in https://panda.example.org:8443; empty makes it of host, port and certificate.")
    ] = ""


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the engine and the leases behave."""

    lease_seconds: Annotated[float, Meta(ge=1, description="How long a job is a pilot's without a heartbeat.")] = 120
    heartbeat_seconds: Annotated[float, Meta(gt=0, description="How often a pilot is asked to say that its jobs live; at most half a lease.")] = 30
    poll_seconds: Annotated[float, Meta(gt=0, description="How long a stage sleeps when nothing wakes it.")] = 1
    hearing_gap_seconds: Annotated[float, Meta(gt=0, description="After so long without a server, leases get a full period before any ends.")] = 15
    allocation_seconds: Annotated[float, Meta(gt=0, description="How long the broker's word is good.")] = 60
    look_again_seconds: Annotated[float, Meta(gt=0, description="After how long a task that no queue takes is brokered again.")] = 10
    task_days: Annotated[float, Meta(ge=0, description="Greatest age of a task; it is finished then, with what is there. 0 for any age.")] = 0
    transient_days: Annotated[float, Meta(ge=0, description="How long transient outputs stay when their task and all that read them are done.")] = 1


class ScoutSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When what the scouts of a task measured stops it, for a person to decide."""

    further_jobs: Annotated[int, Meta(ge=0, description="Nothing stops a task that has no more jobs than these to come.")] = 20
    cpu_time_factor: Annotated[float, Meta(ge=1, description="An event may take so many times longer than the task file says,")] = 2
    long_wall_seconds: Annotated[float, Meta(ge=0, description="unless no scout ran longer than this.")] = 86_400
    memory_mb_per_core: Annotated[float, Meta(ge=1, description="More memory is given only to tasks that ask for it.")] = 4000
    short_seconds: Annotated[float, Meta(ge=0, description="Jobs that take less are short; half of the scouts must be.")] = 60
    short_further_jobs: Annotated[int, Meta(ge=0, description="Short jobs matter when more than these are to come.")] = 10_000
    larger_files: Annotated[int, Meta(ge=1, le=10_000, description="Files of a job, at most, after the scouts were too short.")] = 200
    least_cpu_efficiency: Annotated[float, Meta(ge=0, le=1, description="The part of its cores that each scout must use; 0 asks for none.")] = 0
    low_cpu_efficiency: Annotated[float, Meta(ge=0, le=1, description="Jobs that use less of their cores are inefficient; half of the scouts must be.")] = 0.1
    inefficient_further_jobs: Annotated[int, Meta(ge=0, description="Inefficient jobs matter when more than these are to come.")] = 1000
    efficiency_wall_seconds: Annotated[float, Meta(ge=0, description="Shorter jobs say nothing about efficiency.")] = 600
    high_io_mb_per_second: Annotated[float, Meta(ge=0, description="Nor do tasks of which a job reads and writes so much.")] = 0.5
    cpu_per_wall_factor: Annotated[float, Meta(ge=1, description="A job may use so many times the cores that were asked for.")] = 2


class ArchiveSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long ended jobs stay in the database, and where their details go then. Needs the extra `archive` (pyarrow)."""

    keep_days: Annotated[
        float, Meta(ge=0, description="After so many days the description, files and events of ended jobs move to Parquet files; 0 keeps them for ever.")
    ] = 0
    keep_rows_days: Annotated[
        float, Meta(ge=0, description="After so many days the narrow rows of ended jobs leave the database, too; 0 keeps them for ever.")
    ] = 0
    folder: Annotated[str, Meta(description="Folder of the Parquet files; empty for `archive` in the data folder.")] = ""


class LocalSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The local site that `panda up` makes, with one queue of pilots that are processes of this machine."""

    queue: Annotated[str, Meta(description="Its name.")] = "local"
    slots: Annotated[int, Meta(ge=0, description="How many jobs run at once; 0 takes as many as the machine's cores are enough for, or 1 with GPUs.")] = 0
    cores: Annotated[int, Meta(ge=1, le=1024, description="Cores of one slot.")] = 1
    nodes: Annotated[int, Meta(ge=1, le=10_000, description="Nodes of one slot, the largest job; cores, memory, disk and GPUs are those of each.")] = 1
    gpus: Annotated[int, Meta(ge=0, le=64, description="GPUs of one slot.")] = 0
    gpu_model: Annotated[str, Meta(max_length=100, description="Their model, as jobs ask for it; empty where it does not matter.")] = ""
    gpu_memory_mb: Annotated[int, Meta(ge=0, description="Memory of each of them.")] = 0
    memory_mb: Annotated[int, Meta(ge=0, description="Memory of one slot; 0 takes an equal part of the machine's.")] = 0
    disk_mb: Annotated[int, Meta(ge=1, description="Disk of one slot.")] = 100_000
    max_wall_seconds: Annotated[int, Meta(ge=1, description="Longest job.")] = 604_800
    idle_seconds: Annotated[float, Meta(ge=0, description="After how long without work a pilot leaves.")] = 20
    wrapper: Annotated[
        tuple[str, ...], Meta(description="Words put before the pilot's command line, to run it in a container or namespace; they end by running it (exec).")
    ] = ()


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of one system."""

    database: DatabaseSettings = DatabaseSettings()
    server: ServerSettings = ServerSettings()
    engine: EngineSettings = EngineSettings()
    scouts: ScoutSettings = ScoutSettings()
    archive: ArchiveSettings = ArchiveSettings()
    local: LocalSettings = LocalSettings()
    log_format: Annotated[Literal["json", "text", "auto"], Meta(description="How the programs log: JSON lines, text, or text on a terminal.")] = "json"


SECTIONS: Mapping[str, type[msgspec.Struct]] = {
    "database": DatabaseSettings, "server": ServerSettings, "engine": EngineSettings, "scouts": ScoutSettings, "archive": ArchiveSettings,
    "local": LocalSettings,
}  # fmt: skip


def data_folder(given: Path | None, environment: Mapping[str, str] = os.environ) -> Path:
    """Returns the data folder: the one given, PANDA_DATA, or ~/.local/share/panda."""
    return (given or Path(environment.get("PANDA_DATA") or Path.home() / ".local/share/panda")).expanduser().absolute()


def load(data: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """Reads the settings of a data folder and the environment. Raises Invalid that names the key, the value and what is allowed."""
    settings = decode(Settings, _overlay(_file(data / FILE), environment))
    address.check(settings.server.public_url, settings.server.tls_certificate, settings.server.tls_key)
    engine = settings.engine
    if engine.heartbeat_seconds > engine.lease_seconds / 2:
        raise Invalid(
            "heartbeats must come at least twice a lease", code="settings.value", field="engine.heartbeat_seconds", value=engine.heartbeat_seconds,
            allowed=f"at most {engine.lease_seconds / 2:g}", hint="raise engine.lease_seconds or lower engine.heartbeat_seconds",
        )  # fmt: skip
    _check_gpus(settings.local)
    return settings


def _check_gpus(local: LocalSettings) -> None:
    for name, value in (("gpu_model", local.gpu_model), ("gpu_memory_mb", local.gpu_memory_mb)):
        if value and not local.gpus:
            raise Invalid(
                "a slot without GPUs has none of a model or with memory", code="settings.value", field=f"local.{name}", value=value,
                allowed="nothing while local.gpus is 0", hint=f"write how many GPUs a slot has into local.gpus, or leave local.{name} out",
            )  # fmt: skip


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
    given = settings.database
    return DatabaseOptions(
        url=_embedded_url(data) if given.url == EMBEDDED else given.url, max_connections=given.max_connections,
        statement_timeout_seconds=given.statement_timeout_seconds, hot_connections=given.hot_connections, hot_statement_seconds=given.hot_statement_seconds,
    )  # fmt: skip


def read_options(settings: Settings, data: Path) -> DatabaseOptions:
    """Returns where lists and reports read: a replica when one is set, else the database; nothing can be changed there, and statements are short."""
    options = database_options(settings, data)
    seconds = settings.database.read_statement_seconds
    return replace(
        options, url=settings.database.read_url or options.url, statement_timeout_seconds=seconds, idle_in_transaction_seconds=seconds, is_read_only=True
    )


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
    return EngineOptions(**msgspec.structs.asdict(settings.engine), scouts=ScoutLimits(**msgspec.structs.asdict(settings.scouts)))


def archive_policy(settings: Settings, data: Path) -> ArchivePolicy:
    """Returns how long ended jobs stay in the database and where their files go. Raises Invalid for days that do not fit each other."""
    given = settings.archive
    folder = Path(given.folder).expanduser() if given.folder else data / "archive"
    return ArchivePolicy(folder.absolute(), given.keep_days, given.keep_rows_days).checked()


def local_slots(settings: Settings) -> int:
    """Returns how many slots the local queue has: as set, or as many as the cores are enough for; one where a slot has GPUs, since nobody counted these."""
    given = settings.local
    return given.slots or (1 if given.gpus else max(1, (os.cpu_count() or 1) // given.cores))


def slot_memory_mb(settings: Settings) -> int:
    """Returns the memory of one local slot: as set, or an equal part of the machine's."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return settings.local.memory_mb or max(1, total // local_slots(settings))


def architecture() -> str:
    """Returns this machine's architecture, as in x86_64."""
    return platform.machine()
