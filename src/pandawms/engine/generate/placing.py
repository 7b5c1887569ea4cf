"""Decides what becomes of units that are too large for one queue. Pure.

What is foreseen (output, wall time) may be wrong, the bytes of an input are not: a unit that is too large for every queue only as far as it can be foreseen
is tried where it is; one whose input alone is too large for all has failed for good.
"""

from collections.abc import Iterable, Sequence

from pandawms.engine.generate.plan import Selection
from pandawms.engine.requirements import Effective
from pandawms.engine.slots import may_run_in
from pandawms.engine.splitting.cut import Cut, Job, Piece, Refused, cut
from pandawms.engine.splitting.limits import MB, Reason, Room, Rules, has_room, lenient
from pandawms.engine.splitting.secondaries import Company
from pandawms.store.retry_rules import Slot
from pandawms.wire.document import TaskDocument

_ABOUT_QUEUE = frozenset({Reason.QUEUE_DISK, Reason.QUEUE_WALL_TIME, Reason.QUEUE_MEMORY})


def room_of(slot: Slot) -> Room:
    """Returns what a slot gives to a job."""
    return Room(slot.disk_mb, slot.max_wall_seconds)


def others(slots: Iterable[Slot], document: TaskDocument, community: str, wanted: Effective, queue_id: int) -> list[Slot]:
    """Returns the other queues that may ever run jobs of a task, whatever their status is now."""
    return [
        slot for slot in slots
        if slot.queue_id != queue_id and may_run_in(slot, document, community, wanted)
        and slot.memory_mb >= wanted.memory_mb and slot.max_wall_seconds >= wanted.wall_seconds
    ]  # fmt: skip


def too_demanding(pieces: Sequence[Piece], slot: Slot) -> list[Refused]:
    """Returns units that a retry rule gave more memory or wall time than the slot has, each alone."""
    return [Refused([piece], Reason.QUEUE_MEMORY) for piece in pieces if piece.raised is not None and not _has(slot, piece)]


def place(found: Selection, rules: Rules, resources: Effective, elsewhere: Sequence[Slot], company: Company | None) -> Selection:
    """Returns the selection with what was refused sorted: tried here all the same, left for another queue (`aside`), or failed for good."""
    placed = Selection(list(found.jobs), [], found.over, [], found.waits_for)
    for each in found.refused:
        if each.reason not in _ABOUT_QUEUE:
            placed.refused.append(each)
        elif any(_fits(slot, each, resources) for slot in elsewhere):
            placed.aside.append(each)
        else:
            _try(placed, each, rules, elsewhere, company)
    return placed


def _try(placed: Selection, each: Refused, rules: Rules, elsewhere: Sequence[Slot], company: Company | None) -> None:
    for made in cut(each.pieces, lenient(rules), company=company):
        if isinstance(made, Job):
            placed.jobs.append(made)
        elif any(_bytes(made) <= slot.disk_mb * MB for slot in elsewhere):
            placed.aside.append(Refused(made.pieces, made.reason))
        else:
            placed.refused.append(_as_refused(made))


def _as_refused(made: Cut) -> Refused:
    return made if isinstance(made, Refused) else Refused(made.pieces, Reason.EXHAUSTED)


def _fits(slot: Slot, each: Refused, resources: Effective) -> bool:
    n_events = sum(piece.n_events or 0 for piece in each.pieces)
    return all(_has(slot, piece) for piece in each.pieces) and has_room(resources, room_of(slot), n_events, _bytes(each))


def has_place(slot: Slot, job: Job, resources: Effective) -> bool:
    """Whether a job that was cut for another queue has room in a slot, too."""
    return all(_has(slot, piece) for piece in job.pieces) and has_room(resources, room_of(slot), job.n_events or 0, job.n_bytes)


def _has(slot: Slot, piece: Piece) -> bool:
    raised = piece.raised
    return raised is None or ((raised.memory_mb or 0) <= slot.memory_mb and (raised.wall_seconds or 0) <= slot.max_wall_seconds)


def _bytes(made: Cut) -> int:
    return sum(piece.size_bytes for piece in made.pieces)
