"""A small real HTTP server that answers the pilot's calls, and misbehaves when it is told to."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

TOKEN = "a-pilot-token"


class PilotServer:
    """Leases the given jobs, keeps what pilots said, and gives the verdicts that a test sets.

    `lose_answers["report"] = 2` works on two reports and closes the connection instead of answering; `busy["claim"] = 1`
    answers 503 with Retry-After once, `most_bytes["report"] = 2000` 413 to larger ones. `stop` and `start` take it away and bring it back on the same port.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.waiting: list[dict[str, Any]] = []
        self.claimed: dict[str, list[dict[str, Any]]] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.reports: dict[int, dict[str, Any]] = {}
        self.logs: dict[int, bytes] = {}
        self.sandboxes: dict[str, bytes] = {}
        self.lose_answers: dict[str, int] = {}
        self.busy: dict[str, int] = {}
        self.beat_verdict = "ok"
        self.report_verdict = "accepted"
        self.report_payloads: list[int] = []
        self.takes_payloads = False
        self.most_bytes: dict[str, int] = {}
        self.downloads = 0
        self.name_claim: str | None = None
        self.heartbeat_seconds = 0.2
        self._port = 0
        self._http: _Listener | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listens, on the same port as before."""
        self._http = _Listener(("127.0.0.1", self._port), _handler(self))
        self._port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Refuses connections from now on and drops those that are open."""
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            self._http.drop_connections()
            self._http = None

    def add_job(self, job_id: int = 1, **spec: Any) -> None:
        """Makes a job ready."""
        with self.changed:
            self.waiting.append({"job_id": job_id, "task_id": 10_000_001, "attempt": 1, **spec})
            self.changed.notify_all()

    def count(self, call: str) -> int:
        """How often a call came."""
        return sum(name == call for name, _ in self.calls)

    def bodies(self, call: str) -> list[dict[str, Any]]:
        """What was sent with a call."""
        return [body for name, body in self.calls if name == call]

    def wait_until(self, condition: Callable[[], object], seconds: float = 20.0) -> None:
        """Waits for something that pilots tell; fails after the deadline."""
        with self.changed:
            assert self.changed.wait_for(condition, seconds), f"not within {seconds} s; calls: {self.calls}"

    def answer(self, call: str, body: dict[str, Any]) -> dict[str, Any]:
        """Works on one call."""
        with self.changed:
            self.calls.append((call, body))
            answer: dict[str, Any] = getattr(self, f"_{call}")(body)
            self.changed.notify_all()
            return answer

    def _claim(self, body: dict[str, Any]) -> dict[str, Any]:
        claim_id = body["claim_id"]
        if claim_id not in self.claimed:
            self.changed.wait_for(lambda: self.waiting, min(body["wait_seconds"], 1.0))
            jobs = [{**self.waiting.pop(0), "claim_id": self.name_claim or claim_id}] if self.waiting else []
            if jobs:
                self.claimed[claim_id] = jobs
        return {
            "jobs": self.claimed.get(claim_id, []),
            "lease_seconds": 60,
            "heartbeat_seconds": self.heartbeat_seconds,
            "server_time": time.time() - 86400,
            "a_key_of_a_newer_server": {"x": [1]},
        }

    def _heartbeat(self, body: dict[str, Any]) -> dict[str, Any]:
        told = {job["job_id"]: [each["n"] for each in job["payloads"]] for job in body["jobs"]}
        jobs = [
            {"job_id": job_id, "verdict": self.beat_verdict, "reason": "asked", "payloads": ns if self.takes_payloads else []} for job_id, ns in told.items()
        ]
        return {"jobs": jobs, "lease_seconds": 60, "server_time": time.time() - 86400}

    def _report(self, body: dict[str, Any]) -> dict[str, Any]:
        verdicts = []
        for job in body["jobs"]:
            known = job["job_id"] in self.reports
            self.reports.setdefault(job["job_id"], job)
            verdict = "repeated" if known else self.report_verdict
            verdicts.append({"job_id": job["job_id"], "verdict": verdict, "payloads": self.report_payloads})
        return {"jobs": verdicts}

    def takes(self, faults: dict[str, int], call: str) -> bool:
        """Whether this call gets the fault."""
        with self.changed:
            left = faults.get(call, 0)
            faults[call] = max(left - 1, 0)
            return left > 0


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._connections: list[socket.socket] = []

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remembers the connection."""
        self._connections.append(request)
        super().process_request(request, client_address)

    def drop_connections(self) -> None:
        """As a server does that is killed."""
        for connection in self._connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A pilot that went away is what these tests are about."""


def _handler(server: PilotServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            call = self.path.rsplit("/", 1)[1]
            content = self._body()
            body = json.loads(content)
            if self._is_denied() or self._is_busy(call):
                return
            if len(content) > server.most_bytes.get(call, len(content)):
                self._send(413, b"{}")
                return
            answer = json.dumps(server.answer(call, body)).encode()
            if server.takes(server.lose_answers, call):
                self.close_connection = True
                return
            self._send(200, answer)

        def do_PUT(self) -> None:
            job_id = int(urlsplit(self.path).path.split("/")[-2])
            content = self._body()
            if self._is_denied() or self._is_busy("log"):
                return
            server.logs[job_id] = content
            self._send(204, b"")

        def do_GET(self) -> None:
            sandbox = server.sandboxes.get(self.path.rsplit("/", 1)[1])
            server.downloads += 1
            if not self._is_denied():
                self._send(404 if sandbox is None else 200, sandbox or b"")

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers["Content-Length"]))

        def _is_denied(self) -> bool:
            denied = self.headers["Authorization"] != f"Bearer {TOKEN}"
            if denied:
                self._send(401, b"{}")
            return denied

        def _is_busy(self, call: str) -> bool:
            busy = server.takes(server.busy, call)
            if busy:
                self._send(503, b"{}", ("Retry-After", "1"))
            return busy

        def _send(self, status: int, content: bytes, *headers: tuple[str, str]) -> None:
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Says nothing."""

    return Handler
