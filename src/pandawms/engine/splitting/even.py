"""The short way for numbers of which only a count makes a job: what `cut` yields, several times as fast. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pandawms.engine.splitting.cut import Cut, Job, Piece, Rest, Waits
from pandawms.engine.splitting.limits import Reason, Rules, largest_job


def even(pieces: Sequence[Piece], rules: Rules, rest: Rest = Rest.NOTHING) -> Iterator[Cut] | None:
    """Returns what `cut` yields, several times as fast, where it can be seen at once: fresh numbers of which only a count makes a job; else None."""
    per_job, most_events = largest_job(rules), max((piece.n_events or 0 for piece in pieces), default=0)
    if not rules.is_regular or any(limit.used(per_job, per_job * most_events, 0) > limit.most for limit in rules.limits):
        return None
    if per_job > 1 and any(piece.n_events is not None for piece in pieces):
        return None
    if any(piece.attempt or piece.size_bytes or piece.group or piece.raised is not None for piece in pieces):
        return None
    reason = next(limit.reason for limit in rules.limits if limit.per_unit and limit.most == per_job)
    return _even(pieces, per_job, reason, rest)


def _even(pieces: Sequence[Piece], per_job: int, reason: Reason, rest: Rest) -> Iterator[Cut]:
    for at in range(0, len(pieces), per_job):
        mine = pieces[at : at + per_job]
        n_events = mine[0].n_events if per_job == 1 else None
        if len(mine) == per_job:
            yield Job(mine, reason, 0, n_events)
        elif rest == Rest.NOTHING:
            yield Job(mine, Reason.END, 0, n_events)
        else:
            yield Waits(mine, Reason.MORE_UNITS if rest == Rest.MORE_UNITS else Reason.GROWING)
