"""The pilot's four calls and the download of sandboxes, over one kept connection; each call is one attempt."""

from __future__ import annotations

import http.client
import json
import random
import socket
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

from pandawms.domain.errors import Invalid
from pandawms.pilot.content import copy_counted
from pandawms.pilot.stop import Stop
from pandawms.wire.pilot import (
    ClaimAnswer,
    ClaimRequest,
    HeartbeatAnswer,
    HeartbeatRequest,
    ReportAnswer,
    ReportRequest,
    decode,
    encode,
)

T = TypeVar("T")

_TIMEOUT_SECONDS = 30.0
_PROBLEM_BYTES = 4096
_LONGEST_ASKED_SECONDS = 300.0
"""No server needs longer to come back to itself; a proxy may say anything."""
_MOST_BYTES = 16 << 20
"""What a server takes in one call. It would not read more, so that its answer might be lost."""
_LATER = (408, 425, 429, 500, 502, 503, 504)


class Unreachable(Exception):
    """No answer, or one that asks for patience: the same call may succeed later."""

    def __init__(self, reason: str, retry_after_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


class Refused(Exception):
    """The server understood and will not do it (a 4xx)."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status}: {reason}")
        self.status = status


class Backoff:
    """Growing pauses with jitter: between half and all of 0.5, 1, 2 … seconds, never less than the server asked for."""

    def __init__(self, longest_seconds: float = 60.0) -> None:
        self._longest = longest_seconds
        self._next = 0.5

    def pause_seconds(self, asked_seconds: float = 0.0) -> float:
        """The next pause."""
        pause = max(self._next * random.uniform(0.5, 1.0), asked_seconds * random.uniform(1.0, 1.2))
        self._next = min(self._next * 2, self._longest)
        return pause

    def reset(self) -> None:
        """After a success."""
        self._next = 0.5


class Server:
    """One server, one connection: not for two threads. The token is read from its file and again when it is denied."""

    def __init__(self, url: str, token_file: Path) -> None:
        parts = urlsplit(url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._base = parts.path.rstrip("/") + "/api/v2/pilot"
        self._token_file = token_file
        self._token = ""
        self._connection: http.client.HTTPConnection | None = None

    def claim(self, request: ClaimRequest) -> ClaimAnswer:
        """Waits as long as the request says, and a little."""
        return self._post("claim", request, ClaimAnswer, _TIMEOUT_SECONDS + request.wait_seconds)

    def heartbeat(self, request: HeartbeatRequest) -> HeartbeatAnswer:
        """Says that jobs live."""
        return self._post("heartbeat", request, HeartbeatAnswer, _TIMEOUT_SECONDS)

    def report(self, request: ReportRequest) -> ReportAnswer:
        """Says how jobs ended."""
        return self._post("report", request, ReportAnswer, _TIMEOUT_SECONDS)

    def upload_log(self, job_id: int, claim_id: str, archive: bytes) -> None:
        """Sends a log archive (tar.gz, at most 10 MiB)."""
        path = f"{self._base}/jobs/{job_id}/log?{urlencode({'claim_id': claim_id})}"
        self._call("PUT", path, archive, "application/gzip", _TIMEOUT_SECONDS)

    def download(self, url: str, target: Path, stop: Stop) -> None:
        """Fetches `url` of this server into a file; the token goes to this server only, so other hosts are refused."""
        path = url[len(self._origin) :] if url.startswith(self._origin + "/") else url
        if not path.startswith("/"):
            raise Refused(400, f"{url} is not on this pilot's server")
        answer = self._open("GET", path, None, "", _TIMEOUT_SECONDS)
        try:
            with target.open("wb") as file:
                content = copy_counted(answer, file.write, stop)
        except (http.client.HTTPException, ConnectionError, TimeoutError, socket.timeout) as error:
            raise Unreachable(f"{url} broke off: {error}") from error
        finally:
            self.close()
        announced = answer.headers.get("Content-Length")
        if announced is not None and int(announced) != content.size_bytes:
            raise Unreachable(f"{url} broke off after {content.size_bytes} of {announced} bytes")

    def close(self) -> None:
        """Drops the connection; the next call opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post(
        self,
        call: str,
        request: ClaimRequest | HeartbeatRequest | ReportRequest,
        answer: type[T],
        timeout_seconds: float,
    ) -> T:
        """An answer of the wrong shape comes from something in between, not from the server: worth another attempt."""
        body = json.dumps(encode(request)).encode()
        if len(body) > _MOST_BYTES:
            raise Refused(413, f"{call} has {len(body)} bytes, {_MOST_BYTES} are allowed")
        text = self._call("POST", f"{self._base}/{call}", body, "application/json", timeout_seconds)
        try:
            return decode(answer, json.loads(text))
        except (ValueError, Invalid) as error:
            raise Unreachable(f"the answer to {call} is not understood: {error}") from error

    def _call(self, method: str, path: str, body: bytes, kind: str, timeout_seconds: float) -> bytes:
        answer = self._open(method, path, body, kind, timeout_seconds)
        try:
            return answer.read()
        except (http.client.HTTPException, OSError) as error:
            self.close()
            raise Unreachable(f"{method} {path}: {error or type(error).__name__}") from error

    def _open(self, method: str, path: str, body: bytes | None, kind: str, timeout_seconds: float) -> http.client.HTTPResponse:
        """An answer with a good status, its body not yet read; a denied token is read anew, once."""
        self._token = self._token or self._read_token()
        answer = self._exchange(method, path, body, kind, timeout_seconds)
        if answer.status == 401 and self._token != self._read_token():
            self._token = self._read_token()
            self.close()
            answer = self._exchange(method, path, body, kind, timeout_seconds)
        if answer.status < 300:
            return answer
        raise self._problem(answer)

    def _exchange(self, method: str, path: str, body: bytes | None, kind: str, timeout_seconds: float) -> http.client.HTTPResponse:
        """One request; a kept connection that the server has closed meanwhile is replaced at once, as all calls may be
        repeated."""
        kept = self._connection is not None
        try:
            return self._send(method, path, body, kind, timeout_seconds)
        except (http.client.HTTPException, OSError) as error:
            self.close()
            if not kept or not isinstance(error, (http.client.RemoteDisconnected, ConnectionError)):
                raise Unreachable(f"{method} {path}: {error or type(error).__name__}") from error
        return self._exchange(method, path, body, kind, timeout_seconds)

    def _send(self, method: str, path: str, body: bytes | None, kind: str, timeout_seconds: float) -> http.client.HTTPResponse:
        connection = self._connection or self._connect()
        connection.timeout = timeout_seconds
        if connection.sock is not None:
            connection.sock.settimeout(timeout_seconds)
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = kind
        connection.request(method, path, body=body, headers=headers)
        return connection.getresponse()

    def _connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self._origin)
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self._connection = kind(parts.netloc)
        return self._connection

    def _problem(self, answer: http.client.HTTPResponse) -> Exception:
        try:
            text = answer.read(_PROBLEM_BYTES).decode("utf-8", "replace")
        except (http.client.HTTPException, OSError):
            text = ""
        self.close()
        if answer.status in _LATER:
            return Unreachable(f"{answer.status}: {text[:200]}", _retry_after(answer.headers.get("Retry-After")))
        return Refused(answer.status, text)

    def _read_token(self) -> str:
        try:
            return self._token_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise Unreachable(f"cannot read the token: {error}") from error


def _retry_after(text: str | None) -> float:
    """Seconds, 5 min at most; a date or nonsense counts as none, as only the server's clock knows what it means."""
    return min(float(text), _LONGEST_ASKED_SECONDS) if text is not None and text.isdigit() else 0.0
