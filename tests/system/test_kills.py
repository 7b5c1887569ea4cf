"""kill -9 of any part while tasks run changes nothing in the result: every event once, every file once."""

import os
import signal
import subprocess
import time

import pytest

from tests.system.running import Running, check_complete, commands, payloads, until

ROUNDS = int(os.environ.get("PANDA_TEST_KILLS", "1"))
"""How often each part is killed; `make soak` makes it more."""


@pytest.mark.parametrize("round_", range(ROUNDS))
@pytest.mark.parametrize("part", ["server", "engine", "provision", "postgres"])
def test_a_killed_part_comes_back_and_the_result_is_the_same(running: Running, part: str, round_: int) -> None:
    name = running.submit(f"kill-{part}-{round_}")
    running.wait_running(name)
    before = running.pid(part)
    running.kill(part)
    until(lambda: is_another(running, part, before), 10, f"{part} is up again")
    check_complete(running, name)


def is_another(running: Running, part: str, before: int) -> bool:
    """Whether the part runs as another process than before."""
    try:
        return running.pid(part) != before
    except (KeyError, FileNotFoundError, ValueError, IndexError):
        return False


def test_postgres_killed_during_a_long_query_is_up_again_within_3_s(running: Running) -> None:
    from pandawms.main.settings import database_options, load

    name = running.submit("kill-busy-postgres")
    running.wait_running(name)
    url = database_options(load(running.data), running.data).url
    busy = start_long_query(url)
    try:
        killed = time.monotonic()
        running.kill("postgres")
        until(lambda: answers(url), 10, "PostgreSQL answers again")
        seconds = time.monotonic() - killed
    finally:
        busy.kill()
        busy.wait()
    assert seconds < 3, f"it took {seconds:.1f} s"
    check_complete(running, name)


def start_long_query(url: str) -> "subprocess.Popen[bytes]":
    """Starts a backend that computes for minutes, and returns its client."""
    from pandawms.store.embedded import binaries

    query = "SELECT count(*) FROM generate_series(1, 1000000000) AS long_query (i)"
    client = subprocess.Popen([binaries().bin / "psql", url, "-c", query], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: one_value(url, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%long_query%' AND pid <> pg_backend_pid()") == "1", 10, "it computes")
    return client


def one_value(url: str, query: str) -> str:
    """The value of a query, or nothing when the database does not answer."""
    from pandawms.store.embedded import binaries

    done = subprocess.run([binaries().bin / "psql", url, "-Atc", query], capture_output=True, text=True, timeout=10)
    return done.stdout.strip()


def answers(url: str) -> bool:
    """Whether the database answers."""
    return one_value(url, "SELECT 1") == "1"


def test_a_killed_pilot_takes_its_payload_along_and_its_job_is_done_by_another(running: Running) -> None:
    name = running.submit("kill-pilot")
    running.wait_running(name)
    (pilot, *_) = running.pilots()
    mine = set(payloads(name)) & descendants(pilot)
    os.kill(pilot, signal.SIGKILL)
    until(lambda: not mine & set(payloads(name)), 5, "the payload of the killed pilot is gone")
    task = check_complete(running, name)
    assert task.retries >= 1


def test_a_killed_payload_is_tried_again(running: Running) -> None:
    name = running.submit("kill-payload")
    running.wait_running(name)
    os.kill(payloads(name)[0], signal.SIGKILL)
    task = check_complete(running, name)
    assert task.retries >= 1


def test_a_killed_panda_up_is_replaced_by_the_next_one(running: Running) -> None:
    name = running.submit("kill-up")
    running.wait_running(name)
    running.kill("up")
    assert running.up is not None
    running.up.wait()
    running.start()
    check_complete(running, name)


def descendants(pid: int) -> set[int]:
    """All processes below one."""
    parents = {child: parent_of(child) for child, _ in commands()}
    found: set[int] = set()
    front = {pid}
    while front:
        front = {child for child, parent in parents.items() if parent in front} - found
        found |= front
    return found


def parent_of(pid: int) -> int:
    """The parent of a process, 0 when it has gone."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return int(stat.read().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
