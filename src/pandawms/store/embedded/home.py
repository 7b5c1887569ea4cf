"""Where the cluster of a requested folder lives, and that only its account can get at it.

A normal user's cluster is in the requested folder itself. Root's is below the system folder, since PostgreSQL's account often
cannot reach what root asked for; the file LOCATION in the requested folder says where. The folder that holds the cluster stays
root's: only the folders in it that PostgreSQL writes to belong to the account.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pandawms.domain.errors import Conflict, Invalid
from pandawms.store.embedded.account import Account, dedicated, ourselves
from pandawms.store.embedded.binaries import binaries
from pandawms.store.embedded.files import locked, make_private, write_whole
from pandawms.store.embedded.options import Options
from pandawms.store.embedded.processes import kill, ours_in

POINTER = "LOCATION"
LONGEST_SOCKET = 103  # bytes of a socket's path: sun_path holds 104 on macOS and 108 on Linux, with the final zero
SOCKET_NAME = "/.s.PGSQL.65535"


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one cluster, and the names of what is in it."""

    requested: Path
    folder: Path
    account: Account
    sockets: Path

    @property
    def data(self) -> Path:
        """PostgreSQL's data folder; it appears when it is complete."""
        return self.folder / "data"

    @property
    def new_data(self) -> Path:
        """The data folder while it is being made."""
        return self.folder / "data.new"

    @property
    def logs(self) -> Path:
        """The folder of the server's log files."""
        return self.folder / "log"

    @property
    def startup_log(self) -> Path:
        """What the server says before it writes its own log."""
        return self.folder / "startup.log"

    @property
    def password(self) -> Path:
        """The file with the password of the one role."""
        return self.folder / "password"

    @property
    def settings(self) -> Path:
        """The server's configuration file, written at each start."""
        return self.folder / "pandawms.conf"

    @property
    def access(self) -> Path:
        """The server's access rules (pg_hba), written at each start."""
        return self.folder / "pandawms_hba.conf"

    @property
    def record(self) -> Path:
        """Which versions used the cluster last, and for which folder."""
        return self.folder / "cluster.json"


def prepared(options: Options) -> Home:
    """The home for `options.folder`, with its folders made; Invalid when the folder was used by another kind of user before."""
    home = _system_home(options) if os.geteuid() == 0 else _own_home(options)
    make_private(home.logs, home.account)
    make_private(home.sockets, home.account)
    return home


def existing(options: Options) -> Home | None:
    """The home that an earlier start made for `options.folder`, or None; makes nothing."""
    pointer, folder = options.folder / POINTER, options.folder
    if os.geteuid() == 0:
        if not pointer.exists():
            return None
        folder = _pointed(pointer, options)
    if not (folder / "data").is_dir() and not (folder / "password").exists():
        return None
    return _home(options, folder, dedicated(options.account) if os.geteuid() == 0 else ourselves())


@contextmanager
def system_locked(options: Options) -> Iterator[None]:
    """Holds the lock of what all of root's clusters share, the account and the copy of the programs; nothing for a normal user."""
    if os.geteuid() != 0:
        yield
        return
    folder = options.system_folder
    if not folder.exists():
        folder.mkdir(parents=True)
        folder.chmod(0o755)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
        raise Invalid(
            f"{folder} is not a folder that only root can write to",
            code="postgres_folder",
            field="system_folder",
            value=str(folder),
            hint="look who made it, and remove it or choose another",
        )
    with locked(folder / "lock", options.start_timeout_seconds):
        yield


def _own_home(options: Options) -> Home:
    if (options.folder / POINTER).exists():
        raise Invalid(
            f"the database of {options.folder} was made by root",
            code="postgres_folder",
            field="folder",
            value=str(options.folder),
            hint="start as root again, or choose another folder",
        )
    return _home(options, options.folder.resolve(), ourselves())


def _system_home(options: Options) -> Home:
    if (options.folder / "data").exists():
        raise Invalid(
            f"the database of {options.folder} was made by a normal user, not by root",
            code="postgres_folder",
            field="folder",
            value=str(options.folder),
            hint=f"start as the user {(options.folder / 'data').stat().st_uid} again, or choose another folder",
        )
    account = dedicated(options.account)
    pointer = options.folder / POINTER
    folder = _pointed(pointer, options) if pointer.exists() else _claimed(pointer, options, account)
    folder.mkdir(exist_ok=True)
    folder.chmod(0o711)  # whatever the umask is: the account passes through, but sees nothing
    return _home(options, folder, account)


def _home(options: Options, folder: Path, account: Account) -> Home:
    return Home(options.folder.resolve(), folder, account, _sockets(folder, account))


def _pointed(pointer: Path, options: Options) -> Path:
    """Where LOCATION says the cluster is: only folders directly below the system folder are believed."""
    folder = Path(pointer.read_text().strip())
    if folder.parent != options.system_folder or ".." in folder.parts:
        raise Invalid(
            f"{pointer} names {folder}, which is not in {options.system_folder}",
            code="postgres_folder",
            field="folder",
            value=str(folder),
            hint="set the system folder that was used before, or choose another folder",
        )
    _refuse_copy(pointer, folder)
    return folder


def _refuse_copy(pointer: Path, folder: Path) -> None:
    """Two requested folders must not share one cluster, as they would after `cp -r`; after `mv` there is only one."""
    try:
        owner = Path(json.loads((folder / "cluster.json").read_text())["folder"])
    except FileNotFoundError:
        return
    first = owner / POINTER
    if owner != pointer.parent.resolve() and first.exists() and first.read_text() == pointer.read_text():
        raise Conflict(
            f"{pointer.parent} is a copy of {owner}, and both name the database {folder}",
            code="postgres_folder",
            field="folder",
            value=str(pointer.parent),
            hint=f"remove {pointer} to begin with an empty database, or use {owner}",
        )


def _claimed(pointer: Path, options: Options, account: Account) -> Path:
    """The place for a requested folder that has none yet; what an earlier folder of this name left there is ended and put aside."""
    name = hashlib.sha256(os.fsencode(options.folder.resolve())).hexdigest()[:12]
    folder = options.system_folder / name
    if folder.exists():
        kill(ours_in(folder / "data", binaries(options.binaries_prefix).bin / "postgres", account))
        folder.rename(folder.with_name(f"{name}.{time.time_ns() // 1_000_000}"))
    write_whole(pointer, f"{folder}\n", 0o644)
    return folder


def _sockets(folder: Path, account: Account) -> Path:
    """In the home if a socket's path there is short enough; else in /tmp, where the name alone proves nothing, so it is checked."""
    if len(os.fsencode(folder / "sockets")) + len(SOCKET_NAME) <= LONGEST_SOCKET:
        return folder / "sockets"
    return Path("/tmp") / f"pandawms-{account.uid}-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]}"
