"""Under which account the server runs: our own, or, since PostgreSQL refuses root, an account made for it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pandawms.domain.errors import Unavailable

SYSTEM_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
NO_LOGIN = "/usr/sbin/nologin"


@dataclass(frozen=True, slots=True)
class Account:
    """The user that PostgreSQL's programs run as; `switches` is true when that is not the user we are."""

    uid: int
    gid: int
    switches: bool

    def own(self, path: Path) -> None:
        """Gives one of our own folders or files to the account."""
        if self.switches:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def popen(self, command: Sequence[str | Path], *, stdin: IO[str] | int, output: IO[str] | int) -> subprocess.Popen[str]:
        """Starts `command` as this account in a session of its own, with a clean environment and nothing inherited."""
        return subprocess.Popen(
            command,
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
            env=_environment(os.environ),
            user=self.uid if self.switches else None,
            group=self.gid if self.switches else None,
            extra_groups=[] if self.switches else None,
            umask=0o077,
            start_new_session=True,
        )

    def run(self, command: Sequence[str | Path], *, given: str = "") -> str:
        """Runs `command` to its end with `given` on its standard input and returns what it said; Unavailable when it fails."""
        process = self.popen(command, stdin=subprocess.PIPE, output=subprocess.PIPE)
        said, _ = process.communicate(given)
        if process.returncode != 0:
            raise Unavailable(
                f"{Path(command[0]).name} ended with code {process.returncode}: {said.strip()[-2000:]}",
                code="postgres_setup",
                hint="check that the disk is not full and that the account of the server can reach the folder",
            )
        return said


def ourselves() -> Account:
    """The account that this process has."""
    return Account(os.geteuid(), os.getegid(), switches=False)


def dedicated(name: str, search_path: str = SYSTEM_PATH) -> Account:
    """The system account `name`, made with `useradd` when it is missing; only root may ask for it."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        _add(name, search_path)
        entry = pwd.getpwnam(name)
    if entry.pw_uid == 0:
        raise Unavailable(f"the account {name} is root, and PostgreSQL refuses to run as root", code="postgres_account", value=name)
    return Account(entry.pw_uid, entry.pw_gid, switches=True)


def _add(name: str, search_path: str) -> None:
    program = shutil.which("useradd", path=search_path)
    if program is None:
        raise Unavailable(
            f"PostgreSQL refuses to run as root, and the account {name} cannot be made: there is no useradd on this machine",
            code="postgres_account",
            value=name,
            hint=f"make a system user named {name} without login by the means of this system, or start as a normal user",
        )
    command = [program, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent", "--shell", NO_LOGIN, name]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise Unavailable(
            f"useradd could not make the account {name}: {ended.stderr.strip()}",
            code="postgres_account",
            value=name,
            hint="make it by hand, or start as a normal user",
        )


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    """Nothing that could redirect PostgreSQL (PGDATA, PGPORT…) gets through; a library path might be needed to run at all."""
    fixed = {"PATH": SYSTEM_PATH, "LC_ALL": "C", "TZ": "UTC"}
    return fixed | {name: ours[name] for name in ("LD_LIBRARY_PATH",) if name in ours}
