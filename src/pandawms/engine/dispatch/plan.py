"""Decides which claims are answered together, what fits whom, and in which order shares are served. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pandawms.domain.gpu import is_model
from pandawms.domain.share import Share, dispatch_order
from pandawms.store.leases import Group, RequirementRow
from pandawms.store.places import ShareRow
from pandawms.wire.pilot.claim import ClaimRequest

Slot = tuple[int, int, int, int | None, str, int, int, str, int]


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim whose queue is known."""

    queue_id: int
    request: ClaimRequest

    @property
    def claim_id(self) -> str:
        """The pilot's own name for this claim, as 32 hexadecimal digits."""
        return self.request.claim_id.replace("-", "").lower()

    @property
    def slot(self) -> Slot:
        """What decides which jobs fit."""
        r = self.request
        return (r.cores, r.memory_mb, r.disk_mb, r.remaining_seconds, r.architecture, r.gpus, r.nodes, r.gpu_model, r.gpu_memory_mb)


def fitting(slot: Slot, classes: Iterable[RequirementRow]) -> list[int]:
    """Returns the classes of jobs that a slot of this size can run; a memory or disk of 0 and a time of None do not bind."""
    cores, memory_mb, disk_mb, seconds, architecture, gpus, nodes, gpu_model, gpu_memory_mb = slot
    return [
        c.requirement_id for c in classes
        if c.cores <= cores and c.nodes <= nodes and (not memory_mb or c.memory_mb <= memory_mb) and (not disk_mb or c.disk_mb <= disk_mb)
        and (seconds is None or c.wall_seconds <= seconds) and c.architecture in ("any", architecture)
        and (not c.gpus or (c.gpus <= gpus and c.gpu_memory_mb <= gpu_memory_mb and is_model(c.gpu_model, gpu_model)))
    ]  # fmt: skip


def groups(claims: Sequence[Claim], fits: Callable[[Slot], Sequence[int]], got: Mapping[str, int]) -> list[Group]:
    """Returns the jobs that claims still want, beyond those they got, grouped by queue and by the classes that fit: one part of a statement each.

    Slots seldom have the same time left, but mostly the same classes fit them. Claims that nothing fits are in no group.
    """
    found: dict[tuple[int, tuple[int, ...]], list[tuple[str, int, int | None]]] = {}
    for claim in claims:
        classes = tuple(fits(claim.slot))
        if classes:
            wanted = found.setdefault((claim.queue_id, classes), [])
            wanted += [(claim.claim_id, n, claim.request.worker_id) for n in range(got.get(claim.claim_id, 0), claim.request.n_jobs)]
    return [Group(queue_id, classes, wanted) for (queue_id, classes), wanted in found.items()]


def share_order(rows: Sequence[ShareRow], given: Mapping[int, int]) -> list[int]:
    """Returns the leaf shares, least served first: by what ran when they were counted, and what was given since then."""
    if len(rows) == 1:
        return [rows[0].share_id]
    shares = [Share(row.share_id, row.name, row.weight, row.parent_id) for row in rows]
    return [share.share_id for share in dispatch_order(shares, {row.share_id: row.running_jobs + given.get(row.share_id, 0) for row in rows})]
