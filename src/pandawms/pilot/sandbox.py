"""The user's program: fetched once for all pilots of a node, verified by its sha256, unpacked without a way out."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import tempfile
from pathlib import Path, PurePosixPath
from typing import Callable

from pandawms.domain.codes import Code
from pandawms.pilot.failures import failed
from pandawms.pilot.locks import locked
from pandawms.pilot.stop import Stop
from pandawms.wire.pilot import Sandbox

MAX_UNPACKED_BYTES = 2 << 30
MAX_MEMBERS = 100_000
_CHUNK_BYTES = 1 << 20
_HEX = frozenset("0123456789abcdef")

Download = Callable[[str, Path, Stop], None]


class UnsafeArchive(Exception):
    """A member of the archive would leave its folder, or is nothing that a sandbox may hold."""


def install(sandbox: Sandbox, cache: Path, work_folder: Path, download: Download, stop: Stop) -> None:
    """Puts the sandbox's files into the work folder; raises `JobFailed` when it cannot be had or is not what it says.

    The files are copied, not linked: a program that changes its own files must not change the next job's.
    """
    shutil.copytree(fetch(sandbox, cache, download, stop), work_folder, symlinks=True, dirs_exist_ok=True)


def fetch(sandbox: Sandbox, cache: Path, download: Download, stop: Stop) -> Path:
    """The folder of the sandbox's files in the cache, after a download where they are not there; raises `JobFailed` as `install` does."""
    try:
        return _kept(sandbox, cache, download, stop)
    except (UnsafeArchive, tarfile.TarError, EOFError) as error:
        raise failed(Code.SANDBOX_UNSAFE, f"the sandbox cannot be unpacked: {error}") from error


def _kept(sandbox: Sandbox, cache: Path, download: Download, stop: Stop) -> Path:
    if len(sandbox.sha256) != 64 or not _HEX.issuperset(sandbox.sha256):
        raise failed(Code.BAD_JOB, f"{sandbox.sha256!r} is not a sha256")
    folder = cache / "sandboxes"
    kept = folder / sandbox.sha256
    if kept.is_dir():
        return kept
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / f"{sandbox.sha256}.lock", stop):
        if not kept.is_dir():
            _fill(kept, sandbox, download, stop)
    return kept


def _fill(kept: Path, sandbox: Sandbox, download: Download, stop: Stop) -> None:
    with tempfile.TemporaryDirectory(prefix="unpack-", dir=kept.parent) as scratch:
        archive, files = Path(scratch) / "archive", Path(scratch) / "files"
        download(sandbox.url, archive, stop)
        found = _sha256(archive)
        if found != sandbox.sha256:
            raise failed(Code.SANDBOX_CHECKSUM, f"the sandbox has sha256 {found}, not {sandbox.sha256}")
        files.mkdir()
        unpack(archive, files)
        files.rename(kept)


def unpack(archive: Path, folder: Path, max_bytes: int = MAX_UNPACKED_BYTES) -> None:
    """Unpacks files, folders and links that stay inside `folder`; refuses the whole archive before writing anything.

    Raises UnsafeArchive for an absolute path, "..", a link that leaves, a path that leads through a link, a device, a
    socket or a pipe, more than `max_bytes` in all or more than 100,000 members; tarfile.TarError for what is no archive.
    """
    with tarfile.open(archive, "r:*") as tar:
        members = list(_safe_members(tar, max_bytes))
        for member in members:
            _place(tar, member, folder)


def _safe_members(tar: tarfile.TarFile, max_bytes: int) -> list[tarfile.TarInfo]:
    members: list[tarfile.TarInfo] = []
    links: set[PurePosixPath] = set()
    sizes: dict[PurePosixPath, int] = {}
    total_bytes = 0
    for member in tar:
        path = _inside(member.name, member.name)
        if any(parent in links for parent in (path, *path.parents)):
            raise UnsafeArchive(f"{member.name} leads through a link")
        if member.issym():
            _check_link(path, member.linkname)
            links.add(path)
        elif not (member.isfile() or member.isdir() or member.islnk()):
            raise UnsafeArchive(f"{member.name} is no file, folder or link")
        linked = _inside(member.linkname, member.name) if member.islnk() else path
        sizes[path] = sizes.get(linked, 0) if member.islnk() else member.size
        total_bytes += sizes[path]
        members.append(member)
        if len(members) > MAX_MEMBERS or total_bytes > max_bytes:
            raise UnsafeArchive(f"it holds more than {MAX_MEMBERS} members or {max_bytes} bytes")
    return members


def _inside(path: str, named: str) -> PurePosixPath:
    """The path without its single dots; raises UnsafeArchive when it is absolute or holds ".."."""
    parts = PurePosixPath(path).parts
    if path.startswith("/") or "\0" in path or ".." in parts:
        raise UnsafeArchive(f"{named} leads out of the sandbox")
    return PurePosixPath(*parts)


def _check_link(path: PurePosixPath, target: str) -> None:
    """A symbolic link may climb first and descend then, and must stay inside.

    Climbing after a descent is refused: the way down may be another link, and what lies above that is elsewhere.
    """
    parts = list(PurePosixPath(target).parts)
    depth = len(path.parts) - 1
    while parts and parts[0] == ".." and depth > 0:
        parts.pop(0)
        depth -= 1
    if target.startswith("/") or ".." in parts:
        raise UnsafeArchive(f"{path} leads out of the sandbox")


def _place(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    target = folder / member.name
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    if member.issym():
        target.symlink_to(member.linkname)
        return
    content = tar.extractfile(member)
    if content is None:
        raise UnsafeArchive(f"{member.name} links to nothing")
    with content, target.open("wb") as file:
        shutil.copyfileobj(content, file, _CHUNK_BYTES)
    target.chmod(0o755 if member.mode & 0o111 else 0o644)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for data in iter(lambda: file.read(_CHUNK_BYTES), b""):
            digest.update(data)
    return digest.hexdigest()
