"""The Python environment of a payload: a virtual environment, built once for each set of packages and kept.

Every job gets one, an empty one if it asks for nothing: so `python` is always there and is never the pilot's own.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pandawms.domain.codes import Code
from pandawms.domain.errors import Invalid
from pandawms.pilot.disk import says_full
from pandawms.pilot.failures import Stopped, failed
from pandawms.pilot.kept import last_bytes
from pandawms.pilot.locks import locked
from pandawms.pilot.payload import Command, Ended, Guarded
from pandawms.pilot.stop import Stop
from pandawms.pilot.versions import satisfies
from pandawms.wire.pilot import Environment

_TAIL_BYTES = 1 << 16
_IMPOSSIBLE = re.compile(r"ResolutionImpossible|Invalid requirement|Failed to parse: `|No solution found|\(from versions: \d")
_ERROR_LINE = re.compile(r"\s*(?:error:|\u00d7)\s*(.+)", re.IGNORECASE)
_CAUSE_LINE = re.compile(r"\s*(?:cause:|caused by:|╰─▶|╰─>)\s*(.+)", re.IGNORECASE)
_BROKEN = re.compile(r"connection broken by .*")
_ASK_VERSION = "import sys; print('%d.%d.%d' % sys.version_info[:3])"


@dataclass(frozen=True)
class Builder:
    """How environments are built here: with `uv` if there is one, else with venv and pip; from which interpreters."""

    cache: Path
    interpreters: tuple[str, ...]
    uv: str | None
    guarded: Guarded

    def prepare(self, wanted: Environment, log_folder: Path, stop: Stop) -> Path:
        """The folder of a complete environment; raises `JobFailed` with the installer's last words.

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
        try:
            for path, version in versions:
                if version and satisfies(version, wanted):
                    return path, version
        except Invalid as error:
            raise failed(Code.ENVIRONMENT_IMPOSSIBLE, str(error)) from error
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
            said = ended.failure or _tail(command.stderr, ended) or _tail(output, ended) or f"exit code {ended.exit_code}"
            raise failed(*understood(said))


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


def understood(said: str) -> tuple[Code, str]:
    """The code for what an installer (pip or uv) said, and one line of it: its last error with the causes it names."""
    message = _last_error(said)
    if says_full(said):
        return Code.NO_LOCAL_SPACE, message
    if _IMPOSSIBLE.search(said):
        return Code.ENVIRONMENT_IMPOSSIBLE, message
    broken = _BROKEN.findall(said)
    return Code.ENVIRONMENT_NOT_BUILT, f"{message}: {broken[-1]}" if broken else message


def _last_error(said: str) -> str:
    lines = said.strip().splitlines()
    errors = [(number, match[1]) for number, match in enumerate(map(_ERROR_LINE.fullmatch, lines)) if match]
    if not errors:
        return lines[-1].strip() if lines else ""
    number, error = errors[-1]
    causes = itertools.takewhile(bool, map(_CAUSE_LINE.fullmatch, lines[number + 1 :]))
    return ": ".join([error.strip().rstrip(":"), *(cause[1].strip() for cause in causes if cause)])


def _key(version: str, interpreter: str, packages: tuple[str, ...]) -> str:
    text = "\n".join((version, interpreter, *sorted(packages)))
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _mark(folder: Path) -> Path:
    return folder / ".complete"


def _tail(path: Path, ended: Ended) -> str:
    return last_bytes(path, _TAIL_BYTES, ended.kept.get(path.name)).decode("utf-8", "replace").strip()
