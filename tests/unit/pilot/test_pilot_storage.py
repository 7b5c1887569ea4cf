"""Copies are counted, whole or not there, and a full disk is told apart."""

from __future__ import annotations

import errno
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from pandawms.domain.codes import Code
from pandawms.domain.outcome import outcome
from pandawms.pilot.content import StorageError, StorageFull
from pandawms.pilot.failures import Stopped, failed_by_system
from pandawms.pilot.stop import Stop
from pandawms.pilot.storage import storage_for

CONTENT = b"panda" * 1_000_000


@pytest.fixture
def stop() -> Iterator[Stop]:
    stop = Stop()
    yield stop
    stop.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    return path


def test_size_and_adler32_are_those_of_the_file(source: Path, tmp_path: Path, stop: Stop) -> None:
    url = (tmp_path / "new folder" / "target").as_uri()
    stored = storage_for(url).store(source, url, "mark", stop)
    fetched = storage_for(url).fetch(url, tmp_path / "back", stop)
    assert stored == fetched
    assert (stored.size_bytes, stored.adler32) == (len(CONTENT), f"{zlib.adler32(CONTENT):08x}")
    assert [path.name for path in (tmp_path / "new folder").iterdir()] == ["target"]


def test_an_empty_file_has_the_checksum_of_nothing(tmp_path: Path, stop: Stop) -> None:
    (tmp_path / "empty").touch()
    content = storage_for("file:///").fetch((tmp_path / "empty").as_uri(), tmp_path / "copy", stop)
    assert (content.size_bytes, content.adler32) == (0, "00000001")


def test_a_stop_leaves_nothing_half_written(source: Path, tmp_path: Path, stop: Stop) -> None:
    url = (tmp_path / "out" / "target").as_uri()
    stop.request(outcome(Code.KILLED_BY_SERVER))
    with pytest.raises(Stopped):
        storage_for(url).store(source, url, "mark", stop)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_full_disk_keeps_its_own_code(source: Path, stop: Stop) -> None:
    with pytest.raises(OSError) as full:
        storage_for("file:///").fetch(source.as_uri(), Path("/dev/full"), stop)
    assert full.value.errno == errno.ENOSPC
    assert failed_by_system(full.value, Code.STAGE_IN_FAILED).outcome.code == 1098


@pytest.mark.parametrize("url", ["gopher://x/y", "file:relative", "file://elsewhere/path", "file:///no/such/file"])
def test_a_source_that_cannot_be_read_is_a_storage_error(url: str, tmp_path: Path, stop: Stop) -> None:
    with pytest.raises(StorageError):
        storage_for(url).fetch(url, tmp_path / "x", stop)


def test_removing_what_is_not_there_is_fine(tmp_path: Path) -> None:
    storage_for("file:///").remove((tmp_path / "nothing").as_uri())


@pytest.fixture
def web() -> Iterator[str]:
    files: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(200 if self.path in files else 404, files.get(self.path, b""))

        def do_PUT(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path.startswith("/full/"):
                return self._answer(507, b"")
            files[self.path] = content
            return self._answer(201, b"")

        def do_DELETE(self) -> None:
            self._answer(204 if files.pop(self.path, None) is not None else 404, b"")

        def _answer(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            """Says nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{http.server_address[1]}"
    http.shutdown()
    http.server_close()


def test_http_storage_puts_gets_and_deletes(web: str, source: Path, tmp_path: Path, stop: Stop) -> None:
    url = f"{web}/folder/target"
    storage = storage_for(url)
    assert storage.store(source, url, "mark", stop) == storage.fetch(url, tmp_path / "back", stop)
    assert (tmp_path / "back").read_bytes() == CONTENT
    storage.remove(url)
    storage.remove(url)
    with pytest.raises(StorageError):
        storage.fetch(url, tmp_path / "gone", stop)


def test_a_web_store_without_room_is_told_apart(web: str, source: Path, stop: Stop) -> None:
    with pytest.raises(StorageFull, match="507"):
        storage_for(web).store(source, f"{web}/full/target", "mark", stop)
