"""Pilots that say everything twice, too late, in the wrong order or of others' jobs, and check what they are told. They speak plain HTTP."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any
from uuid import uuid4

import httpx

from tests.system.load import LEASE_SECONDS, QUEUE

Job = dict[str, Any]
Verdicts = dict[int, str]

SLOT = {"queue": QUEUE, "node": "odd", "cores": 1, "memory_mb": 64_000, "disk_mb": 1_000_000, "architecture": "x86_64", "wait_seconds": 1}
CALL = {"protocol": 1, "pilot_version": "odd", "worker_id": None}
SUCCESS = {"domain": "none", "code": 0, "exit_code": 0, "message": "", "retryable": False}
FAILURE = {"domain": "payload", "code": 1305, "exit_code": 1, "message": "it failed", "retryable": True}
TAKEN = {"accepted", "repeated"}


@dataclass
class OddPilots:
    """The pilots of one system. With `may_retry` a call that is cut or refused for the moment is sent again, as real pilots do; else it is an error.

    `told` has the status of each job after its first accepted report, `lost` those that were left until their lease was over.
    """

    url: str
    token: str
    user_token: str
    may_retry: bool
    told: dict[int, str] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)
    rounds: int = 0
    slow: int = 0
    late_rounds: int = 0
    retried: int = 0
    errors: list[BaseException] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        """Plays all of them until `is_over` is set, or one is told what it should not be."""
        asyncio.run(self._work())

    async def _work(self) -> None:
        quick = [self.asks_twice, self.reports_first, self.steals, self.contradicts, self.comes_back]
        async with httpx.AsyncClient(base_url=self.url, timeout=30) as self._http:
            await asyncio.gather(self._turns(quick), self._turns([*quick[2:], *quick[:2]]), self._turns([self.is_late]))

    async def _turns(self, ways: Sequence[Callable[[], Awaitable[None]]]) -> None:
        """One way after the other. What is told after the time of a lease says nothing: it may be over."""
        for way in cycle(ways):
            if self.is_over.is_set():
                return
            begun = time.monotonic()
            try:
                await way()
            except Exception as error:  # noqa: BLE001 - handed to the test, which fails with it
                if isinstance(error, AssertionError) and way != self.is_late and time.monotonic() - begun > LEASE_SECONDS - 1:
                    self.slow += 1
                    continue
                self.errors.append(error)
                self.is_over.set()
            self.rounds += 1

    async def asks_twice(self) -> None:
        """The same claim at once gets the same jobs; of the same reports at once, one is taken."""
        claim_id = uuid4().hex
        answers = await asyncio.gather(*(self.claim(3, claim_id) for _ in range(3)))
        jobs = await self.claim(3, claim_id)
        for each in answers:
            assert ids(each) in (ids(jobs), []), "the same claim, the same jobs"
        for verdicts in await asyncio.gather(*(self.report(jobs) for _ in range(4))):
            assert set(verdicts.values()) <= TAKEN, verdicts
        await self.is_ended(jobs)

    async def reports_first(self) -> None:
        """A report comes before the heartbeats that were sent before it; phases come in the wrong order."""
        jobs = await self.claim(3)
        first, others = jobs[:1], jobs[1:]
        assert set((await self.report(first)).values()) <= TAKEN
        for phase in ("stage_in", "running", "stage_out"):
            assert set((await self.beat(first, phase)).values()) <= {"gone"}
        for phase in ("stage_out", "running", "stage_in"):
            assert set((await self.beat(others, phase)).values()) <= {"ok"}, "a heartbeat that is late is a heartbeat"
        verdicts, *beats = await asyncio.gather(self.report(others), self.beat(others), self.beat(others, "stage_in"))
        assert set(verdicts.values()) <= TAKEN
        assert all(set(each.values()) <= {"ok", "gone"} for each in beats)
        await self.is_ended(jobs)

    async def steals(self) -> None:
        """Reports and heartbeats under a claim that never had the jobs, and for the jobs beside one's own."""
        jobs = await self.claim(2)
        stolen = [job | {"claim_id": uuid4().hex} for job in jobs]
        beside = [job | {"job_id": job["job_id"] + n} for job in jobs for n in (1, 2, 3, 4) if job["job_id"] + n not in ids(jobs)]
        for theirs in (stolen, beside):
            assert set((await self.report(theirs)).values()) <= {"refused"}
            assert set((await self.beat(theirs)).values()) <= {"gone"}
        assert set((await self.beat(jobs)).values()) <= {"ok"}
        verdicts, others = await asyncio.gather(self.report(jobs), self.report(stolen))
        assert set(verdicts.values()) <= TAKEN
        assert set(others.values()) <= {"refused"}
        assert set((await self.report(stolen)).values()) <= {"refused"}
        await self.is_ended(jobs)

    async def contradicts(self) -> None:
        """Who has reported success cannot report failure, nor the other way round, nor both at once."""
        jobs = await self.claim(3)
        for job, first, second in zip(jobs, (SUCCESS, FAILURE), (FAILURE, SUCCESS), strict=False):
            assert set((await self.report([job], first)).values()) <= TAKEN
            assert set((await self.report([job], second)).values()) == {"refused"}
            assert set((await self.report([job], first)).values()) == {"repeated"}
        for job in jobs[2:]:
            said = await asyncio.gather(self.report([job], SUCCESS), self.report([job], FAILURE))
            verdicts = [verdict for each in said for verdict in each.values()]
            assert sorted(verdict in TAKEN for verdict in verdicts) == [False, True], verdicts
        assert set((await self.beat(jobs)).values()) <= {"gone"}

    async def comes_back(self) -> None:
        """A claim whose jobs have ended gets others, or none."""
        claim_id = uuid4().hex
        jobs = await self.claim(1, claim_id)
        assert set((await self.report(jobs)).values()) <= TAKEN
        others = await self.claim(1, claim_id)
        assert not set(ids(others)) & set(ids(jobs))
        assert set((await self.report(others)).values()) <= TAKEN
        await self.is_ended(jobs)

    async def is_late(self) -> None:
        """Jobs are left alone until their lease is over; what is said of them then comes too late."""
        jobs = await self.claim(4)
        deadline = time.monotonic() + 60
        while not all([await self.status(job) == "failed" for job in jobs]):
            assert time.monotonic() < deadline, "the leases end"
            await asyncio.sleep(0.2)
        assert set((await self.report(jobs)).values()) <= {"refused"}
        assert set((await self.beat(jobs)).values()) <= {"gone"}
        self.lost.update(ids(jobs))
        self.late_rounds += bool(jobs)

    async def is_ended(self, jobs: Sequence[Job]) -> None:
        """What is said of jobs after their report changes nothing."""
        assert set((await self.report(jobs)).values()) <= {"repeated"}
        assert set((await self.beat(jobs)).values()) <= {"gone"}

    async def claim(self, n_jobs: int, claim_id: str | None = None) -> list[Job]:
        """Up to so many jobs."""
        return await self._call("claim", CALL | SLOT | {"claim_id": claim_id or uuid4().hex, "n_jobs": n_jobs})

    async def beat(self, jobs: Sequence[Job], phase: str = "running") -> Verdicts:
        """What is said of jobs in the answer to a heartbeat."""
        said = [named(job) | {"phase": phase, "started_at": 1.0} for job in jobs]
        return {each["job_id"]: each["verdict"] for each in await self._call("heartbeat", CALL | {"jobs": said})}

    async def report(self, jobs: Sequence[Job], outcome: dict[str, object] = SUCCESS) -> Verdicts:
        """What is said of jobs in the answer to a report."""
        said = [named(job) | {"outcome": outcome, "started_at": 1.0, "wall_seconds": 1.5, "outputs": outputs(job)} for job in jobs]
        answers = await self._call("report", CALL | {"jobs": said})
        for each in answers:
            if each["verdict"] in TAKEN:
                self.told.setdefault(each["job_id"], each["status"])
        return {each["job_id"]: each["verdict"] for each in answers}

    async def status(self, job: Job) -> str:
        """What a user sees."""
        answer = await self._sent("GET", f"/api/v2/jobs/{job['job_id']}", self.user_token)
        return str(answer["status"])

    async def _call(self, name: str, body: dict[str, object]) -> list[Any]:
        answer = await self._sent("POST", f"/api/v2/pilot/{name}", self.token, body)
        jobs: list[Any] = answer["jobs"]
        return jobs

    async def _sent(self, method: str, path: str, token: str, body: dict[str, object] | None = None) -> Any:
        deadline = time.monotonic() + 30
        while True:
            found, why = await self._try(method, path, token, body)
            if found is not None:
                return found
            assert self.may_retry and time.monotonic() < deadline, f"{path}: {why}"
            self.retried += 1
            await asyncio.sleep(0.05)

    async def _try(self, method: str, path: str, token: str, body: dict[str, object] | None) -> tuple[Any, str]:
        """The answer, or why there is none."""
        try:
            answer = await self._http.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})
        except httpx.TransportError as error:
            return None, repr(error)
        assert answer.status_code in (200, 503), f"{path}: {answer.status_code} {answer.text}"
        return (answer.json() if answer.status_code == 200 else None), answer.text


def ids(jobs: Sequence[Job]) -> list[int]:
    """The jobs, in order."""
    return sorted(job["job_id"] for job in jobs)


def named(job: Job) -> Job:
    """What every call says of a job."""
    return {name: job[name] for name in ("job_id", "claim_id", "attempt")}


def outputs(job: Job) -> list[Job]:
    """The outputs of a job, as if they had been written; a report that is repeated names the same."""
    return [
        {"stream": file["stream"], "name": file["name"], "size_bytes": 7, "adler32": "0a0b0c0d", "guid": uuid4().hex, "events": None}
        for file in job["outputs"]
    ]  # fmt: skip


@contextmanager
def misbehaving(pilots: OddPilots) -> Iterator[OddPilots]:
    """These pilots at work during the block; what they were told wrongly fails it."""
    thread = threading.Thread(target=pilots.work)
    thread.start()
    try:
        yield pilots
    finally:
        pilots.is_over.set()
        thread.join(90)
    if pilots.errors:
        raise pilots.errors[0]
