"""The user's program as an archive: packed the same way every time, so that equal programs have equal names (sha256)."""

from __future__ import annotations

import gzip
import hashlib
import io
import stat
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath

from pandawms.client.attempts import RetryPolicy
from pandawms.client.calls import Call, reader
from pandawms.client.resource import Resource, Runner, endpoint, scripted
from pandawms.client.script import Request, Script
from pandawms.domain.errors import Invalid, Limit, NotFound, did_you_mean
from pandawms.wire.system import SandboxAnswer

MAX_BYTES = 100 * 1024 * 1024
"""Most bytes that the files of one program may have together, before compression."""

SKIPPED = frozenset({"__pycache__", ".git", ".DS_Store"})
"""Names inside packed folders that never belong to a program; compiled Python would also change the sha256."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A packed program: a tar.gz and its SHA-256."""

    sha256: str
    content: bytes
    files: tuple[str, ...]


def pack(folder: Path, paths: Sequence[str]) -> Sandbox:
    """Packs files and folders below `folder`: sorted, without times and owners, only the x-bit of the mode kept.

    Links are followed as long as they stay below `folder`. Raises Invalid for what is missing, leaves the folder or is no file,
    and Limit when it is over 100 MiB.
    """
    root = folder.resolve()
    members = dict(sorted(member for index, path in enumerate(paths) for member in _members(root, path, f"program.files[{index}]")))
    _check_size(members)
    content = _archive(members)
    return Sandbox(hashlib.sha256(content).hexdigest(), content, tuple(members))


def _members(root: Path, path: str, field: str) -> Iterator[tuple[str, Path]]:
    start = root / path
    if not start.exists():
        raise _missing(root, path, field)
    _check_inside(root, start, path, field)
    if not start.is_dir():
        yield _file(root, start, field)
        return
    for found in sorted(start.rglob("*")):
        if SKIPPED.intersection(found.relative_to(root).parts):
            continue
        _check_inside(root, found, str(found.relative_to(root)), field)
        if not found.is_dir():
            yield _file(root, found, field)
        elif found.is_symlink():
            raise _refused(
                field,
                found.relative_to(root),
                "a link to a folder is not followed",
                "name the folder itself in program.files",
            )


def _file(root: Path, path: Path, field: str) -> tuple[str, Path]:
    if not stat.S_ISREG(path.stat().st_mode):
        raise _refused(field, path.relative_to(root), "it is neither a file nor a folder", "leave it out of program.files")
    return path.relative_to(root).as_posix(), path


def _check_inside(root: Path, path: Path, shown: str, field: str) -> None:
    if not path.exists():
        raise _refused(field, PurePosixPath(shown), "it is a link to nothing", "remove the link or what holds it")
    if ".." in PurePosixPath(shown).parts or not path.resolve().is_relative_to(root):
        raise _refused(field, PurePosixPath(shown), "it leaves the folder of the task file", "copy it beside the task file")


def _missing(root: Path, path: str, field: str) -> Invalid:
    parent = (root / path).parent
    siblings = [item.relative_to(root).as_posix() for item in parent.iterdir()] if parent.is_dir() and parent.is_relative_to(root) else []
    near = did_you_mean(path, siblings)
    return Invalid(
        f"{path} does not exist beside the task file",
        code="file_missing",
        field=field,
        value=path,
        allowed="a file or folder beside the task file",
        hint=f"did you mean {near}?" if near else "paths are relative to the folder of the task file",
    )


def _refused(field: str, path: PurePath, reason: str, hint: str) -> Invalid:
    return Invalid(f"{path} cannot be packed: {reason}", code="bad_path", field=field, value=str(path), hint=hint)


def _check_size(members: dict[str, Path]) -> None:
    sizes = sorted(((path.stat().st_size, name) for name, path in members.items()), reverse=True)
    total = sum(size for size, _ in sizes)
    if total > MAX_BYTES:
        biggest = ", ".join(f"{name} ({size / 2**20:.1f} MiB)" for size, name in sizes[:3])
        raise Limit(
            f"the program has {total / 2**20:.1f} MiB, more than 100 MiB; biggest: {biggest}",
            code="sandbox_too_large",
            field="program.files",
            value=total,
            allowed=f"at most {MAX_BYTES} bytes",
            hint="give large files as a dataset under inputs instead",
        )


def _archive(members: dict[str, Path]) -> bytes:
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, path in members.items():
            content = path.read_bytes()
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.mode = 0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _put(sandbox: Sandbox) -> Call[SandboxAnswer]:
    """Uploads a sandbox; uploading the same one again is harmless."""
    headers = (("Content-Type", "application/gzip"),)
    request = Request("PUT", f"/sandboxes/{sandbox.sha256}", headers=headers, body=sandbox.content, read_seconds=300.0)
    return Call(request, reader(SandboxAnswer))


def _download(sha256: str) -> Call[bytes]:
    """The archive of a sandbox."""
    return Call(Request("GET", f"/sandboxes/{sha256}", read_seconds=300.0), lambda reply: reply.body)


def ensure(policy: RetryPolicy, sandbox: Sandbox) -> Script[bool]:
    """Uploads a sandbox unless the server has it; gives back whether it was uploaded."""
    head: Call[None] = Call(Request("HEAD", f"/sandboxes/{sandbox.sha256}"), lambda reply: None)
    try:
        yield from head.script(policy)
    except NotFound:
        yield from _put(sandbox).script(policy)
        return True
    return False


class Sandboxes(Resource[Runner]):
    """The sandboxes of the API."""

    put = endpoint(_put)
    ensure = scripted(ensure)
    download = endpoint(_download)
