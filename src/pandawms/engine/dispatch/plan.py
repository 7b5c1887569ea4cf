"""Decides which claims are answered together, and in which order shares are served. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from pandawms.domain.share import Share, dispatch_order
from pandawms.store.places import ShareRow
from pandawms.wire.pilot.claim import ClaimRequest

Slot = tuple[int, int, int, int | None, str, int]


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim whose queue is known."""

    queue_id: int
    request: ClaimRequest

    @property
    def claim_id(self) -> UUID:
        """The pilot's own name for this claim."""
        return UUID(self.request.claim_id)

    @property
    def slot(self) -> Slot:
        """What decides which jobs fit: claims with the same slot in the same queue are answered by one statement."""
        r = self.request
        return (r.cores, r.memory_mb, r.disk_mb, r.remaining_seconds, r.architecture, r.gpus)


def groups(claims: Sequence[Claim]) -> list[list[Claim]]:
    """Returns the claims grouped by queue and slot, in a stable order."""
    found: dict[tuple[int, Slot], list[Claim]] = {}
    for claim in claims:
        found.setdefault((claim.queue_id, claim.slot), []).append(claim)
    return list(found.values())


def share_order(rows: Sequence[ShareRow]) -> list[int]:
    """Returns the leaf shares, least served first."""
    shares = [Share(row.share_id, row.name, row.weight, row.parent_id) for row in rows]
    return [share.share_id for share in dispatch_order(shares, {row.share_id: row.running_jobs for row in rows})]
