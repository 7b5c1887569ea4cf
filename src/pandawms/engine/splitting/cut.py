"""Cuts units into jobs, greedily and in order, closing a job before a limit would be passed. Pure; memory is that of one job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import inf
from typing import NamedTuple

from pandawms.domain.machine import Word
from pandawms.engine.splitting.limits import Limit, Reason, Rules
from pandawms.engine.splitting.secondaries import Company, Shortage


class Raised(NamedTuple):
    """What retry rules changed for the next job of a unit; None: nothing."""

    memory_mb: int | None = None
    wall_seconds: int | None = None
    units_per_job: int | None = None


class Piece(NamedTuple):
    """A unit as the cut sees it. It is a chunk of events when both `first_event` and `n_events` are known; `n_events` None is not known, or has none.

    `attempt` counts the jobs that had it, `job_id` is the last of them; `group` is its boundary.
    """

    number: int
    size_bytes: int = 0
    n_events: int | None = None
    first_event: int | None = None
    file_id: int | None = None
    attempt: int = 0
    job_id: int | None = None
    group: str = ""
    raised: Raised | None = None


class Job(NamedTuple):
    """Units that make a job, and why no more joined. `n_bytes` includes secondary files, `n_events` is None where not all are known.

    `passes` names a wish of the task that its only unit passes; `companions` are the numbers of the files that go along, by secondary input, and `n_given`
    how many places of each were handed out by then.
    """

    pieces: Sequence[Piece]
    closed_by: Reason
    n_bytes: int
    n_events: int | None
    passes: Reason | None = None
    companions: tuple[tuple[int, ...], ...] = ()
    n_given: tuple[int, ...] = ()


class Refused(NamedTuple):
    """Units of which no job can be made here: `used` passes `limit` (None where it is no limit's doing)."""

    pieces: Sequence[Piece]
    reason: Reason
    limit: Limit | None = None
    used: float = 0


class Waits(NamedTuple):
    """Units at the end that are given back, for a reason that will pass."""

    pieces: Sequence[Piece]
    reason: Reason


class Rest(Word):
    """What comes after the units at hand."""

    NOTHING = "nothing", "these are all"
    MORE_INPUT = "more_input", "the input may grow: the last job waits, unless it is another attempt"
    MORE_UNITS = "more_units", "more units are ready: the last job waits for them"


Cut = Job | Refused | Waits

_BY_KEY = (Reason.AGAIN, Reason.GROUP, Reason.PART, Reason.RAISED, Reason.EVENTS_UNKNOWN)


def cut(pieces: Iterable[Piece], rules: Rules, rest: Rest = Rest.NOTHING, company: Company | None = None) -> Iterator[Cut]:
    """Yields the jobs that units make, in order, and what is in none of them; every unit is in exactly one of what is yielded.

    With `rest` nothing, or where `company` lacks nothing, the last is no Waits. Take as few as you like: units that were not yielded are untouched.
    """
    cutter = _Cutter(rules, company)
    units = iter(pieces)
    for piece in units:
        yield from cutter.add(piece)
        if cutter.stopped_by is not None:
            yield Waits([*cutter.open, piece, *units], cutter.stopped_by)
            return
    yield from cutter.finish(rest)


class _Cutter:
    """The job that is open, and its sums."""

    def __init__(self, rules: Rules, company: Company | None) -> None:
        self.open: list[Piece] = []
        self.stopped_by: Reason | None = None
        self._rules, self._company = rules, company
        self._counts_events = rules.counts_events
        self._parts = rules.parts
        self._is_plain = not (rules.one_job_per_group or self._counts_events or rules.parts is not None)
        self._table = [(limit.most - limit.base, limit.per_unit, limit.per_event, limit.per_byte, limit) for limit in rules.limits if not limit.is_of_all_files]
        self._most_files = next((limit.most for limit in rules.limits if limit.is_of_all_files), inf)
        self._key: tuple[object, ...] = ()
        self._most_units: float = inf
        self._n_events = self._n_bytes = self._n_files = 0
        self._passes: Reason | None = None
        self._refusal: tuple[Reason, Limit | None, float] | None = None

    def add(self, piece: Piece) -> Sequence[Cut]:
        """Takes a unit; returns what is ready by that."""
        key = self._key_of(piece)
        if key == self._key and self._joins(piece):
            return ()
        made = list[Cut]()
        try:
            if self.open:
                reason = self._closes(piece, key)
                if reason is None:
                    return ()
                made.append(self._close(reason))
            made += self._begin(piece, key)
        except Shortage as shortage:
            made += self._lacks(piece, key, shortage.reason)
        return made

    def finish(self, rest: Rest) -> Sequence[Cut]:
        """Ends the stream; returns the last job, or gives its units back."""
        if not self.open:
            return ()
        is_again, full = self.open[0].attempt > 0, self._full()
        if full is not None:
            return [self._close(full)]
        if rest == Rest.NOTHING or (rest == Rest.MORE_INPUT and is_again) or self._refusal is not None:
            return [self._close(Reason.END)]
        return [Waits(self.open, Reason.MORE_UNITS if rest == Rest.MORE_UNITS else Reason.GROWING)]

    def _full(self) -> Reason | None:
        """Says why no unit at all could join the open job: an empty one, or one event more behind a chunk."""
        if self._rules.one_job_per_group:
            return None
        if len(self.open) + 1 > self._most_units:
            return Reason.FEWER
        is_chunk = self.open[-1].first_event is not None and self.open[-1].n_events is not None
        found = self._passed(len(self.open) + 1, self._n_events + is_chunk, self._n_bytes, self._n_files + 1)
        return found and found[0].reason

    def _key_of(self, piece: Piece) -> tuple[object, ...]:
        if self._is_plain:
            return (piece.attempt > 0, piece.group, 0, piece.raised, 0)
        if self._rules.one_job_per_group:
            return (None, piece.group)
        part, parts = 0, self._parts
        if parts is not None:
            part = (piece.number - 1) * parts[0] // parts[1]
        unknown = piece.number if self._counts_events and piece.n_events is None else 0
        return (piece.attempt > 0, piece.group, part, piece.raised, unknown)

    def _joins(self, piece: Piece) -> bool:
        """The short way: takes a unit that plainly fits. False where it does not, or where more must be asked than sums."""
        n_units = len(self.open) + 1
        if not 1 < n_units <= self._most_units or self._company is not None or piece.first_event is not None or self.open[-1].first_event is not None:
            return False
        n_events, n_bytes = self._n_events + (piece.n_events or 0), self._n_bytes + piece.size_bytes
        for room, per_unit, per_event, per_byte, _ in self._table:
            if per_unit * n_units + per_event * n_events + per_byte * n_bytes > room:
                return False
        if n_units > self._most_files:
            return False
        self.open.append(piece)
        self._n_events, self._n_bytes, self._n_files = n_events, n_bytes, n_units
        return True

    def _closes(self, piece: Piece, key: tuple[object, ...]) -> Reason | None:
        """Says why the unit cannot join the open job; where it can, it does. Raises Shortage."""
        if key != self._key:
            return next(reason for reason, mine, other in zip(_BY_KEY, self._key, key, strict=False) if mine != other)
        n_units = len(self.open) + 1
        if n_units > self._most_units:
            return Reason.FEWER
        if not _follows(self.open[-1], piece):
            return Reason.CHUNK
        n_events, n_bytes, n_files = self._n_events + (piece.n_events or 0), self._n_bytes + piece.size_bytes, self._n_files + 1
        found = self._passed(n_units, n_events, n_bytes, n_files)
        if found is None and self._company is not None:
            files, size = self._company.would_take(piece.number)
            n_files, n_bytes = n_files + files, n_bytes + size
            found = self._passed(n_units, n_events, n_bytes, n_files)
        if found is not None:
            if not self._rules.one_job_per_group:
                return found[0].reason
            self._refuse(found[0].reason, *found)
        self._take(piece, n_events, n_bytes, n_files)
        return None

    def _begin(self, piece: Piece, key: tuple[object, ...]) -> Sequence[Cut]:
        """Begins a job with a unit, which is refused when it passes a hard limit alone. Raises Shortage."""
        files, n_bytes, n_events = 1, piece.size_bytes, piece.n_events or 0
        if self._company is not None:
            for more, size in (self._company.begin(piece.job_id), self._company.would_take(piece.number)):
                files, n_bytes = files + more, n_bytes + size
        self._key, self._passes, self._refusal = key, None, None
        self._most_units = (piece.raised and piece.raised.units_per_job) or inf
        found = self._passed(1, n_events, n_bytes, files, only_hard=True)
        if found is not None:
            if not self._rules.one_job_per_group:
                return [Refused([piece], found[0].reason, *found)]
            self._refuse(found[0].reason, *found)
        wish = self._passed(1, n_events, n_bytes, files)
        self._passes = wish and wish[0].reason
        self._take(piece, n_events, n_bytes, files)
        return ()

    def _take(self, piece: Piece, n_events: int, n_bytes: int, n_files: int) -> None:
        self.open.append(piece)
        self._n_events, self._n_bytes, self._n_files = n_events, n_bytes, n_files
        if self._company is not None:
            self._company.take()

    def _passed(self, n_units: int, n_events: int, n_bytes: int, n_files: int, *, only_hard: bool = False) -> tuple[Limit, float] | None:
        for room, per_unit, per_event, per_byte, limit in self._table:
            if per_unit * n_units + per_event * n_events + per_byte * n_bytes > room and (limit.is_hard or not only_hard):
                return limit, limit.used(n_units, n_events, n_bytes)
        if n_files > self._most_files:
            return next(limit for limit in self._rules.limits if limit.is_of_all_files), n_files
        return None

    def _refuse(self, reason: Reason, limit: Limit | None, used: float) -> None:
        """A group that must be one job and cannot: the first reason is kept, its units are collected until it ends."""
        if self._refusal is None:
            self._refusal = (reason, limit, used)

    def _lacks(self, piece: Piece, key: tuple[object, ...], reason: Reason) -> Sequence[Cut]:
        """Secondary files for a unit are missing: for good (it is refused, or its group), or for now (the stream ends here)."""
        if reason != Reason.EXHAUSTED:
            self.stopped_by = reason
            return ()
        if not self._rules.one_job_per_group:
            return [Refused([piece], reason)]
        if not self.open:
            self._key, self._refusal = key, None
        self._refuse(reason, None, 0)
        self.open.append(piece)
        return ()

    def _close(self, reason: Reason) -> Cut:
        pieces, self.open = self.open, []
        if self._refusal is not None:
            return Refused(pieces, *self._refusal)
        n_events = None if any(piece.n_events is None for piece in pieces) else self._n_events
        if self._company is None:
            return Job(pieces, reason, self._n_bytes, n_events, self._passes)
        companions = self._company.end()
        return Job(pieces, reason, self._n_bytes, n_events, self._passes, companions, self._company.n_given())


def _follows(last: Piece, piece: Piece) -> bool:
    """Whether a unit may stand behind another in a job: files behind files, and a chunk of events where the one before it in the same file ends."""
    if last.first_event is None or last.n_events is None:
        return piece.first_event is None or piece.n_events is None
    return piece.n_events is not None and piece.file_id == last.file_id and piece.first_event == last.first_event + last.n_events
