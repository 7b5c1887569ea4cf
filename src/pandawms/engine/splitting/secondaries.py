"""Which files of secondary inputs go along with which units. Pure.

Files of a secondary input are numbered from 1 in their order; a *place* counts on beyond the last number where the input is reused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count, islice

from pandawms.engine.splitting.limits import Reason


@dataclass(frozen=True, slots=True)
class Secondary:
    """A secondary input of a task: exactly one of `per_job`, `ratio` and `whole` says how its files go along.

    `n_files` are known so far, more may come unless `is_complete`. `n_given` places were handed out to jobs before (of `per_job`). `sizes` has the bytes of
    the files that the units at hand may need, by number; `kept` the numbers that a job before had, by its id; `vacant` the numbers whose files are lost: for
    now, or, of a complete input, for good.
    """

    task_dataset_id: int
    n_files: int
    is_complete: bool
    per_job: int | None = None
    ratio: Fraction | None = None
    whole: bool = False
    reuse: bool = False
    n_given: int = 0
    sizes: Mapping[int, int] = field(default_factory=dict)
    kept: Mapping[int, Sequence[int]] = field(default_factory=dict)
    vacant: frozenset[int] = frozenset()


class Shortage(Exception):
    """A secondary input has not the files that a unit needs: `reason` is exhausted, or secondary_growing while more may come."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(str(reason))
        self.reason = reason


def places_of_unit(ratio: Fraction, number: int) -> range:
    """Returns the places (from 1) that go along with unit `number` (from 1): those that the stretch from (number - 1) x ratio to number x ratio touches."""
    above, below = ratio.numerator, ratio.denominator
    return range((number - 1) * above // below + 1, -(-number * above // below) + 1)


def numbers(places: Sequence[int], n_files: int, *, reuse: bool) -> list[int]:
    """Returns the file numbers of places, each once; places beyond the last file begin again when `reuse`, else they are left out."""
    if not reuse:
        return [place for place in places if place <= n_files]
    return list(dict.fromkeys((place - 1) % n_files + 1 for place in places[:n_files])) if n_files else []


def fraction(ratio: float) -> Fraction:
    """Returns a ratio as it was written: 1.1 is eleven tenths."""
    return Fraction(repr(ratio))


class Company:
    """What goes along while one window is cut: `begin` a job, ask what a unit `would_take` and let it `take` that, `end` the job.

    The first two say how many files and bytes come in addition, and raise Shortage.
    """

    def __init__(self, secondaries: Sequence[Secondary]) -> None:
        self._all = secondaries
        self._given = [each.n_given for each in secondaries]
        self._next_given = list(self._given)
        self._mine: list[dict[int, None]] = [{} for _ in secondaries]
        self._new: list[tuple[int, int]] = []

    def begin(self, job_id: int | None) -> tuple[int, int]:
        """Begins a job whose first unit was last in job `job_id` (None: in none)."""
        self._mine = [{} for _ in self._all]
        self._next_given = list(self._given)
        for at, each in enumerate(self._all):
            self._mine[at] = dict.fromkeys(self._at_begin(at, each, job_id))
        return sum(map(len, self._mine)), sum(each.sizes.get(n, 0) for each, mine in zip(self._all, self._mine, strict=True) for n in mine)

    def would_take(self, number: int) -> tuple[int, int]:
        """Returns how many files and bytes the unit of this number adds to the job."""
        self._new = self._needed(number)
        return len(self._new), sum([self._all[at].sizes.get(n, 0) for at, n in self._new])

    def take(self) -> None:
        """Adds what goes along with the unit that was asked about last."""
        for at, n in self._new:
            self._mine[at][n] = None

    def end(self) -> tuple[tuple[int, ...], ...]:
        """Returns the file numbers of the job by input, and hands its places out for good."""
        self._given = self._next_given
        return tuple(tuple(sorted(mine) if each.ratio is not None else mine) for each, mine in zip(self._all, self._mine, strict=True))

    def n_given(self) -> tuple[int, ...]:
        """Returns how many places of each input were handed out when the last job ended."""
        return tuple(self._given)

    def _at_begin(self, at: int, each: Secondary, job_id: int | None) -> Sequence[int]:
        if each.whole:
            if not each.is_complete:
                raise Shortage(Reason.SECONDARY_GROWING)
            return _all_there(each)
        if each.per_job is None:
            return ()
        if job_id is not None and job_id in each.kept and not (each.is_complete and _lacks_one(each, each.kept[job_id])):
            return _there(each, each.kept[job_id])
        places = _next_places(each, self._given[at], each.per_job)
        self._next_given[at] = places[-1]
        return _existing(each, places)

    def _needed(self, number: int) -> list[tuple[int, int]]:
        return [
            (at, n)
            for at, each in enumerate(self._all) if each.ratio is not None
            for n in _existing(each, places_of_unit(each.ratio, number)) if n not in self._mine[at]
        ]  # fmt: skip


def _existing(each: Secondary, places: Sequence[int]) -> Sequence[int]:
    """The file numbers of places, all of which must be there: an open input that is reused goes round only when it is complete."""
    if places[-1] > each.n_files and not (each.reuse and each.n_files and each.is_complete):
        raise Shortage(Reason.EXHAUSTED if each.is_complete else Reason.SECONDARY_GROWING)
    return _there(each, numbers(places, each.n_files, reuse=each.reuse))


def _there(each: Secondary, wanted: Sequence[int]) -> Sequence[int]:
    """These numbers, of which none may be lost."""
    if _lacks_one(each, wanted):
        raise Shortage(Reason.EXHAUSTED if each.is_complete else Reason.SECONDARY_GROWING)
    return wanted


def _lacks_one(each: Secondary, wanted: Sequence[int]) -> bool:
    return bool(each.vacant) and not each.vacant.isdisjoint(wanted)


def _all_there(each: Secondary) -> Sequence[int]:
    """The numbers of a complete input without those that are lost."""
    if each.n_files and len(each.vacant) == each.n_files:
        raise Shortage(Reason.EXHAUSTED)
    return [n for n in range(1, each.n_files + 1) if n not in each.vacant] if each.vacant else range(1, each.n_files + 1)


def _next_places(each: Secondary, given: int, n: int) -> Sequence[int]:
    """The next n places; of a complete input those whose files are lost are passed over, as any file will do."""
    if not (each.vacant and each.is_complete):
        return range(given + 1, given + n + 1)
    if len(each.vacant) == each.n_files:
        raise Shortage(Reason.EXHAUSTED)
    return list(islice((place for place in count(given + 1) if (place - 1) % each.n_files + 1 not in each.vacant), n))
