"""Decides how many pilots to start. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from pandawms.domain.worker import WorkerStatus
from pandawms.plugins.provisioner import Sighting, WorkerState


@dataclass(frozen=True, slots=True)
class Demand:
    """What a queue could use: jobs that are ready, jobs that run, its slots, and its workers that have not ended."""

    ready_jobs: int
    running_jobs: int
    slots: int
    workers: int


def how_many(demand: Demand) -> int:
    """Returns how many pilots to start now: one for each job that is ready or runs, within the slots, less those there are."""
    wanted = min(demand.slots, demand.ready_jobs + demand.running_jobs)
    return max(0, wanted - demand.workers)


def changes(known: Mapping[int, tuple[WorkerStatus, str | None]], seen: Mapping[str, Sighting]) -> dict[int, tuple[WorkerStatus, str]]:
    """Returns the new status and diagnosis of each worker (id to status and native id) that is not any more what it was.

    A worker without a native id was never launched: its provisioner died in between, and it is missed.
    """
    found = {}
    for worker_id, (status, native_id) in known.items():
        if native_id is None:
            found[worker_id] = (WorkerStatus.MISSED, "its provisioner ended before it was launched")
            continue
        sighting = seen[native_id]
        if sighting.state is WorkerState.ENDED:
            found[worker_id] = (WorkerStatus.FINISHED if not sighting.diagnosis else WorkerStatus.FAILED, sighting.diagnosis)
        elif sighting.state is WorkerState.RUNNING and status is not WorkerStatus.RUNNING:
            found[worker_id] = (WorkerStatus.RUNNING, "")
    return found
