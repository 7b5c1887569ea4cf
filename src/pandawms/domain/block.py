"""The life of a block: a group of files that move or are closed together.

PanDA has two kinds: a dispatch block gathers the inputs of jobs that one transfer brings to a queue; a destination block gathers
the outputs of jobs that are closed, or merged, together. Their words are PanDA's, in one table.
"""

from __future__ import annotations

from pandawms.domain.machine import DAY, HOUR, NEW, Dwell, Flow, Machine, Word, unfold
from pandawms.domain.stages import Stage


class BlockStatus(Word):
    """PanDA's words for where a block is."""

    DEFINED = "defined", "named, with its files"
    SUBSCRIBED = "subscribed", "a transfer of its files was asked for"
    CREATED = "created", "registered in the data management system; jobs fill it"
    TOBEMERGED = "tobemerged", "filled; its files are to be merged"
    TOBECLOSED = "tobeclosed", "filled; to be closed"
    DOING = "doing", "being closed"
    COMPLETED = "completed", "arrived, or closed"
    CLEANUP = "cleanup", "not needed: empty, or its files were merged"
    SHORTENING = "shortening", "its lifetime is being cut"
    DELETING = "deleting", "its files are being deleted"
    DELETED = "deleted", "gone"


class BlockEvent(Word):
    """What may happen to a block."""

    MAKE = "make", "gathers files of jobs"
    SUBSCRIBE = "subscribe", "a transfer was asked for"
    ARRIVE = "arrive", "all its files are at their destination"
    REGISTER = "register", "it exists in the data management system"
    FILL = "fill", "all its jobs ended"
    FILL_FOR_MERGE = "fill_for_merge", "all its jobs ended and their outputs are to be merged"
    MERGED = "merged", "its files were merged"
    TAKE = "take", "its closing began"
    CLOSE = "close", "closed in the data management system"
    DISCARD = "discard", "nothing in it is needed"
    SHORTEN = "shorten", "its lifetime is to be cut"
    EXPIRE = "expire", "not used any more, or too old"
    DELETE = "delete", "its files were deleted"


S, E = BlockStatus, BlockEvent

FLOW: Flow[BlockEvent, BlockStatus] = {
    Stage.PLACE: [
        (E.MAKE, NEW, S.DEFINED),
        (E.SUBSCRIBE, [S.DEFINED], S.SUBSCRIBED),
        (E.ARRIVE, [S.DEFINED, S.SUBSCRIBED], S.COMPLETED),
    ],
    Stage.AGGREGATE: [
        (E.REGISTER, [S.DEFINED], S.CREATED),
        (E.FILL, [S.DEFINED, S.CREATED], S.TOBECLOSED),
        (E.FILL_FOR_MERGE, [S.DEFINED, S.CREATED], S.TOBEMERGED),
        (E.MERGED, [S.TOBEMERGED], S.CLEANUP),
        (E.TAKE, [S.TOBECLOSED], S.DOING),
        (E.CLOSE, [S.TOBECLOSED, S.DOING], S.COMPLETED),
        (E.DISCARD, [S.DEFINED, S.CREATED, S.TOBEMERGED, S.TOBECLOSED, S.DOING], S.CLEANUP),
    ],
    Stage.WATCH: [
        (E.SHORTEN, [S.COMPLETED], S.SHORTENING),
        (E.EXPIRE, [S.COMPLETED, S.SUBSCRIBED, S.CLEANUP, S.SHORTENING], S.DELETING),
        (E.DELETE, [S.CLEANUP, S.DELETING], S.DELETED),
    ],
}
INITIAL, TRANSITIONS, OWNERS = unfold(FLOW)
REOPENING: frozenset[BlockEvent] = frozenset()

_WHY = "entity_event.why"
_PASS = Dwell(HOUR, None, _WHY, "one pass of the engine; reported as stuck after the limit")
_JOBS = Dwell(None, None, _WHY, "as long as its jobs, each with limits of its own")

DWELL: dict[BlockStatus, Dwell] = {
    S.DEFINED: _JOBS,
    S.SUBSCRIBED: Dwell(7 * DAY, E.EXPIRE, _WHY),
    S.CREATED: _JOBS,
    S.TOBEMERGED: _JOBS,
    S.TOBECLOSED: _PASS,
    S.DOING: _PASS,
    S.COMPLETED: Dwell(30 * DAY, E.EXPIRE, _WHY, "a lifetime that a task may choose"),
    S.CLEANUP: Dwell(DAY, E.EXPIRE, _WHY),
    S.SHORTENING: Dwell(DAY, E.EXPIRE, _WHY),
    S.DELETING: Dwell(DAY, E.DELETE, _WHY),
}

BLOCK: Machine[BlockStatus, BlockEvent] = Machine("block", BlockStatus, BlockEvent, INITIAL, TRANSITIONS, OWNERS, DWELL, REOPENING)
FINAL = BLOCK.final
next_status = BLOCK.next_status
sources = BLOCK.sources
