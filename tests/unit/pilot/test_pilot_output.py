"""Kept output, packed logs, versions, pauses: the pilot's small parts."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandawms.domain.errors import Invalid
from pandawms.pilot.guard import KeptOutput
from pandawms.pilot.limits import folder_mb, proportional_memory_mb, usage_below
from pandawms.pilot.log import pack
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


def test_a_full_disk_loses_output_and_nothing_else() -> None:
    kept = KeptOutput("/dev/full", 100)
    kept.feed(b"x" * 40)
    kept.close()
    assert kept.total_bytes == 40


def test_a_packed_log_never_passes_its_limit(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    for name in ("payload.stdout", "payload.stderr"):
        (folder / name).write_bytes(os.urandom(300_000))
    (folder / "pilot.log").write_text("short\n")
    pack(folder, tmp_path / "log.tar.gz", limit_bytes=100_000)
    assert (tmp_path / "log.tar.gz").stat().st_size <= 100_000
    with tarfile.open(tmp_path / "log.tar.gz") as tar:
        stdout = tar.extractfile("payload.stdout")
        pilot = tar.extractfile("pilot.log")
        assert stdout is not None
        assert pilot is not None
        assert b"bytes left out" in stdout.read()
        assert pilot.read() == b"short\n"


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
