"""Answers claims in batches: picks, leases, commits, then tells each pilot all about its jobs."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from pandawms.domain.queue import PERMITS, QueueStatus
from pandawms.engine.dispatch import plan as planning
from pandawms.engine.dispatch import resolve
from pandawms.engine.dispatch.plan import Claim
from pandawms.engine.gathering import Gatherer
from pandawms.engine.services import Services
from pandawms.store import jobs, places, tasks
from pandawms.store.database import Connection, Pool
from pandawms.wire.checks import decode_document
from pandawms.wire.pilot.claim import JobSpec
from pandawms.wire.task import TaskDocument


@dataclass(slots=True)
class Dispatcher:
    """The claims of one server process. `bells` wake claims that wait for a queue."""

    pool: Pool
    services: Services
    bells: dict[int, asyncio.Event] = field(default_factory=dict)
    _documents: dict[tuple[int, int], TaskDocument] = field(default_factory=dict)
    _gatherer: Gatherer[Claim, tuple[JobSpec, ...]] = field(init=False)

    def __post_init__(self) -> None:
        self._gatherer = Gatherer(self._work)

    async def claim(self, claim: Claim) -> tuple[JobSpec, ...]:
        """Gives the claim its jobs, leased and committed; the same claim again gets the same jobs. Empty when nothing fits."""
        return await self._gatherer.do(claim)

    def bell(self, queue_id: int) -> asyncio.Event:
        """Returns the event that is set when jobs of the queue may have become ready; whoever waits takes it before it claims."""
        return self.bells.setdefault(queue_id, asyncio.Event())

    def ring(self, queue_id: str) -> None:
        """Wakes the claims that wait for a queue."""
        bell = self.bells.pop(int(queue_id), None)
        if bell is not None:
            bell.set()

    async def _work(self, claims: Sequence[Claim]) -> Sequence[tuple[JobSpec, ...]]:
        async with self.pool.acquire() as connection:
            async with connection.transaction():
                await jobs.hold_claims(connection, {claim.claim_id for claim in claims})
                given = await jobs.claimed(connection, {claim.claim_id for claim in claims})
                fresh = list({claim.claim_id: claim for claim in claims if claim.claim_id not in given}.values())
                given |= await self._pick(connection, fresh) if fresh else {}
            specs = await self._specs(connection, [job_id for found in given.values() for job_id in found])
        return [tuple(specs[job_id] for job_id in given.get(claim.claim_id, ()) if job_id in specs) for claim in claims]

    async def _pick(self, connection: Connection, claims: Sequence[Claim]) -> dict[UUID, list[int]]:
        shares = planning.share_order(await places.shares(connection))
        given: dict[UUID, list[int]] = {}
        for group in planning.groups(claims):
            given |= await self._pick_group(connection, group, shares)
        return given

    async def _pick_group(self, connection: Connection, group: Sequence[Claim], shares: Sequence[int]) -> dict[UUID, list[int]]:
        first = group[0].request
        await places.note_pilot(connection, group[0].queue_id)
        classes = await jobs.fitting(
            connection, cores=first.cores, memory_mb=first.memory_mb or None, disk_mb=first.disk_mb or None, wall_seconds=first.remaining_seconds,
            architecture=first.architecture, gpus=first.gpus,
        )  # fmt: skip
        wanted = [(claim.claim_id, claim.request.worker_id) for claim in group for _ in range(claim.request.n_jobs)]
        if not classes:
            return {}
        return await jobs.claim(
            connection, queue_id=group[0].queue_id, share_ids=shares, requirement_ids=classes, wanted=wanted,
            lease_seconds=self.services.options.lease_seconds,
        )  # fmt: skip

    async def _specs(self, connection: Connection, job_ids: Sequence[int]) -> dict[int, JobSpec]:
        if not job_ids:
            return {}
        found = await jobs.resolve(connection, job_ids)
        documents = await self._templates(connection, {(job.task_id, job.version) for job in found})
        files = await jobs.files_of(connection, job_ids)
        roots = await queue_roots(connection)
        manager = self.services.data_manager
        return {job.job_id: resolve.spec(job, documents[job.task_id, job.version], files[job.job_id], roots[job.queue_id], manager) for job in found}

    async def _templates(self, connection: Connection, wanted: set[tuple[int, int]]) -> Mapping[tuple[int, int], TaskDocument]:
        """Documents never change, so they are kept; the oldest go when there are many."""
        missing = wanted - self._documents.keys()
        if missing:
            found = await tasks.templates(connection, missing)
            self._documents |= {key: decode_document(raw) for key, raw in found.items()}
        while len(self._documents) > max(1000, len(wanted)):
            self._documents.pop(next(key for key in self._documents if key not in wanted))
        return self._documents


async def queue_roots(connection: Connection) -> dict[int, resolve.Roots]:
    """Returns where each queue reads, and where every endpoint begins."""
    endpoints = {endpoint.endpoint_id: endpoint for endpoint in await places.endpoints(connection)}
    begins = {endpoint_id: endpoint.root_url for endpoint_id, endpoint in endpoints.items()}
    ties = await places.queue_endpoints(connection)
    read: dict[int, list[str]] = {tie.queue_id: [] for tie in ties}
    for tie in ties:
        if tie.read_order is not None and endpoints[tie.endpoint_id].can_read:
            read[tie.queue_id].append(begins[tie.endpoint_id])
    return {queue_id: resolve.Roots(roots, begins) for queue_id, roots in read.items()}


def hands_out(status: str) -> bool:
    """Whether a queue in this status gives jobs to pilots."""
    return PERMITS[QueueStatus(status)].dispatched
