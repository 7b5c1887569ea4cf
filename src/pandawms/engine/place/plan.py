"""Decides which jobs can start. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from pandawms.store.jobs import Unplaced


@dataclass(frozen=True, slots=True)
class Plan:
    """Job ids to activate, and job ids whose data must come first."""

    activate: tuple[int, ...]
    request_data: tuple[int, ...]


def plan(jobs: Sequence[Unplaced]) -> Plan:
    """A job with all its inputs in reach is activated; one without is assigned, once."""
    return Plan(
        activate=tuple(job.job_id for job in jobs if job.n_missing == 0),
        request_data=tuple(job.job_id for job in jobs if job.n_missing > 0 and job.status == "defined"),
    )
