"""Servers come and go while clients go on: replaced by a newer build, or killed, on a socket that stays."""

import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from pandawms.main.processes import Book, identify
from tests.system.running import PANDA, Running, until

HEALTH = "/api/v2/system/health"


class Caller(threading.Thread):
    """Asks again and again, without ever trying a call twice; on a new connection each time, or on one that it keeps until the server says leave."""

    def __init__(self, url: str, *, keeps: bool) -> None:
        super().__init__()
        self.address, self.keeps = urlsplit(url).netloc, keeps
        self.asked, self.failures = 0, list[str]()
        self.is_over = threading.Event()

    def run(self) -> None:
        connection = http.client.HTTPConnection(self.address, timeout=30)
        while not self.is_over.is_set():
            try:
                connection.request("GET", HEALTH)
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    self.failures.append(str(answer.status))
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
            if not self.keeps:
                connection.close()
            self.asked += 1
        connection.close()


@contextmanager
def calling(running: Running) -> Iterator[list[Caller]]:
    """Callers of both kinds, at work during the block."""
    url = json.loads((running.data / "run" / "endpoint.json").read_text())["url"]
    callers = [Caller(url, keeps=keeps) for keeps in (True, True, False, False)]
    for caller in callers:
        caller.start()
    try:
        until(lambda: all(caller.asked for caller in callers), 20, "all callers are answered")
        yield callers
    finally:
        for caller in callers:
            caller.is_over.set()
        for caller in callers:
            caller.join(60)


def pids(running: Running) -> dict[str, int]:
    """The programs of the system."""
    return {name: process.pid for name, process in Book(running.data / "run" / "processes.json").read().items()}


def test_a_newer_build_takes_over_without_a_failed_call_and_payloads_go_on(running: Running) -> None:
    running.submit(
        "through", inputs={"events": {"count": 1}}, split={"events_per_job": 1}, merge=None, program={"command": "sleep 12 # payload-of-through"}, outputs={}
    )
    running.wait_running("through")
    before = pids(running)
    with calling(running) as callers:
        running.panda("reload")
    after = pids(running)
    assert set(after) == set(before) == {"server", "engine", "provision"}
    assert not set(after.values()) & set(before.values()), "all have been replaced"
    assert all(identify(pid) is None for pid in before.values()), "and the old ones have ended"
    assert [caller.failures for caller in callers] == [[], [], [], []]
    assert running.wait("through").status == "done"
    with running.client() as client:
        assert [job.attempt for job in client.jobs.list(task_id=running.task("through").task_id)] == [1]


def test_a_build_that_does_not_come_up_leaves_the_old_one_at_work(running: Running) -> None:
    before, settings = pids(running), running.data / "panda.toml"
    good = settings.read_text()
    settings.write_text(good + "\n[server]\ntls_key = 7\n")
    try:
        assert running.try_panda("reload").returncode != 0
    finally:
        settings.write_text(good)
    assert pids(running) == before
    assert running.try_panda("status").returncode == 0


@contextmanager
def unbuildable(running: Running) -> Iterator[None]:
    """A folder stands where the pilot's file is to be written."""
    pilot = running.data / "pilot.pyz"
    kept = pilot.rename(pilot.with_name("pilot.kept"))
    pilot.mkdir()
    try:
        yield
    finally:
        pilot.rmdir()
        kept.rename(pilot)


def test_a_file_that_cannot_be_written_leaves_the_old_ones_at_work(running: Running) -> None:
    before = pids(running)
    with unbuildable(running):
        refused = running.try_panda("reload")
    assert (refused.returncode, "IsADirectoryError" in refused.stderr) == (7, True), refused.stderr
    assert pids(running) == before
    assert running.try_panda("status").returncode == 0


def test_an_older_panda_up_for_which_the_signal_is_the_end_is_not_sent_it(running: Running) -> None:
    before, told = pids(running), running.data / "run" / "up.json"
    new = told.read_text()
    told.write_text(json.dumps({"pid": json.loads(new)["pid"]}))
    try:
        refused = running.try_panda("reload")
    finally:
        told.write_text(new)
    assert (refused.returncode, "panda down" in refused.stderr) == (5, True), refused.stderr
    assert pids(running) == before


def test_who_asks_for_the_newest_build_during_a_reload_hears_of_the_next(running: Running) -> None:
    first = subprocess.Popen([*PANDA, "--data", str(running.data), "reload"])
    until(lambda: "server.second" in pids(running), 60, "the first reload is under way")
    with unbuildable(running):
        second = running.try_panda("reload")
    assert (first.wait(60), second.returncode) == (0, 7), second.stderr


def test_a_server_that_is_killed_is_followed_by_another_and_no_connection_is_refused(running: Running) -> None:
    url = json.loads((running.data / "run" / "endpoint.json").read_text())["url"]
    old = running.pid("server")
    running.kill("server")
    until(lambda: identify(old) is None, 5, "it is dead")
    host, port = urlsplit(url).hostname or "", urlsplit(url).port or 0
    answers = []
    for _ in range(20):
        with socket.create_connection((host, port), timeout=30) as connection:
            connection.sendall(f"GET {HEALTH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            answers.append(connection.recv(12))
    assert set(answers) == {b"HTTP/1.1 200"}
    assert running.pid("server") != old


def test_nothing_that_runs_can_be_reloaded_where_nothing_runs(running: Running) -> None:
    refused = subprocess.run([*PANDA, "--data", str(running.folder / "none"), "reload"], capture_output=True, text=True, timeout=60)
    assert refused.returncode == 4
    assert "panda up" in refused.stderr


@pytest.fixture
def alone(running: Running) -> Iterator[tuple["subprocess.Popen[bytes]", socket.socket]]:
    """A server of the same system on a socket that this test holds."""
    with socket.create_server(("127.0.0.1", 0)) as listener, (running.folder / "alone.log").open("wb") as log:
        command = [*PANDA, "server", "--data", str(running.data), "--fd", str(listener.fileno())]
        process = subprocess.Popen(command, pass_fds=(listener.fileno(),), stdout=log, stderr=log)
        try:
            yield process, listener
        finally:
            process.kill()
            process.wait(30)


def ask(connection: socket.socket) -> bytes:
    """The whole answer, in small letters."""
    connection.sendall(f"GET {HEALTH} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    found = b""
    while True:
        part = connection.recv(65536).lower()
        assert part, "the connection ends only behind an answer"
        found += part
        head, end, body = found.partition(b"\r\n\r\n")
        if end and len(body) == int(head.partition(b"content-length: ")[2].partition(b"\r")[0]):
            return found


def test_a_server_on_a_given_socket_answers_kept_connections_while_it_leaves_and_is_gone_within_5_s(
    alone: tuple["subprocess.Popen[bytes]", socket.socket],
) -> None:
    process, listener = alone
    with socket.create_connection(listener.getsockname(), timeout=30) as kept, socket.create_connection(listener.getsockname(), timeout=30) as idle:
        assert b"connection: close" not in ask(kept)
        assert b"200" in ask(idle)
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        answer = b""
        while b"connection: close" not in answer:
            answer = ask(kept)
            assert b"http/1.1 200" in answer, "every call is answered, the last with the word to leave"
        assert kept.recv(1) == b""
        assert process.wait(10) == 0
        assert time.monotonic() - begun < 5
        assert idle.recv(1) == b"", "an idle connection is closed"
    with socket.create_connection(listener.getsockname(), timeout=30) as late:
        late.setblocking(False)
        with pytest.raises(BlockingIOError):
            late.recv(1)  # it waits in the backlog of the socket, for the next server


def test_a_descriptor_that_is_no_listening_socket_is_refused(running: Running) -> None:
    end, other = os.pipe()
    try:
        command = [*PANDA, "server", "--data", str(running.data), "--fd", str(end)]
        refused = subprocess.run(command, pass_fds=(end,), capture_output=True, text=True, timeout=60)
    finally:
        os.close(end)
        os.close(other)
    assert (refused.returncode, "no listening socket" in refused.stderr) == (2, True), refused.stderr
