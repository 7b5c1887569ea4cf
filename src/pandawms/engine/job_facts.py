"""What never changes about the jobs in the hands of pilots, kept in memory from the claim to the report, which then needs not ask for it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from pandawms.store import leases
from pandawms.store.database import Connection
from pandawms.store.leases import Facts

MOST = 100_000
"""Jobs whose facts are kept, some 250 bytes each: those that one server's pilots may hold."""


@dataclass(slots=True)
class JobFacts:
    """The facts of jobs, noted when they are given away and read when they are not known; the oldest go when there are many."""

    _kept: dict[int, Facts] = field(default_factory=dict)

    def note(self, given: Iterable[Facts]) -> None:
        """Keeps the facts of jobs."""
        for each in given:
            self._kept[each.job_id] = each
        while len(self._kept) > MOST:
            self._kept.pop(next(iter(self._kept)))

    async def of(self, connection: Connection, job_ids: Collection[int]) -> Mapping[int, Facts]:
        """Returns the facts of those of the jobs that exist, and maybe of others."""
        missing = [job_id for job_id in job_ids if job_id not in self._kept]
        if not missing:
            return self._kept
        return {job_id: self._kept[job_id] for job_id in job_ids if job_id in self._kept} | {
            each.job_id: each for each in await leases.facts(connection, missing)
        }

    def drop(self, job_ids: Iterable[int]) -> None:
        """Forgets jobs that have ended."""
        for job_id in job_ids:
            self._kept.pop(job_id, None)
