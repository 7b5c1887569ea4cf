"""A small world in a database: a community, a person, a queue; and pilots played by hand. For tests of store and engine."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from pandawms.domain.identity import Who
from pandawms.domain.outcome import SUCCESS, Outcome
from pandawms.engine.aggregate.step import step as aggregate
from pandawms.engine.broker.step import step as broker
from pandawms.engine.command.step import step as command
from pandawms.engine.define.step import step as define
from pandawms.engine.dispatch.gather import Dispatcher
from pandawms.engine.dispatch.plan import Claim
from pandawms.engine.generate.step import step as generate
from pandawms.engine.job_facts import JobFacts
from pandawms.engine.place.step import step as place
from pandawms.engine.report.gather import Reporter
from pandawms.engine.services import Services
from pandawms.engine.submission import submit
from pandawms.store import events, identity, places, tasks, units
from pandawms.store.database import Pool
from pandawms.wire.checks import decode_document
from pandawms.wire.pilot.claim import ClaimRequest, JobSpec, OutputFile
from pandawms.wire.pilot.report import JobReport, PayloadReport, ReportVerdict, WrittenFile

STAGES = (command, define, broker, generate, place, aggregate)


@dataclass
class World:
    """One queue `local` with an endpoint, one user `ada`."""

    pool: Pool
    services: Services
    who: Who
    queue_id: int
    endpoint_id: int
    dispatcher: Dispatcher = field(init=False)
    reporter: Reporter = field(init=False)

    def __post_init__(self) -> None:
        facts = JobFacts()
        self.dispatcher, self.reporter = Dispatcher(self.pool, self.services, facts), Reporter(self.pool, self.services, facts)

    async def submit(self, **document: Any) -> int:
        """Submits a task and returns its id."""
        async with self.pool.acquire() as connection, connection.transaction():
            return (await submit(connection, self.services, self.who, decode_document(task(**document)))).task_id

    async def settle(self) -> None:
        """Runs all stages of the engine until none finds work."""
        while sum([await step(self.pool, self.services) for step in STAGES]):
            pass

    async def claim(self, n_jobs: int = 1, claim_id: UUID | None = None, **slot: Any) -> tuple[JobSpec, ...]:
        """Claims as a pilot of the queue; `slot` changes what the slot offers."""
        given: dict[str, Any] = {"cores": 1, "memory_mb": 4000, "disk_mb": 10_000, "architecture": "x86_64"} | slot
        request = ClaimRequest(1, "test", (claim_id or uuid4()).hex, "local", "node", n_jobs=n_jobs, **given)
        return await self.dispatcher.claim(Claim(self.queue_id, request))

    async def report(self, job: JobSpec, outcome: Outcome = SUCCESS, **changes: Any) -> ReportVerdict:
        """Reports a job as its pilot would, with all outputs written when it succeeded."""
        (verdict,) = await self.reporter.report(self.queue_id, [report_of(job, outcome, **changes)])
        return verdict

    async def run_all(self, most: int = 1000) -> list[JobSpec]:
        """Lets the engine and one pilot work until nothing is left to claim; returns the jobs in the order in which they ran."""
        ran: list[JobSpec] = []
        await self.settle()
        while len(ran) < most and (jobs := await self.claim()):
            await self.report(jobs[0])
            ran += jobs
            await self.settle()
        return ran

    async def status(self, task_id: int) -> str:
        """The status of a task."""
        async with self.pool.acquire() as connection:
            found = await tasks.get(connection, task_id)
        assert found is not None
        return found.status

    async def progress(self, task_id: int) -> units.Progress:
        """The progress of a task."""
        async with self.pool.acquire() as connection:
            return await units.progress(connection, task_id)


def report_of(job: JobSpec, outcome: Outcome = SUCCESS, **changes: Any) -> JobReport:
    """The report of a job whose pilot wrote all its outputs."""
    given: dict[str, Any] = {
        "claim_id": job.claim_id, "started_at": 1.0, "wall_seconds": 1.5, "outputs": _written(job.outputs, outcome), "payloads": payloads_of(job, outcome),
    } | changes  # fmt: skip
    return JobReport(job.job_id, attempt=job.attempt, outcome=outcome, **given)


def payloads_of(job: JobSpec, outcome: Outcome = SUCCESS) -> tuple[PayloadReport, ...]:
    """What a pilot tells of payloads: all succeed with the job; else of three in a row the first succeeds, the second fails so, the third is not reached."""
    ends = [(payload, SUCCESS if outcome.domain == "none" or payload.n % 3 == 0 else outcome) for payload in job.payloads]
    told = [(payload, end) for payload, end in ends if end is SUCCESS or payload.n % 3 == 1]
    return tuple(PayloadReport(payload.n, end, 1.0, 0.5, 20.0, _written(payload.outputs, end)) for payload, end in told)


def _written(outputs: Iterable[OutputFile], outcome: Outcome) -> tuple[WrittenFile, ...]:
    return tuple(WrittenFile(o.stream, o.name, 10, "00000001", str(uuid4())) for o in outputs) if outcome.domain == "none" else ()


def task(name: str = "t", **changes: Any) -> dict[str, Any]:
    """A task document: ten events, two a job, one output."""
    return {
        "name": name, "program": {"command": "make %EVENTS > %OUT"}, "inputs": {"events": {"count": 10}}, "split": {"events_per_job": 2},
        "outputs": {"out": "out.txt"},
    } | changes  # fmt: skip


async def make(pool: Pool, services: Services) -> World:
    """Makes the world in a fresh database."""
    async with pool.acquire() as connection, connection.transaction():
        community_id = await identity.ensure_community(connection, "local")
        await places.ensure_share(connection, community_id, "all", 1.0)
        user_id = await identity.ensure_user(connection, "test", "ada", "ada")
        await identity.ensure_membership(connection, user_id, community_id, "member")
        site_id = await places.ensure_site(connection, "here")
        endpoint_id = await places.ensure_endpoint(connection, site_id, "disk", "local", "file:///tmp/none")
        queue_id, _ = await places.put_queue(
            connection, community_id, site_id, "local", cores=1, memory_mb=4000, disk_mb=10_000, max_wall_seconds=86_400, architecture="x86_64", slots=2
        )
        await places.put_queue_storage(connection, queue_id, endpoint_id, 1, 1)
        await events.log(connection, "queue", queue_id, "add", None, "online", "test")
    return World(pool, services, Who(user_id, "ada", "local", scopes=frozenset({"user"})), queue_id, endpoint_id)
