"""What claims are answered from and what changes seldom, kept for about a second: classes of jobs, shares, and where queues read. One a server process."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pandawms.engine.dispatch import plan as planning
from pandawms.engine.dispatch.plan import Slot
from pandawms.engine.dispatch.resolve import Roots
from pandawms.store import leases, places
from pandawms.store.database import Connection
from pandawms.store.leases import RequirementRow
from pandawms.store.places import ShareRow

KEEP_SECONDS = 1.0
"""Shares are counted anew so often; between two counts the jobs that this server gave away are added."""


@dataclass(slots=True)
class Offer:
    """The picture of one server. `refresh` brings it up to date when it is old; a claim that found less than it wanted asks for that at once."""

    requirements: Mapping[int, RequirementRow] = field(default_factory=dict)
    roots: Mapping[int, Roots] = field(default_factory=dict)
    _shares: Sequence[ShareRow] = ()
    _given: dict[int, int] = field(default_factory=dict)
    _fitting: dict[Slot, list[int]] = field(default_factory=dict)
    _read_at: float = float("-inf")

    async def refresh(self, connection: Connection, *, older_than_seconds: float = KEEP_SECONDS) -> None:
        """Reads everything again when what is kept is older."""
        if time.monotonic() - self._read_at <= older_than_seconds:
            return
        self.requirements = {row.requirement_id: row for row in await leases.requirements(connection)}
        self._shares, self._given = await places.shares(connection), {}
        self.roots = await queue_roots(connection)
        self._fitting = {}
        self._read_at = time.monotonic()

    def fitting(self, slot: Slot) -> list[int]:
        """Returns the classes of jobs that a slot of this size can run."""
        found = self._fitting.get(slot)
        if found is None:
            found = self._fitting[slot] = planning.fitting(slot, self.requirements.values())
        return found

    def knows(self, queue_id: int, requirement_id: int, endpoint_id: int | None) -> bool:
        """Whether all that a job needs to be described was there when this was read; a job that another server gave away may be newer."""
        roots = self.roots.get(queue_id)
        return roots is not None and requirement_id in self.requirements and (endpoint_id is None or endpoint_id in roots.endpoints)

    def share_order(self) -> list[int]:
        """Returns the leaf shares, least served first."""
        return planning.share_order(self._shares, self._given)

    def note(self, share_ids: Sequence[int]) -> None:
        """Adds jobs that this server gave away, by their shares."""
        for share_id in share_ids:
            self._given[share_id] = self._given.get(share_id, 0) + 1


async def queue_roots(connection: Connection) -> dict[int, Roots]:
    """Returns where each queue reads, and where every endpoint begins."""
    endpoints = {endpoint.endpoint_id: endpoint for endpoint in await places.endpoints(connection)}
    begins = {endpoint_id: endpoint.root_url for endpoint_id, endpoint in endpoints.items()}
    ties = await places.queue_endpoints(connection)
    read: dict[int, list[str]] = {queue_id: [] for queue_id in await places.queue_ids(connection)}
    for tie in ties:
        if tie.read_order is not None and endpoints[tie.endpoint_id].can_read:
            read[tie.queue_id].append(begins[tie.endpoint_id])
    return {queue_id: Roots(roots, begins) for queue_id, roots in read.items()}
