"""Makes the run jobs of one part of an allocation, whole or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pandawms.domain.errors import Conflict
from pandawms.domain.snapshot import Requirement
from pandawms.domain.task import TaskEvent, TaskStatus
from pandawms.engine.generate import building, cloning, company, placing
from pandawms.engine.generate import plan as planning
from pandawms.engine.generate.building import State
from pandawms.engine.generate.creating import WHO, create, keep_open
from pandawms.engine.ordering import applied
from pandawms.engine.requirements import Effective, effective
from pandawms.engine.services import Services
from pandawms.engine.splitting import of_task
from pandawms.engine.splitting.cut import Job, cut
from pandawms.engine.splitting.even import even
from pandawms.engine.splitting.limits import Reason, largest_job
from pandawms.store import counters, jobs, recovery, retry_rules, splitting, tasks, units
from pandawms.store.database import Connection
from pandawms.store.retry_rules import Slot
from pandawms.store.splitting import Refusal
from pandawms.store.units import TaskDataset, Unit
from pandawms.wire.checks import decode_document
from pandawms.wire.document import CloningSpec, TaskDocument
from pandawms.wire.document_view import is_by_whole_group, primary

OPEN = frozenset({TaskStatus.READY, TaskStatus.SCOUTING, TaskStatus.SCOUTED, TaskStatus.RUNNING})
"""Statuses in which a task may get run jobs."""

AVOID_SECONDS = 600.0
"""How long a task leaves out a queue that is too small for all that is ready."""
NO_BUILD_SECONDS = 30 * 86_400.0
"""How long it leaves out one where its build has failed: until a retry, which forgives it."""

WAITS = {
    Reason.GROWING: ("input.growing", "waits for more input files"),
    Reason.SECONDARY_GROWING: ("secondary.growing", "waits for more files of a secondary input"),
    Reason.SCOUTS: ("scouts.running", "waits until its scouts are judged"),
}


@dataclass(frozen=True, slots=True)
class Part:
    """Units of a task that may go to a queue, reserved for the caller."""

    task: tasks.Task
    queue_id: int
    n_units: int


@dataclass(frozen=True, slots=True)
class Place:
    """A task as it is now, and a queue for it: the primary input, the slot, the other queues, and how many first attempts may be made (None: any number).

    `n_first` is how many there were, where the document limits them.
    """

    task: tasks.Task
    document: TaskDocument
    source: TaskDataset
    slot: Slot
    elsewhere: Sequence[Slot]
    most_first: int | None
    is_scouting: bool
    n_first: int | None = None
    build: building.Held | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """What was found for a place: its units by number, what becomes of them, and what goes along."""

    units: dict[int, Unit]
    found: planning.Selection
    along: company.Along


async def make(connection: Connection, services: Services, part: Part) -> int:
    """Makes the jobs of a part and returns how many. Raises Conflict when the task was shut meanwhile: then nothing may be kept."""
    document = applied(decode_document(part.task.document), part.task.ordered)
    if _goes_alone(document) or of_task.may_scout(document, part.task.status, part.task.ordered):
        await splitting.hold(connection, part.task.task_id)
    place = await _place(connection, part, document)
    if place.document.build is not None:
        place = replace(place, build=await building.hold(connection, place.task, place.document, part.queue_id))
        if not await _has_build(connection, place):
            return 0
    if _goes_alone(document):
        await units.hold_ranges(connection, place.task.task_id)  # what is left over or refused may be in any of them, and counters come after all ranges
    window = None if _must_wait(place) else await _look(connection, place, part.n_units)
    if window is None or not (window.found.jobs or window.found.refused or _left_over(place, window)):
        return await _nothing(connection, services, place, window)
    await _settle(connection, place, window)
    return len(window.found.jobs)


def _goes_alone(document: TaskDocument) -> bool:
    """Whether one part of a task must not begin before the last one has ended: jobs are counted, or each is cut where a group or an equal part ends."""
    return (document.split.max_jobs is not None and not primary(document)[1].is_numbered) or of_task.needs_all(document)


async def _place(connection: Connection, part: Part, document: TaskDocument) -> Place:
    task = await tasks.get(connection, part.task.task_id)
    if task is None or task.status not in OPEN:
        raise Conflict(f"task {part.task.task_id} takes no jobs any more", code="task.shut")
    (source,) = [d for d in await units.task_datasets(connection, [task.task_id]) if d.is_master]
    slots = {slot.queue_id: slot for slot in await retry_rules.slots(connection)}
    wanted = effective(document.resources, task.learned, task.ordered)
    most_first, is_scouting, n_first = await _most_first(connection, task, document, source)
    elsewhere = placing.others(slots.values(), document, task.community, wanted, part.queue_id)
    return Place(task, document, source, slots[part.queue_id], elsewhere, most_first, is_scouting, n_first)


async def _most_first(connection: Connection, task: tasks.Task, document: TaskDocument, source: TaskDataset) -> tuple[int | None, bool, int | None]:
    """How many first attempts may be made now, whether as scouts, and how many there were where the document limits them; the caller holds the task where they
    are counted."""
    most_jobs = None if primary(document)[1].is_numbered else document.split.max_jobs  # numbers are cut when they are listed
    asks = of_task.may_scout(document, task.status, task.ordered)
    if most_jobs is None and not asks:
        return None, False, None
    course = await splitting.course(connection, task.task_id)
    n_jobs = of_task.outlook(document, task.learned, task.ordered, source).n_jobs
    scouts = of_task.scouts(document, task.status, course, n_jobs) if asks else None
    left = None if most_jobs is None else max(0, most_jobs - course.n_first)
    return min((n for n in (scouts, left) if n is not None), default=None), scouts is not None, None if most_jobs is None else course.n_first


def _must_wait(place: Place) -> bool:
    return not place.source.is_complete and of_task.needs_all(place.document)


async def _look(connection: Connection, place: Place, n_units: int) -> Window:
    """Cuts what is ready; the last job may go beyond the part's units, so that no job is cut short by a share."""
    task, document = place.task, place.document
    rules = of_task.rules_of(document, task.learned, task.ordered, place.source, placing.room_of(place.slot))
    taken = await units.take_ready(connection, task.task_id, planning.window(n_units, largest_job(rules), is_regular=rules.is_regular))
    ready = (await units.ready(connection, [task.task_id], len(taken) + 1))[task.task_id]
    pieces = planning.pieces(taken, await _traits(connection, document, taken))
    along = await company.read(connection, document, task.task_id, pieces)
    demanding = placing.too_demanding(pieces, place.slot)
    together, beyond = along.company(), {piece.number for each in demanding for piece in each.pieces}
    rest = planning.rest_after(len(taken), ready.n_ready, is_complete=ready.is_complete)
    usable = [piece for piece in pieces if piece.number not in beyond] if beyond else pieces
    cuts = (even(usable, rules, rest) if together is None else None) or cut(usable, rules, rest, together)
    found = planning.select(cuts, n_units, place.most_first)
    found.refused += demanding
    resources = effective(document.resources, task.learned, task.ordered)
    return Window({unit.number: unit for unit in taken}, placing.place(found, rules, resources, place.elsewhere, together), along)


async def _traits(connection: Connection, document: TaskDocument, taken: Sequence[Unit]) -> dict[int, splitting.Traits]:
    """Groups of all units where there are groups; what retry rules raised of those that were tried."""
    has_groups = document.split.boundary is not None
    return await splitting.traits(connection, [unit.task_file_id for unit in taken if unit.task_file_id is not None and (has_groups or unit.attempt)])


def _left_over(place: Place, window: Window) -> list[int]:
    """The units beyond `max_jobs`, which leave the input."""
    if place.is_scouting:
        return []
    return [unit.task_file_id for job in window.found.over for piece in job.pieces if (unit := window.units[piece.number]).task_file_id is not None]


async def _settle(connection: Connection, place: Place, window: Window) -> None:
    task_id = place.task.task_id
    rest = await _rest_of_groups(connection, place, window) if is_by_whole_group(place.document) else []
    if window.found.jobs:
        await _create(connection, place, window)
        if place.n_first is not None:
            await splitting.count_first(connection, task_id, place.n_first + sum(job.pieces[0].attempt == 0 for job in window.found.jobs))
        await tasks.move(connection, task_id, TaskEvent.START_SCOUTS if place.is_scouting else TaskEvent.START, WHO)
    for why, refused in planning.refusals(window.found.refused, window.units).items():
        await splitting.refuse(connection, task_id, why, refused)
    for why, refused in rest:
        await splitting.refuse(connection, task_id, why, refused)
    if left_over := _left_over(place, window):
        await recovery.remove_units(connection, left_over)
    if left_over or window.found.refused:
        await tasks.touch(connection, [task_id])
    await keep_open(connection, task_id, OPEN)


async def _rest_of_groups(connection: Connection, place: Place, window: Window) -> list[tuple[Refusal, list[tuple[Unit, float | None]]]]:
    """A group that is refused as one may go on behind the window, whose last unit is in it then: returns what is there, which fails for the same reason.

    It is locked before counters are, as all units.
    """
    last = max(window.units, default=0)
    found = []
    for each in window.found.refused:
        if each.pieces[-1].number != last:
            continue
        (why, judged), *_ = planning.refusals([each], window.units).items()
        while rest := await splitting.untried_of_group(connection, place.source.task_dataset_id, each.pieces[0].group, last, units.RANGE):
            await counters.lock_units(connection, [unit.task_file_id for unit in rest if unit.task_file_id is not None])
            found.append((why, [(unit, judged[0][1]) for unit in rest]))
            last = rest[-1].number
    return found


async def _create(connection: Connection, place: Place, window: Window) -> None:
    """Makes the jobs, those of one class of needs together, in the order of the cut."""
    made = window.found.jobs
    after = None if place.build is None else await building.awaited(connection, place.task, place.document, place.build)
    companions = window.along.companions(made)
    new, inputs = planning.run_jobs(made, await jobs.next_ids(connection, len(made)), window.units, companions, place.document.split.first_serial)
    needs = _needs(place, made)
    if len(set(map(id, needs))) == 1:  # as for most tasks
        await create(connection, place.task, place.slot.queue_id, needs[0], new, inputs, after=after)
    else:
        classes: dict[Requirement, set[int]] = {}
        for row, need in zip(new, needs, strict=True):
            classes.setdefault(need, set()).add(row.job_id)
        for requirement, ids in classes.items():
            rows, read = [row for row in new if row.job_id in ids], [row for row in inputs if row.job_id in ids]
            await create(connection, place.task, place.slot.queue_id, requirement, rows, read, after=after)
    if place.document.cloning is not None and not place.is_scouting:
        await _copy(connection, place, place.document.cloning, made, new)
    await company.note(connection, window.along, made)


async def _copy(connection: Connection, place: Place, wanted: CloningSpec, made: Sequence[Job], new: Sequence[jobs.NewJob]) -> None:
    slots = await cloning.candidates(connection, place.task.task_id, place.elsewhere)
    resources = effective(place.document.resources, place.task.learned, place.task.ordered)
    await cloning.copy(connection, place.task, wanted, made, new, slots, resources, lambda slot, part: _needs(replace(place, slot=slot), part))


def _needs(place: Place, made: Sequence[Job]) -> list[Requirement]:
    """What each job asks for; jobs of one size are looked at once."""
    known: dict[tuple[int | None, int | None], Effective] = {}
    of_size: dict[tuple[object, ...], Requirement] = {}
    found = []
    for job in made:
        raised = planning.raises(job)
        if raised not in known:
            known[raised] = effective(place.document.resources, place.task.learned, place.task.ordered, unit_memory_mb=raised[0], unit_wall_seconds=raised[1])
        size = (raised, job.n_events, job.n_bytes)
        if size not in of_size:
            of_size[size] = planning.need(known[raised], job, place.slot)
        found.append(of_size[size])
    return found


async def _has_build(connection: Connection, place: Place) -> bool:
    """Whether jobs can be made as far as the build goes. A queue where it failed is left out; where it has just ended, aggregate looks first."""
    held = place.build
    if held is None or held.state not in (State.FAILED, State.ENDING):
        return True
    if held.state is State.FAILED:
        await retry_rules.avoid(connection, place.task.task_id, {place.slot.queue_id: (NO_BUILD_SECONDS, held.build.reason or "its build failed there")})
    else:
        await tasks.touch(connection, [place.task.task_id])
    return False


async def _nothing(connection: Connection, services: Services, place: Place, window: Window | None) -> int:
    """Says why no job was made, so that the broker does not look at once again: the queue is too small, scouts are out, or more must come first."""
    found = window.found if window is not None else planning.Selection(waits_for=Reason.GROWING)
    task_id = place.task.task_id
    if found.aside:
        text = f"too small for what is ready of it: {found.aside[0].reason.meaning}"
        await retry_rules.avoid(connection, task_id, {place.slot.queue_id: (AVOID_SECONDS, text)})
        return 0
    reason = Reason.SCOUTS if place.is_scouting and found.over else found.waits_for
    if reason in WAITS:
        code, text = WAITS[reason]
        await tasks.explain(connection, task_id, {"code": code, "text": text}, services.options.look_again_seconds)
    return 0
