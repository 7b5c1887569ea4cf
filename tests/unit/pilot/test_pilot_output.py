"""Kept output, packed logs, versions, pauses: the pilot's small parts."""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandawms.domain.errors import Invalid
from pandawms.pilot.guard import KeptOutput
from pandawms.pilot.kept import Kept, last_bytes, shortened
from pandawms.pilot.limits import folder_mb, proportional_memory_mb, usage_below
from pandawms.pilot.log import Log, pack
from pandawms.pilot.server import Backoff
from pandawms.pilot.versions import satisfies


@given(chunks=st.lists(st.binary(max_size=30), max_size=20), keep_bytes=st.integers(2, 80).map(lambda n: n * 2))
def test_output_is_kept_whole_or_as_head_and_tail(chunks: list[bytes], keep_bytes: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("kept") / "stdout"
    kept = KeptOutput(str(path), keep_bytes)
    for chunk in chunks:
        kept.feed(chunk)
    kept.close()
    everything, half = b"".join(chunks), keep_bytes // 2
    missing = len(everything) - keep_bytes
    note = f"\n[... {missing} bytes left out ...]\n".encode()
    assert kept.total_bytes == len(everything)
    assert path.read_bytes() == (everything if missing <= 0 else everything[:half] + note + everything[-half:])
    assert [left.name for left in path.parent.iterdir()] == ["stdout"]


def test_a_full_disk_loses_no_more_than_the_middle_of_an_output() -> None:
    kept = KeptOutput("/dev/full", 100)
    kept.feed(b"x" * 40)
    assert kept.close() == {"head_bytes": 0, "left_out_bytes": 0, "unwritten": "x" * 40}
    kept = KeptOutput("/dev/full", 100)
    kept.feed(b"a" * 1_000_000 + b"the end")
    told = kept.close()
    assert told["left_out_bytes"] + len(told["unwritten"]) == kept.total_bytes
    assert told["unwritten"].endswith("athe end")


@given(size=st.integers(0, 3000), keep_bytes=st.integers(2, 1200), pack_bytes=st.integers(2, 1200))
def test_the_bytes_left_out_are_counted_right_when_guard_and_log_both_cut(
    size: int, keep_bytes: int, pack_bytes: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("cut") / "stdout"
    output, everything = KeptOutput(str(path), keep_bytes), bytes(65 + n % 26 for n in range(size))
    output.feed(everything)
    kept = Kept.from_guard(output.close())
    head, *found = re.split(rb"\n\[\.\.\. (\d+) bytes left out \.\.\.\]\n", shortened(path, pack_bytes, kept))
    if not found:
        assert head == everything
        return
    count, tail = found
    assert len(head) + int(count) + len(tail) == size
    assert everything.startswith(head)
    assert everything.endswith(tail)
    assert len(head) + len(tail) <= pack_bytes


def test_the_end_that_found_no_room_on_the_disk_is_in_the_log(tmp_path: Path) -> None:
    path = tmp_path / "stderr"
    path.write_bytes(b"begin")
    gap = b"\n[... 7 bytes left out ...]\n"
    assert shortened(path, 100, Kept(5, 0, b" and end")) == b"begin and end"
    assert shortened(path, 100, Kept(5, 7, b"the end")) == b"begin" + gap + b"the end"
    assert last_bytes(path, 9, Kept(5, 0, b"end")) == b"beginend"
    assert last_bytes(path, 4, Kept(5, 0, b"end")) == b"nend"
    assert shortened(tmp_path / "never made", 100, Kept(0, 0, b"all of it")) == b"all of it"


def test_a_job_log_goes_on_in_memory_when_its_disk_is_full(tmp_path: Path) -> None:
    log = Log(None)
    log.follow(Path("/dev/full"))
    log.info("one")
    log.info("two")
    assert [json.loads(line)["event"] for line in log.kept().unwritten.splitlines()] == ["one", "two"]
    log.follow(tmp_path / "no folder" / "pilot.log")
    log.info("three")
    assert b"three" in log.kept().unwritten


def test_a_packed_log_never_passes_its_limit(tmp_path: Path) -> None:
    for name in ("payload.stdout", "payload.stderr"):
        (tmp_path / name).write_bytes(os.urandom(300_000))
    (tmp_path / "pilot.log").write_text("short\n")
    packed = pack(tmp_path, {"pilot.log": Kept(6, 0, b"and more\n")}, limit_bytes=100_000)
    assert len(packed) <= 100_000
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        stdout = tar.extractfile("payload.stdout")
        pilot = tar.extractfile("pilot.log")
        assert stdout is not None
        assert pilot is not None
        assert b"bytes left out" in stdout.read()
        assert pilot.read() == b"short\nand more\n"


@pytest.mark.parametrize(
    ("version", "specifier", "expected"),
    [
        ("3.11.7", "", True),
        ("3.11.7", ">=3.11", True),
        ("3.9.18", ">=3.11", False),
        ("3.11.7", ">=3.11,<3.12", True),
        ("3.12.0", ">=3.11, <3.12", False),
        ("3.11.7", "3.11", True),
        ("3.1.7", "3.11", False),
        ("3.11.7", "==3.11.*", True),
        ("3.11.7", "!=3.11.*", False),
        ("3.11.7", "==3.11", False),
        ("3.11.0", "==3.11", True),
        ("3.13.1", "~=3.11", True),
        ("3.13.1", "~=3.11.2", False),
        ("3.11.7", ">3.11.7", False),
        ("3.11.7", "<=3.11.7", True),
        ("3.11.7", "!=3.11.7", False),
    ],
)
def test_version_specifiers_mean_what_packaging_says(version: str, specifier: str, expected: bool) -> None:
    assert satisfies(version, specifier) is expected


def test_a_clause_that_is_none_is_refused() -> None:
    with pytest.raises(Invalid):
        satisfies("3.11.7", "=>3.11")


def test_pauses_grow_to_their_limit_and_respect_what_the_server_asked() -> None:
    backoff = Backoff(longest_seconds=4.0)
    pauses = [backoff.pause_seconds() for _ in range(8)]
    assert 0.25 <= pauses[0] <= 0.5
    assert all(2.0 <= pause <= 4.0 for pause in pauses[4:])
    assert backoff.pause_seconds(asked_seconds=30) >= 30


def test_a_process_tree_is_measured_from_proc() -> None:
    usage = usage_below(os.getppid())
    assert os.getpid() in usage.processes
    assert usage.rss_mb > 1
    assert 0 < proportional_memory_mb(usage) <= usage.rss_mb * 1.5


def test_a_folder_is_measured_by_blocks(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(os.urandom(3 << 20))
    (tmp_path / "link").symlink_to("/")
    assert 2.9 < folder_mb(tmp_path) < 3.2
