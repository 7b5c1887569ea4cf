"""The page docs/reference/states.md: every machine, what a queue status allows, the commands for a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pandawms.domain.command import EVENTS, QUALIFIERS, WHO_MAY, Verb, accepted_in
from pandawms.domain.job import JOB, JobStatus
from pandawms.domain.machine import DAY, HOUR, MINUTE, Dwell, Machine, Word
from pandawms.domain.machines import MACHINES
from pandawms.domain.queue import PERMITS
from pandawms.domain.stages import Stage
from pandawms.domain.task import TASK, TaskStatus
from pandawms.engine.command.plan import Fate, fate
from pandawms.main.docs.markdown import generated, page, table

AnyMachine = Machine[Any, Any]

CROWD = 6
"""An event that is possible in more statuses than this is drawn from one box instead of from each."""

STATES_HEAD = f"""{generated('src/pandawms/domain')}

# States

Every entity has one table of transitions in `src/pandawms/domain/`; this page shows them. An event belongs to exactly one stage, and
only that stage causes it. In the database a transition is a compare-and-set on the statuses where the event is possible, and one row
of the event log in the same transaction. A final status is left only by an event marked *reopens*.
"""


def duration(seconds: int) -> str:
    """A time in the largest unit that divides it: 2 d, 12 h, 30 min."""
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def states_page() -> str:
    """The page docs/reference/states.md."""
    parts = [STATES_HEAD, "## Stages\n\n" + table(("Stage", "Takes", "Leaves"), [(stage.value, stage.takes, stage.leaves) for stage in Stage])]
    parts += [_entity(machine) for machine in MACHINES]
    parts += [_permits(), _commands()]
    return page(parts)


def _entity(machine: AnyMachine) -> str:
    return "\n\n".join(
        (
            f"## {machine.entity.capitalize()}",
            _diagram(machine),
            table(("Status", "Meaning", "Limit", "Reason kept in"), [_status_row(machine, status) for status in machine.statuses]),
            table(("From", "Event", "To", "Owner", "When"), [_event_row(machine, event) for event in machine.events]),
        )
    )


def _status_row(machine: AnyMachine, status: Word) -> tuple[str, ...]:
    if machine.is_final(status):
        return (f"`{status}`", status.meaning, "final", "")
    dwell = machine.dwell[status]
    return (f"`{status}`", status.meaning, _limit(dwell), f"`{dwell.kept_in}`")


def _limit(dwell: Dwell) -> str:
    if dwell.seconds is None:
        return dwell.note
    then = f"{duration(dwell.seconds)}, then `{dwell.ends_by}`" if dwell.ends_by else duration(dwell.seconds)
    return f"{then}; {dwell.note}" if dwell.note else then


def _event_row(machine: AnyMachine, event: Word) -> tuple[str, ...]:
    sources = [status for status in machine.statuses if (status, event) in machine.transitions]
    target = machine.initial[event] if event in machine.initial else machine.transitions[sources[0], event]
    start = ", ".join(f"`{status}`" for status in sources) or "(new)"
    when = event.meaning + (" *(reopens)*" if event in machine.reopening else "")
    return (start, f"`{event}`", f"`{target}`", machine.owners[event].value, when)


def _diagram(machine: AnyMachine) -> str:
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f"    [*] --> {status}: {event}" for event, status in machine.initial.items()]
    crowded = [event for event in machine.events if len(machine.sources(event)) > CROWD]
    lines += [f'    state "any of {len(machine.sources(event))}" as any_{event}' for event in crowded]
    lines += [f"    any_{event} --> {machine.transitions[next(iter(machine.sources(event))), event]}: {event}" for event in crowded]
    lines += [f"    {source} --> {target}: {', '.join(events)}" for (source, target), events in _edges(machine, crowded).items()]
    lines += [f"    {status} --> [*]" for status in machine.statuses if machine.is_final(status)]
    return "\n".join([*lines, "```"])


def _edges(machine: AnyMachine, left_out: Sequence[Word]) -> dict[tuple[str, str], list[str]]:
    edges: dict[tuple[str, str], list[str]] = {}
    for status in machine.statuses:
        for event in machine.accepted(status):
            if event not in left_out:
                edges.setdefault((status.value, machine.transitions[status, event].value), []).append(event.value)
    return edges


def _permits() -> str:
    rows = [
        (f"`{status}`", _yes(permits.pilots), "tests only" if permits.tests_only else _yes(permits.brokered), _yes(permits.dispatched), _yes(permits.timeouts))
        for status, permits in PERMITS.items()
    ]
    return "### What a queue status allows\n\n" + table(("Status", "Pilots submitted", "New jobs", "Jobs handed out", "Timeouts run"), rows)


def _commands() -> str:
    rows = [
        (
            f"`{verb}`",
            verb.meaning,
            ", ".join(f"`{status}`" for status in TaskStatus if status in accepted_in(verb)),
            WHO_MAY[verb].value,
            ", ".join(f"`{event}`" for event in EVENTS[verb]) or "none",
            ", ".join(f"`{word}`" for word in sorted(QUALIFIERS.get(verb, ()))) or "none",
        )
        for verb in Verb
    ]
    return "\n\n".join((
        "## Commands for a task", table(("Command", "Effect", "Accepted in", "Who", "Event", "Qualifiers"), rows), "### Every status, every command",
        "The status after the command; «same» when it changes something else, nothing where it is refused.", _matrix(), "### What a command does to jobs",
        "A job of the task in each status; merge jobs are in their own rows where they are treated otherwise.", _fates(),
    ))  # fmt: skip


def _matrix() -> str:
    rows = [(f"`{status}`", *(_after(verb, status) for verb in Verb)) for status in TaskStatus]
    return table(("Status", *(str(verb) for verb in Verb)), rows)


def _after(verb: Verb, status: TaskStatus) -> str:
    if status not in accepted_in(verb):
        return ""
    targets = {str(TASK.transitions[status, event]) for event in EVENTS[verb] if (status, event) in TASK.transitions}
    return " or ".join(f"`{target}`" for target in sorted(targets)) or "same"


WAYS = (
    (Verb.KILL, ()), (Verb.FINISH, ()), (Verb.FINISH, ("soft",)), (Verb.REASSIGN, ()), (Verb.REASSIGN, ("soft",)), (Verb.REASSIGN, ("nokill",)),
    (Verb.PAUSE, ()), (Verb.RESUME, ()), (Verb.SET, ()),
)  # fmt: skip


def _fates() -> str:
    """Run jobs in each status; a merge job in the same status, where it meets another fate, is a row of its own."""
    rows = []
    for status in (status for status in JobStatus if not JOB.is_final(status)):
        mine, merging = (_fates_of(status, kind) for kind in ("run", "merge"))
        rows.append((f"`{status}`", *mine))
        rows += [(f"`{status}` (merge job)", *merging)] if merging != mine else []
    return table(("Job", *(" ".join((verb, *words)) for verb, words in WAYS)), rows)


def _fates_of(status: JobStatus, kind: str) -> tuple[str, ...]:
    found = (fate(verb, words, status, kind) for verb, words in WAYS)
    return tuple("" if each is Fate.LEAVE else str(each) for each in found)


def _yes(value: bool) -> str:
    return "yes" if value else "no"
