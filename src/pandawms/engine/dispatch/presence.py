"""What a pilot's call needs to know of its queue and its worker, without a query per call: kept for a moment, noted in batches."""

import asyncio
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import asyncpg
import structlog

from pandawms.domain.errors import Conflict, NotFound
from pandawms.engine.boundary import DATABASE_AWAY
from pandawms.engine.dispatch.gather import hands_out
from pandawms.engine.dispatch.plan import Claim
from pandawms.store import places, workers
from pandawms.store.database import Pool
from pandawms.store.kept import Kept
from pandawms.store.places import QueueState
from pandawms.store.workers import WorkerState

log = structlog.get_logger()

NOTE_SECONDS = 10.0
"""A worker is noted as seen at most once in this time."""
MOST_NOTED = 50_000
NOT_NOTED: tuple[type[Exception], ...] = (*DATABASE_AWAY, asyncpg.PostgresError)


@dataclass(slots=True)
class Presence:
    """The queues and workers that the pilots of one server process name. What an operator says of a queue, and the end of a worker, are heard within
    `believe_seconds`."""

    pool: Pool
    believe_seconds: float = 2
    _queues: Kept[str, QueueState] = field(init=False)
    _workers: Kept[int, WorkerState] = field(init=False)
    _noted: dict[int, float] = field(default_factory=dict)
    _heard: dict[int, int] = field(default_factory=dict)
    _noting: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self._queues = Kept(self._read_queues, self.believe_seconds / 2, self.believe_seconds)
        self._workers = Kept(self._read_workers, self.believe_seconds / 2, self.believe_seconds, most=MOST_NOTED)

    async def queue(self, name: str) -> QueueState:
        """Returns the queue of this name as it was a moment ago. Raises NotFound."""
        queue = self._queues.fresh(name) or await self._queues.get(name)
        if queue is None:
            raise NotFound(f"there is no queue {name}", code="queue.unknown", field="queue", value=name, hint="an operator has removed it")
        return queue

    async def admit(self, worker_id: int | None, queue: QueueState) -> None:
        """Notes that a pilot asks for work. Raises NotFound or Conflict when its worker has ended: what it got would be taken away at once."""
        await self._check(worker_id, queue)
        self.hear(worker_id, queue)

    async def gives(self, claim: Claim) -> bool:
        """Whether the queue of a claim, which may have waited for long, hands out jobs. Raises NotFound or Conflict when its worker has ended meanwhile."""
        queue = await self.queue(claim.request.queue)
        await self._check(claim.request.worker_id, queue)
        return hands_out(queue.status)

    async def _check(self, worker_id: int | None, queue: QueueState) -> None:
        if worker_id is None:
            return
        worker = await self._workers.get(worker_id)
        if worker is None or worker.queue_id != queue.queue_id:
            raise NotFound(f"queue {queue.name} has no worker {worker_id}", code="worker.unknown", field="worker_id", value=worker_id, hint="leave it out")
        if worker.has_ended:
            raise Conflict(
                f"worker {worker_id} has ended", code="worker.ended", field="worker_id", value=worker_id, allowed="a worker that lives", hint="end this pilot"
            )

    def hear(self, worker_id: int | None, queue: QueueState) -> None:
        """Notes that the pilot of a worker was heard; written soon, with others, at most once in 10 s, and only for a living worker of this queue."""
        now = time.monotonic()
        if worker_id is None or now - self._noted.get(worker_id, -NOTE_SECONDS) < NOTE_SECONDS:
            return
        self._noted.pop(worker_id, None)
        self._noted[worker_id] = now
        while len(self._noted) > MOST_NOTED:
            self._noted.pop(next(iter(self._noted)))
        self._heard[worker_id] = queue.queue_id
        if self._noting is None or self._noting.done():
            self._noting = asyncio.create_task(self._note())

    async def _note(self) -> None:
        """Writes what was heard, until nothing is left. What cannot be written now is written when the pilot is heard next."""
        while self._heard:
            heard, self._heard = self._heard, {}
            try:
                async with self.pool.acquire() as connection:
                    await workers.hear(connection, heard)
            except NOT_NOTED as error:
                log.warning("workers.not_noted", workers=len(heard), error=str(error))
                for worker_id in heard:
                    self._noted.pop(worker_id, None)

    async def _read_queues(self, names: Collection[str]) -> Mapping[str, QueueState]:
        async with self.pool.acquire() as connection:
            return await places.queue_states(connection, names)

    async def _read_workers(self, worker_ids: Collection[int]) -> Mapping[int, WorkerState]:
        async with self.pool.acquire() as connection:
            return await workers.states(connection, worker_ids)
