"""No archive gets a file outside of its folder."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from pandawms.pilot.sandbox import UnsafeArchive, unpack


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", content: bytes = b"") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(content)
    return info, content


def archive(folder: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    path = folder / "archive.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    "members",
    [
        [member("/etc/evil")],
        [member("../evil")],
        [member("a/../../evil")],
        [member("link", tarfile.SYMTYPE, "/etc")],
        [member("link", tarfile.SYMTYPE, "../outside")],
        [member("a/b/c/link", tarfile.SYMTYPE, "../../../..")],
        [member("deep/link", tarfile.SYMTYPE, ".."), member("way", tarfile.SYMTYPE, "deep/link/..")],
        [member("link", tarfile.SYMTYPE, "folder"), member("link/file")],
        [member("link", tarfile.SYMTYPE, "file"), member("link")],
        [member("hard", tarfile.LNKTYPE, "/etc/passwd")],
        [member("hard", tarfile.LNKTYPE, "../other")],
        [member("device", tarfile.CHRTYPE)],
        [member("block", tarfile.BLKTYPE)],
        [member("pipe", tarfile.FIFOTYPE)],
        [member("big", content=b"x" * 2000)],
        [member("half", content=b"x" * 600), member("again", tarfile.LNKTYPE, "half")],
    ],
    ids=lambda members: members[-1][0].name,
)
def test_an_evil_archive_is_refused_whole(tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(UnsafeArchive):
        unpack(archive(tmp_path, member("good.txt", content=b"good"), *members), target, max_bytes=1000)
    assert list(target.iterdir()) == []


def test_files_folders_and_links_inside_are_unpacked(tmp_path: Path) -> None:
    program = member("bin/run", content=b"#!/bin/sh\n")
    program[0].mode = 0o4755
    path = archive(
        tmp_path,
        member("bin", tarfile.DIRTYPE),
        program,
        member("bin/also", tarfile.LNKTYPE, "bin/run"),
        member("lib/here", tarfile.SYMTYPE, "../bin/run"),
    )
    target = tmp_path / "target"
    unpack(path, target)
    assert (target / "bin/run").stat().st_mode & 0o7777 == 0o755
    assert (target / "bin/also").read_bytes() == (target / "lib/here").read_bytes() == b"#!/bin/sh\n"


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "no.tar.gz"
    path.write_bytes(b"no")
    with pytest.raises(tarfile.TarError):
        unpack(path, tmp_path)
