"""Packing a program: the same bytes every time, nothing from outside, a limit that says what is large."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from pandawms.client import Client, RetryPolicy
from pandawms.client import sandbox as sandboxes
from pandawms.client.sandbox import pack
from pandawms.domain.errors import Invalid, Limit
from tests.unit.client.stand_in import Said, Seen, stand_in


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "lib/__pycache__").mkdir(parents=True)
    (root / "lib/b.py").write_text("b")
    (root / "lib/a.py").write_text("a")
    (root / "lib/__pycache__/a.pyc").write_text("compiled")
    (root / "prog").write_text("#!/bin/sh\n")
    (root / "prog").chmod(0o700)
    return root


def members(content: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        return archive.getmembers()


def test_equal_programs_have_equal_names_whatever_their_times_and_order(folder: Path) -> None:
    first = pack(folder, ["prog", "lib"])
    os.utime(folder / "prog", (1, 1))
    (folder / "lib/__pycache__/b.pyc").write_text("more")
    assert pack(folder, ["lib/", "./prog", "lib/a.py"]).content == first.content


def test_only_names_content_and_the_x_bit_are_kept(folder: Path) -> None:
    found = members(pack(folder, ["prog", "lib"]).content)
    assert [(item.name, item.mode) for item in found] == [("lib/a.py", 0o644), ("lib/b.py", 0o644), ("prog", 0o755)]
    assert {(item.uid, item.gid, item.uname, item.mtime) for item in found} == {(0, 0, "", 0)}


def test_a_link_inside_is_followed_and_one_that_leaves_is_refused(folder: Path) -> None:
    (folder / "lib/c.py").symlink_to("a.py")
    assert "lib/c.py" in pack(folder, ["lib"]).files
    (folder / "lib/d.py").symlink_to("/etc/hostname")
    with pytest.raises(Invalid, match="leaves the folder") as caught:
        pack(folder, ["prog", "lib"])
    assert caught.value.field == "program.files[1]"


def test_what_is_missing_dangling_or_no_file_is_refused(folder: Path) -> None:
    with pytest.raises(Invalid) as caught:
        pack(folder, ["prgo"])
    assert caught.value.hint == "did you mean prog?"
    (folder / "gone").symlink_to("nothing")
    os.mkfifo(folder / "lib/pipe")
    for path in ("gone", "lib", "../project/prog"):
        with pytest.raises(Invalid):
            pack(folder, [path])


def test_too_large_a_program_names_its_biggest_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandboxes, "MAX_BYTES", 5)
    with pytest.raises(Limit, match=r"biggest: prog \(0\.0 MiB\)"):
        pack(folder, ["prog", "lib"])


def test_a_sandbox_is_uploaded_once(folder: Path) -> None:
    kept: dict[str, bytes] = {}

    def answer(seen: Seen) -> Said:
        if seen.method == "PUT":
            kept[seen.path] = seen.body
        return Said(body={"sha256": "0" * 64, "size_bytes": 1}) if seen.path in kept else Said(404)

    packed = pack(folder, ["prog"])
    with stand_in(answer) as server, Client(server.url, "t", retry=RetryPolicy(0.0)) as client:
        assert [client.sandboxes.ensure(packed), client.sandboxes.ensure(packed)] == [True, False]
        assert [seen.method for seen in server.seen] == ["HEAD", "PUT", "HEAD"]
    assert kept == {f"/api/v2/sandboxes/{packed.sha256}": packed.content}
