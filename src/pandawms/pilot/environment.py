"""The Python environment of a payload: a virtual environment, built once for each set of packages and kept.

Every job gets one, an empty one if it asks for nothing: so `python` is always there and is never the pilot's own.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pandawms.domain.codes import Code
from pandawms.domain.outcome import MESSAGE_CHARACTERS
from pandawms.pilot.failures import Stopped, failed
from pandawms.pilot.locks import locked
from pandawms.pilot.payload import Command, Guarded
from pandawms.pilot.stop import Stop
from pandawms.pilot.versions import satisfies
from pandawms.wire.pilot import Environment

_TAIL_BYTES = 4096
_IMPOSSIBLE = re.compile(r"ResolutionImpossible|Invalid requirement|No solution found|\(from versions: \d")
_NO_SPACE = os.strerror(errno.ENOSPC)
_ASK_VERSION = "import sys; print('%d.%d.%d' % sys.version_info[:3])"


@dataclass(frozen=True)
class Builder:
    """How environments are built here: with `uv` if there is one, else with venv and pip; from which interpreters."""

    cache: Path
    interpreters: tuple[str, ...]
    uv: str | None
    guarded: Guarded

    def prepare(self, wanted: Environment, log_folder: Path, stop: Stop) -> Path:
        """The folder of a complete environment; raises `JobFailed` with the tail of the installer's words.

        Pilots that want the same one wait for the first to build it.
        """
        interpreter, version = self._interpreter(wanted.python)
        folder = self.cache / "environments" / _key(version, interpreter, wanted.packages)
        if _mark(folder).exists():
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locked(folder.with_suffix(".lock"), stop):
            if not _mark(folder).exists():
                self._build(folder, interpreter, wanted.packages, log_folder, stop)
        return folder

    def _interpreter(self, wanted: str) -> tuple[str, str]:
        versions = [(path, _version_of(path)) for path in self.interpreters]
        for path, version in versions:
            if version and satisfies(version, wanted):
                return path, version
        here = ", ".join(version for _, version in versions if version) or "none"
        raise failed(Code.NO_PYTHON, f"no Python {wanted} on this node; here: {here}")

    def _build(self, folder: Path, interpreter: str, packages: tuple[str, ...], log_folder: Path, stop: Stop) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        for step in self._steps(folder, interpreter, packages):
            self._run(step, log_folder, stop)
        _mark(folder).touch()

    def _steps(self, folder: Path, interpreter: str, packages: tuple[str, ...]) -> list[tuple[str, ...]]:
        python = str(folder / "bin" / "python")
        if self.uv and packages:
            create = (self.uv, "venv", "--quiet", "--python", interpreter, str(folder))
            return [create, (self.uv, "pip", "install", "--python", python, "--", *packages)]
        create = (interpreter, "-I", "-m", "venv", *(() if packages else ("--without-pip",)), str(folder))
        install = (python, "-I", "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--", *packages)
        return [create, install] if packages else [create]

    def _run(self, argv: tuple[str, ...], log_folder: Path, stop: Stop) -> None:
        output = log_folder / "environment.log"
        caches = {"PIP_CACHE_DIR": str(self.cache / "pip"), "UV_CACHE_DIR": str(self.cache / "uv")}
        command = Command(
            argv=argv,
            folder=self.cache,
            variables={**os.environ, **caches},
            stdout=output,
            stderr=log_folder / "environment.err",
        )
        ended = self.guarded.run(command, stop)
        if ended.stopped is not None:
            raise Stopped(ended.stopped)
        if ended.failure or ended.exit_code != 0:
            said = ended.failure or _tail(command.stderr) or _tail(output) or f"exit code {ended.exit_code}"
            raise failed(_code_of(said), said[-MESSAGE_CHARACTERS:])


def base_interpreter() -> str:
    """The interpreter that runs this pilot, outside of any virtual environment."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def find_uv(given: str | None) -> str | None:
    """The path of uv: the one that was given if this node has it, else the one on PATH, else None."""
    return shutil.which(given or "uv") or shutil.which("uv")


def _version_of(interpreter: str) -> str | None:
    if interpreter == base_interpreter():
        return ".".join(str(part) for part in sys.version_info[:3])
    try:
        asked = subprocess.run([interpreter, "-I", "-S", "-c", _ASK_VERSION], capture_output=True, check=False, timeout=30, text=True)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.stdout.strip() or None


def _code_of(said: str) -> Code:
    if _NO_SPACE in said:
        return Code.NO_LOCAL_SPACE
    return Code.ENVIRONMENT_IMPOSSIBLE if _IMPOSSIBLE.search(said) else Code.ENVIRONMENT_NOT_BUILT


def _key(version: str, interpreter: str, packages: tuple[str, ...]) -> str:
    text = "\n".join((version, interpreter, *sorted(packages)))
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _mark(folder: Path) -> Path:
    return folder / ".complete"


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - _TAIL_BYTES, 0))
        return file.read().decode("utf-8", "replace").strip()
