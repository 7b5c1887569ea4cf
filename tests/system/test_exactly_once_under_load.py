"""Exactly once, whatever happens: a whole system under load is hurt and replaced while odd pilots talk to it; afterwards every book agrees."""

import json
import time
from collections.abc import Iterator
from itertools import count

import pytest

from tests.system import load
from tests.system.load import Generator, add_queue, generating
from tests.system.odd_pilots import OddPilots, misbehaving
from tests.system.running import Running, started, until

ORDER = ("server", "postgres", "server", "engine", "server")
"""Who is killed, in turn."""
RELOADS = 2
FILES, CHUNKS = "files", "chunks"


@pytest.fixture
def loaded() -> Iterator[Running]:
    """A system with thousands of jobs that no real pilot takes."""
    with started(load.SETTINGS, slots=1) as running:
        try:
            yield running
        finally:
            print(load.failures(running))


def odd_pilots(running: Running, *, may_retry: bool) -> OddPilots:
    """Odd pilots of the queue, which is made and given its two tasks."""
    token = add_queue(running)
    load.submit_chunks(running, CHUNKS)
    load.submit_files(running, FILES)
    return OddPilots(load.url(running), token, (running.data / "tokens" / "user").read_text().strip(), may_retry)


def goes_on(pilots: OddPilots, generator: Generator) -> None:
    """Waits until the odd pilots have been through all their ways again, or something is wrong."""
    before = pilots.rounds
    until(lambda: pilots.rounds > before + 8 or bool(pilots.errors or generator.errors), 30, "the system works again")
    assert not generator.errors


def kill(running: Running, part: str) -> None:
    """kill -9 of a part; returns when another one is in its place."""
    before = running.pid(part)
    running.kill(part)
    until(lambda: is_another(running, part, before), 20, f"{part} is up again")


def is_another(running: Running, part: str, before: int) -> bool:
    """Whether the part runs as another process than before."""
    try:
        return running.pid(part) != before
    except (KeyError, FileNotFoundError, ValueError, IndexError):
        return False


def unfinished(running: Running) -> int:
    """How many input units are not finished."""
    return sum(task.inputs.total - task.inputs.finished for task in (running.task(CHUNKS), running.task(FILES)))


def check_books(running: Running, pilots: OddPilots) -> None:
    """Asserts that all was done exactly once, that jobs ended as their pilots were told, and that the audit finds nothing."""
    load.check_chunks(running, CHUNKS)
    load.check_files(running, FILES)
    with running.client() as client:
        ended = {job.job_id: job.status for name in (CHUNKS, FILES) for job in client.tasks.jobs(name)}
    assert set(ended.values()) == {"finished", "failed"}, "every job has a final status"
    told = {job_id: "finished" if status == "merging" else status for job_id, status in pilots.told.items()}
    assert told == {job_id: ended[job_id] for job_id in told}
    assert {ended[job_id] for job_id in pilots.lost} <= {"failed"}
    rules = json.loads(running.panda("--json", "db", "check"))
    assert len(rules) > 20 and all(rule["ok"] for rule in rules)
    assert not load.failures(running), "no call met a fault"


def test_kills_under_load_lose_nothing_and_do_nothing_twice(loaded: Running) -> None:
    with misbehaving(odd_pilots(loaded, may_retry=True)) as pilots, generating(loaded) as generator:
        deadline = time.monotonic() + load.SECONDS
        for n in count():
            goes_on(pilots, generator)
            if pilots.errors or (n >= len(ORDER) and time.monotonic() > deadline):
                break
            kill(loaded, ORDER[n % len(ORDER)])
        assert pilots.errors or unfinished(loaded) > 0, "there was work to the end"
        pilots.is_over.set()
        load.finish(loaded, generator, CHUNKS, FILES)
    assert sum(run.failed for run in generator.loads) == 0
    assert (pilots.late_rounds > 0, pilots.rounds > 10 * pilots.slow, pilots.retried > 0) == (True, True, True)
    check_books(loaded, pilots)


def test_newer_builds_take_over_under_load_without_a_failed_call(loaded: Running) -> None:
    with misbehaving(odd_pilots(loaded, may_retry=False)) as pilots, generating(loaded) as generator:
        deadline = time.monotonic() + load.SECONDS
        for n in count():
            goes_on(pilots, generator)
            if pilots.errors or (n >= RELOADS and time.monotonic() > deadline):
                break
            loaded.panda("reload")
        assert pilots.errors or unfinished(loaded) > 0, "there was work to the end"
        pilots.is_over.set()
        load.finish(loaded, generator, CHUNKS, FILES)
    assert [(run.failed, run.retries, set(run.answers)) for run in generator.loads] == [(0, 0, {"200"})] * len(generator.loads)
    assert not generator.verdicts["report refused"] + generator.verdicts["heartbeat gone"]
    assert (pilots.late_rounds > 0, pilots.slow) == (True, 0)
    check_books(loaded, pilots)
