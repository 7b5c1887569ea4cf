"""A store that speaks plain HTTP: GET, PUT and DELETE without credentials, or with those in a signed url."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pandawms.pilot.content import Content, CountedReader, StorageError, StorageFull, copy_counted
from pandawms.pilot.stop import Stop

_TIMEOUT_SECONDS = 60.0


class HttpStorage:
    """`http://…` and `https://…`; redirections are not followed."""

    def fetch(self, url: str, target: Path, stop: Stop) -> Content:
        """GET into the file; a body shorter than announced is an error."""
        with _call("GET", url) as answer, target.open("wb") as copy:
            _must_be(answer, url, 200)
            content = copy_counted(answer, copy.write, stop)
        announced = answer.headers.get("Content-Length")
        if announced is not None and int(announced) != content.size_bytes:
            raise StorageError(f"{url} broke off after {content.size_bytes} of {announced} bytes")
        return content

    def store(self, source: Path, url: str, mark: str, stop: Stop) -> Content:
        """PUT with a Content-Length: the store keeps a whole body or none, so `mark` is not needed."""
        with source.open("rb") as original:
            reader = CountedReader(original, stop)
            with _call("PUT", url, reader, source.stat().st_size) as answer:
                if answer.status == http.client.INSUFFICIENT_STORAGE:
                    raise StorageFull(f"{url} answered {answer.status} {answer.reason}")
                _must_be(answer, url, 200, 201, 204)
        return reader.content()

    def remove(self, url: str) -> None:
        """DELETE; nothing there is fine."""
        with _call("DELETE", url) as answer:
            _must_be(answer, url, 200, 202, 204, 404, 410)


@contextmanager
def _call(method: str, url: str, body: CountedReader | None = None, size_bytes: int = 0) -> Iterator[http.client.HTTPResponse]:
    parts = urlsplit(url)
    kind: Any = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=_TIMEOUT_SECONDS)
    headers = {"Content-Length": str(size_bytes)} if body is not None else {}
    try:
        connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), body=body, headers=headers)
        yield connection.getresponse()
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise StorageError(f"{method} {url}: {error}") from error
    finally:
        connection.close()


def _must_be(answer: http.client.HTTPResponse, url: str, *statuses: int) -> None:
    if answer.status not in statuses:
        raise StorageError(f"{url} answered {answer.status} {answer.reason}")
