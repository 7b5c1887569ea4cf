"""The short way for units of which only a count makes a job: what `cut` yields, several times as fast. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pandawms.engine.splitting.cut import Cut, Job, Piece, Rest, Waits
from pandawms.engine.splitting.limits import Reason, Rules, largest_job


def even(pieces: Sequence[Piece], rules: Rules, rest: Rest = Rest.NOTHING) -> Iterator[Cut] | None:
    """Returns what `cut` yields where it can be seen at once: fresh units of which only a count makes a job, since as many of the largest of them pass no
    other limit; else None."""
    per_job = largest_job(rules)
    if not pieces or not rules.is_regular or rules.counts_events:
        return None
    if any(piece.attempt or piece.group or piece.raised is not None for piece in pieces):
        return None
    if per_job > 1 and any(piece.first_event is not None and piece.n_events is not None for piece in pieces):
        return None  # chunks of events: each must follow the one before it
    most_events, most_bytes = max([piece.n_events or 0 for piece in pieces]), max([piece.size_bytes for piece in pieces])
    if any(limit.used(per_job, per_job * most_events, per_job * most_bytes) > limit.most for limit in rules.limits):
        return None
    reason = next(limit.reason for limit in rules.limits if limit.per_unit and limit.most == per_job)
    return _ones(pieces, reason) if per_job == 1 else _even(pieces, per_job, reason, rest)


def _ones(pieces: Sequence[Piece], reason: Reason) -> Iterator[Cut]:
    for piece in pieces:
        yield Job([piece], reason, piece.size_bytes, piece.n_events)


def _even(pieces: Sequence[Piece], per_job: int, reason: Reason, rest: Rest) -> Iterator[Cut]:
    for at in range(0, len(pieces), per_job):
        mine = pieces[at : at + per_job]
        if len(mine) < per_job and rest != Rest.NOTHING:
            yield Waits(mine, Reason.MORE_UNITS if rest == Rest.MORE_UNITS else Reason.GROWING)
            return
        events = [piece.n_events for piece in mine if piece.n_events is not None]
        n_events = sum(events) if len(events) == len(mine) else None
        yield Job(mine, reason if len(mine) == per_job else Reason.END, sum([piece.size_bytes for piece in mine]), n_events)
