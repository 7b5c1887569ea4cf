"""The mechanism of all state machines: one table of transitions per entity, and what follows from it.

A flow lists, by owner stage, each event with the statuses where it may happen and the status after it; `TRANSITIONS` maps
(status, event) to the next status. Which statuses are final, where an event may happen and what a status allows
is derived from the table and is never written down a second time. Events have meanings and exactly one owner stage each, so
that the flow keeps one direction. In SQL a transition is a compare-and-set on `sources(event)`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Generic, TypeVar

from pandawms.domain.errors import Conflict, Invalid, did_you_mean
from pandawms.domain.stages import Stage

if TYPE_CHECKING:
    from typing import Self  # Python 3.11; the pilot runs on 3.9


class Word(str, Enum):
    """A word of the system (a status, an event, a verb) with its `meaning` in one line; its value and its text are the word."""

    meaning: str

    def __new__(cls, word: str, meaning: str = "") -> Self:
        """Make the member: its value is the word alone. Without a meaning this is only the look-up of a member by its word."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.meaning = meaning
        return member

    def __str__(self) -> str:
        return str(self.value)

    def __format__(self, spec: str) -> str:
        return str.__format__(str(self.value), spec)


S = TypeVar("S", bound=Word)
E = TypeVar("E", bound=Word)


@dataclass(frozen=True)
class Dwell:
    """How long a status may last, what ends it then, and where the reason for being in it is kept.

    `seconds` is the default limit (None: bounded by something else, which `note` names); `ends_by` is the event that follows when
    the limit has passed (None: `watch` only reports it as stuck); `kept_in` is the column that holds the reason.
    """

    seconds: int | None
    ends_by: Word | None
    kept_in: str
    note: str = ""


MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR


@dataclass(frozen=True)
class Machine(Generic[S, E]):
    """The life of one entity.

    `initial` gives the status each creating event begins with, `transitions` all later moves, `owners` the one stage of each event.
    `reopening` are the only events that may leave a final status. `dwell` says how long each status that is not final may last.
    """

    entity: str
    statuses: type[S]
    events: type[E]
    initial: Mapping[E, S]
    transitions: Mapping[tuple[S, E], S]
    owners: Mapping[E, Stage]
    dwell: Mapping[S, Dwell]
    reopening: frozenset[E] = frozenset()

    @property
    def final(self) -> frozenset[S]:
        """The statuses that nothing leaves, but for reopening events."""
        left = {status for status, event in self.transitions if event not in self.reopening}
        return frozenset(status for status in self.statuses if status not in left)

    def is_final(self, status: S) -> bool:
        """Whether `status` is settled."""
        return status in self.final

    def next_status(self, status: S, event: E) -> S:
        """The status after `event`; raises Conflict, naming what `status` accepts, when the table has no such move."""
        after = self.transitions.get((status, event))
        if after is None:
            raise self._conflict(status, event)
        return after

    def sources(self, event: E) -> frozenset[S]:
        """The statuses in which `event` may happen (none for an event that only creates)."""
        return frozenset(status for status, happening in self.transitions if happening == event)

    def accepted(self, status: S) -> tuple[E, ...]:
        """The events that may happen in `status`, in the order of the event enumeration."""
        return tuple(event for event in self.events if (status, event) in self.transitions)

    def status(self, word: str) -> S:
        """The status with this word; raises Invalid with a suggestion when there is none."""
        by_word = {str(status): status for status in self.statuses}
        if word in by_word:
            return by_word[word]
        near = did_you_mean(word, by_word)
        raise Invalid(
            f"A {self.entity} has no status {word!r}.",
            code="unknown_status",
            field="status",
            value=word,
            allowed=", ".join(by_word),
            hint=f"Did you mean {near}?" if near else None,
        )

    def _conflict(self, status: S, event: E) -> Conflict:
        accepted = ", ".join(str(other) for other in self.accepted(status)) or "nothing: it is final"
        wanted = ", ".join(sorted(str(source) for source in self.sources(event))) or "creation only"
        return Conflict(
            f"A {self.entity} in status {status} does not take {event}.",
            code=f"{self.entity.replace(' ', '_')}_status",
            field="status",
            value=str(status),
            allowed=accepted,
            hint=f"{event} is possible in: {wanted}.",
        )


NEW: tuple[()] = ()
"""The sources of a creating event: it happens to nothing yet."""

Flow = Mapping[Stage, Sequence[tuple[E, Collection[S], S]]]
"""The one table of an entity: by owner stage, rows of (event, the statuses where it may happen, the status after it)."""


def unfold(flow: Flow[E, S]) -> tuple[dict[E, S], dict[tuple[S, E], S], dict[E, Stage]]:
    """The initial statuses, the transitions and the owners of a flow; a move or an owner given twice is a mistake (ValueError)."""
    initial: dict[E, S] = {}
    transitions: dict[tuple[S, E], S] = {}
    owners: dict[E, Stage] = {}
    for stage, rows in flow.items():
        for event, sources, target in rows:
            if event in owners:
                raise ValueError(f"{event} has two rows, of {owners[event]} and of {stage}")
            owners[event] = stage
            transitions.update({(source, event): target for source in sources})
            if not sources:
                initial[event] = target
    return initial, transitions, owners
