"""Keeps the pilots of one queue: sees what became of them, and starts as many as the demand asks for."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from pandawms.client.client import Client
from pandawms.domain.errors import Conflict
from pandawms.domain.worker import WorkerStatus
from pandawms.plugins.provisioner import Launch, Provisioner
from pandawms.provision import plan as planning
from pandawms.wire.queue import Queue
from pandawms.wire.worker import Worker, WorkerPatch, WorkerRequest

log = structlog.get_logger()


YOUNG_SECONDS = 60.0
"""A pilot that fails after a longer life does not count as one that cannot work here."""


@dataclass(frozen=True, slots=True)
class Options:
    """Which queue is kept, with what: the pilot's file and interpreter, where it works, and after how many idle seconds it leaves."""

    queue: str
    server: str
    python: str
    pilot: Path
    work_folder: Path
    cache_folder: Path
    token_folder: Path
    idle_seconds: float
    interpreters: tuple[str, ...] = ()
    uv: str | None = None


@dataclass(slots=True)
class Keeper:
    """The provisioner of one queue. Workers are in the system, processes in the batch system; it remembers only how many pilots failed in a row.

    After failures it starts pilots more and more seldom: 1 s after the first, doubling up to a minute, until one ends well.
    """

    client: Client
    system: Provisioner
    options: Options
    write_token: Callable[[Path, str], None]
    clock: Callable[[], float] = time.monotonic
    _failures: int = 0
    _not_before: float = 0.0

    def round(self) -> int:
        """One look: follows the workers that changed, then starts what is missing; returns how many were started."""
        alive = self._follow()
        demand = self.client.queues.demand(self.options.queue)
        if demand.status == "offline":
            return 0
        missing = planning.how_many(planning.Demand(demand.waiting_jobs, demand.running_jobs, demand.slots, len(alive)))
        if missing == 0 or self.clock() < self._not_before:
            return 0
        if self._failures:
            missing = 1
        for _ in range(missing):
            self._launch()
        return missing

    def stop_all(self) -> list[str]:
        """Asks every pilot of the queue to end and returns their native ids."""
        native_ids = [worker.batch_id for worker in self._alive() if worker.batch_id]
        for native_id in native_ids:
            self.system.stop(native_id)
        return native_ids

    def follow(self) -> int:
        """Follows the workers that changed; returns how many are left."""
        return len(self._follow())

    def _alive(self) -> list[Worker]:
        mine = (worker for worker in self.client.workers.list(queue=self.options.queue) if worker.provisioner == self.system.name)
        return [worker for worker in mine if worker.ended_at is None]

    def _follow(self) -> list[Worker]:
        alive = self._alive()
        seen = self.system.see([worker.batch_id for worker in alive if worker.batch_id])
        ages = {worker.worker_id: (datetime.now(UTC) - worker.created_at).total_seconds() for worker in alive}
        changed = planning.changes({w.worker_id: (WorkerStatus(w.status), w.batch_id) for w in alive}, seen)
        for worker_id, (status, diagnosis) in changed.items():
            self._tell(worker_id, WorkerPatch(status=str(status), reason=diagnosis or None))
            self._count(status, diagnosis, ages[worker_id])
        ended = {worker_id for worker_id, (status, _) in changed.items() if status is not WorkerStatus.RUNNING}
        for worker_id in ended:
            token_file(self.options, worker_id).unlink(missing_ok=True)
        return [worker for worker in alive if worker.worker_id not in ended]

    def _count(self, status: WorkerStatus, diagnosis: str, age_seconds: float) -> None:
        if status is WorkerStatus.FINISHED or age_seconds > YOUNG_SECONDS:
            self._failures = 0
        elif status is WorkerStatus.FAILED:
            self._not_before = self.clock() + min(60.0, 2.0**self._failures)
            self._failures += 1
            log.warning("worker.failed", diagnosis=diagnosis, failures=self._failures)

    def _launch(self) -> None:
        worker = self.client.workers.create(WorkerRequest(queue=self.options.queue, provisioner=self.system.name))
        self.write_token(token_file(self.options, worker.worker_id), worker.token or "")
        queue = self.client.queues.get(self.options.queue)
        launch = Launch(
            worker_id=worker.worker_id, queue=queue.name, command=command(self.options, worker.worker_id, queue),
            token_file=str(token_file(self.options, worker.worker_id)), work_folder=str(self.options.work_folder), cores=queue.cores, memory_mb=queue.memory_mb,
            disk_mb=queue.disk_mb, wall_seconds=queue.wall_seconds, nodes=queue.nodes, gpus=queue.gpus, gpu_model=queue.gpu_model,
            gpu_memory_mb=queue.gpu_memory_mb,
        )  # fmt: skip
        native_id = self.system.launch(launch)
        self._tell(worker.worker_id, WorkerPatch(status=str(WorkerStatus.SUBMITTED), batch_id=native_id))
        log.info("worker.launched", worker_id=worker.worker_id, native_id=native_id, queue=queue.name)

    def _tell(self, worker_id: int, patch: WorkerPatch) -> None:
        try:
            self.client.workers.update(worker_id, patch)
        except Conflict as error:  # somebody else moved it first: the next round sees where it is
            log.info("worker.elsewhere", worker_id=worker_id, error=error.detail)


def token_file(options: Options, worker_id: int) -> Path:
    """Returns where the token of a worker is."""
    return options.token_folder / f"worker-{worker_id}"


def command(options: Options, worker_id: int, queue: Queue) -> tuple[str, ...]:
    """Returns the command line of a pilot for a slot of this queue."""
    words = [
        options.python, "-I", str(options.pilot), "--server", options.server, "--queue", options.queue, "--token-file", str(token_file(options, worker_id)),
        "--worker-id", str(worker_id), "--work-dir", str(options.work_folder), "--cache-dir", str(options.cache_folder), "--cores", str(queue.cores),
        "--memory-mb", str(queue.memory_mb), "--disk-mb", str(queue.disk_mb), "--idle-seconds", str(options.idle_seconds),
    ]  # fmt: skip
    if queue.nodes > 1:
        words += ["--nodes", str(queue.nodes)]
    if queue.gpus:
        words += ["--gpus", str(queue.gpus), "--gpu-model", queue.gpu_model, "--gpu-memory-mb", str(queue.gpu_memory_mb)]
    for interpreter in options.interpreters:
        words += ["--python", interpreter]
    return (*words, *(["--uv", options.uv] if options.uv else []))
