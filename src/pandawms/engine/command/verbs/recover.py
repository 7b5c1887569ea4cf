"""Recover: lost output files are made again.

The jobs that wrote them are void, with those that a merge ties to them: all they wrote leaves the output datasets, and the units that they had finished are
ready again. Forks that shared any of it process it themselves. Tasks that have units of these files are asked in their turn (`reread`): such units leave
them, what was made of them is void, too, and the new files become new units when they come. Where such a file went along with units of another file, jobs
wait for the one that comes in its place.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from pandawms.domain.codes import Code
from pandawms.domain.command import Verb, accepted_in
from pandawms.domain.job import LEASED, QUEUED, JobEvent, JobStatus
from pandawms.domain.outcome import outcome
from pandawms.domain.task import TASK, TaskEvent, TaskStatus
from pandawms.engine.command import cascade
from pandawms.engine.command.plan import Decision
from pandawms.engine.command.round import WHO, Done, More, Round
from pandawms.store import catalogue, commands, endings, events, forks, leases, recovery, splitting, tasks, transient, units
from pandawms.store.endings import ending
from pandawms.store.leases import Held
from pandawms.store.recovery import Orphan

WAIT_SECONDS = 5.0
MOST_LOOKS = 120
"""So often readers are looked at, for ten minutes; then those on their way are asked as they are, and those with another command are left out and named, lest
the recovery stay pending for ever."""
STANDING = frozenset({TaskStatus.PAUSED, TaskStatus.THROTTLED})
"""Where a task stands still, its merges too."""
PASSING = frozenset({
    TaskStatus.WAITING, TaskStatus.STAGING, TaskStatus.REGISTERED, TaskStatus.DEFINED, TaskStatus.ASSIGNING, TaskStatus.TOPREPROCESS,
    TaskStatus.PREPROCESSING, TaskStatus.PREPARED, TaskStatus.FINISHING, TaskStatus.PASSED, TaskStatus.TORETRY, TaskStatus.TOINCEXEC, TaskStatus.REREFINE,
    TaskStatus.TOREASSIGN, TaskStatus.REASSIGNING,
}) - accepted_in(Verb.RECOVER)  # fmt: skip
"""Where a task does not take a recovery, and goes on by itself to where it does."""
CLOSED = TASK.final - TASK.sources(TaskEvent.RECOVER)
"""Where a task has ended and stays so, whatever it loses."""
GRAVE_LIFE = (("create_output", None, "mutable"), ("freeze", "mutable", "closed"), ("delete", "closed", "deleted"))
"""The log of a dataset for the records of lost files, which is born removed."""


@dataclass(frozen=True, slots=True)
class Lost:
    """What is void: jobs with all their files, files that are gone, and units that leave the task; `kept` says what stays of what was made of lost files."""

    jobs: Sequence[int]
    files: Sequence[int]
    gone: Sequence[int] = ()
    orphans: Sequence[Orphan] = ()
    kept: str = ""


async def recover(given: Round, decision: Decision) -> Done | More:
    """First what is lost here, in one round; then the tasks that read it are asked, each as soon as no other command of it is pending."""
    if given.progress:
        return await _ask_readers(given)
    found = await (_unreadable(given) if given.arguments.get("reread") else _named(given))
    return found if isinstance(found, Done | More) else await _begin(given, found)


async def _named(given: Round) -> Lost | Done:
    connection, names = given.connection, list(given.arguments.get("files", ()))
    gone = await transient.removed(connection, given.task.task_id, {"input", "output"})
    if gone is not None:
        return Done(f"refused: {gone} was transient and is removed; submit the tasks again under other names")
    files = await recovery.outputs(connection, given.task.task_id, names)
    before = await recovery.lost_before(connection, given.task.task_id, set(names) - {file.name for file in files})
    missing = sorted(set(names) - {file.name for file in files} - before.keys())
    if missing:
        return Done(f"refused: there is no file {missing[0]} in its outputs")
    ids = [file.file_id for file in files]
    shared = await recovery.shared_here(connection, ids)
    if shared:
        return Done(f"refused: task {next(iter(shared.values()))} wrote some of them; recover them there")
    jobs = await recovery.together(connection, await recovery.writers(connection, ids))
    known = await recovery.files_of(connection, jobs)
    if await recovery.is_unended(connection, sorted({*ids, *known})):
        return Done("refused: a job that wrote some of them has not ended, or its outputs wait to be merged; recover them when that is through")
    if set(ids) - set(known) or await _are_archived(given, jobs):
        return Done("refused: the details of the jobs that wrote some of them are archived; submit a new task for these inputs")
    return Lost(jobs, [*known, *before.values()], ids)


async def _are_archived(given: Round, jobs: Sequence[int]) -> bool:
    """Whether not all is known that stands and falls with these jobs. Of a merge the jobs before it may be archived: then none is taken for known."""
    is_archived, has_merge = await recovery.details(given.connection, jobs)
    return is_archived or (has_merge and await forks.has_archived(given.connection, given.task.task_id))


async def _unreadable(given: Round) -> Lost | Done | More:
    """Jobs that read lost files are ended first; those whose output waits to be merged are waited for, unless merges stand still.

    What was made of lost files stays where nobody knows any more, or can make again, what all of that is: a task that has ended is then left alone.
    """
    connection = given.connection
    if await _withdraw(given):
        return More({})
    orphans = await recovery.without_input(connection, given.task.task_id)
    if given.task.status in STANDING and any(unit.status == "merging" for unit in orphans):
        return Done("refused: its outputs wait to be merged; resume it, then recover the files again")
    running = sorted({unit.job_id for unit in orphans if unit.status == "running" and unit.job_id is not None})
    if running:
        await _end_readers(given, running, orphans)
        return More({})
    if any(unit.status == "merging" for unit in orphans):
        return More({}, WAIT_SECONDS)
    done = sorted({unit.job_id for unit in orphans if unit.status == "finished" and unit.job_id is not None})
    jobs = await recovery.together(connection, done)
    if done and (why := await _stays(given, jobs)):
        if TASK.is_final(TaskStatus(given.task.status)):
            return Done(f"refused: {why}; submit a new task for these inputs")
        rest = [unit for unit in orphans if unit.status != "finished"]
        n = len(orphans) - len(rest)
        return Lost((), (), (), rest, f"; what it made of {n:,} lost file{'s' * (n != 1)} stays beside what comes in their place, as {why}")
    return Lost(jobs, await recovery.files_of(connection, jobs), (), orphans)


async def _stays(given: Round, jobs: Sequence[int]) -> str | None:
    """Returns why what these jobs made cannot be made again, or None."""
    if await _are_archived(given, jobs):
        return "the details of the jobs that read the lost files are archived"
    gone = await transient.removed(given.connection, given.task.task_id, {"output"})
    return None if gone is None else f"{gone} was transient and is removed"


async def _withdraw(given: Round) -> bool:
    """Lets lost files beside units give up their numbers, so that no more jobs get them, and ends jobs that wait for one, as if they had not been.

    True when there was anything to do. Jobs that a pilot has go on: they have read the file, or fail.
    """
    connection, task_id = given.connection, given.task.task_id
    waiting = await recovery.waiting_beside(connection, task_id, QUEUED)
    if waiting:
        await _give_back(given, await _hold(given, waiting, QUEUED))
    vacant = await splitting.vacate(connection, task_id)
    if vacant:
        await commands.relist(connection, vacant)
    return bool(vacant or waiting)


async def _end_readers(given: Round, running: Sequence[int], orphans: Sequence[Orphan]) -> None:
    """Ends jobs that read lost files, as if they had not been. The units of these files leave the task at once, lest another job get them; the others are ready
    again."""
    held = await _hold(given, running, QUEUED | LEASED)
    ended = {job.job_id for job in held}
    await units.hold_ranges(given.connection, given.task.task_id)
    await _give_back(given, held)
    await _remove(given, [unit.task_file_id for unit in orphans if unit.job_id in ended])


async def _hold(given: Round, job_ids: Sequence[int], statuses: frozenset[JobStatus]) -> list[Held]:
    """Locks those of these jobs that are in one of these statuses, as many as a round takes."""
    return await leases.lock(given.connection, job_ids[: given.services.options.jobs_per_round], statuses)


async def _give_back(given: Round, held: Sequence[Held]) -> None:
    """Ends jobs; their units are ready again as if the jobs had not been."""
    end = outcome(Code.KILLED, f"its input was lost: {given.reason}")
    await endings.end(given.connection, [ending(job, JobEvent.CANCEL, end) for job in held], given.command.asker)
    await commands.give_back(given.connection, [job.job_id for job in held], given.tries)


async def _remove(given: Round, unit_ids: Sequence[int]) -> int:
    """Takes units of lost files out of the task, jobs of which nothing else is left out of those that it may have, and lets its input be listed again."""
    connection, task_id = given.connection, given.task.task_id
    removed = await recovery.remove_units(connection, unit_ids)
    if unit_ids:
        await commands.relist(connection, [tied.task_dataset_id for tied in await units.task_datasets(connection, [task_id]) if tied.is_master])
        await splitting.forget_first(connection, task_id, unit_ids)
    return removed


async def _begin(given: Round, lost: Lost) -> Done | More:
    """Forks, listings by readers and ranges are held first; then datasets, units and tasks, as reports lock them."""
    connection, task = given.connection, given.task
    closed = await _hold_forks(given, lost.jobs)
    copies = await _copies(given, lost.files)
    await recovery.hold_listings(connection, {task.task_id, *copies.values()})
    await units.hold_ranges(connection, task.task_id)
    made = await recovery.bury(connection, sorted({*lost.files, *copies}))
    for event, before, after in GRAVE_LIFE:
        for dataset_id in made:
            await events.log(connection, "dataset", dataset_id, event, before, after, WHO)
    await recovery.forget_replicas(connection, sorted({*lost.gone, *await _copies(given, lost.gone)}))
    opened = await recovery.reopen(connection, lost.jobs, given.services.options.retry_more_attempts)
    copied = await recovery.unshare(connection, opened, closed)
    removed = await _remove(given, [unit.task_file_id for unit in lost.orphans])
    for task_id in sorted({*copied, *([task.task_id] if opened or removed else [])}):
        await _open(given, task_id)
    concerned = [*lost.files, *copies], {task.task_id, *copies.values()}
    for task_id in await _readers(given, *concerned):
        await tasks.hold(connection, task_id)  # a fork of it that is being made is there then; one that begins later knows what is lost
    readers = await _readers(given, *concerned)
    n_open = len(set(opened).difference(unit.task_file_id for unit in lost.orphans))
    counts = {"n_files": len(lost.files), "n_units": n_open, "n_forks": len(copied)}
    return More({"is_begun": True, "readers": readers, "asked": [], "n_looks": 0, "counts": counts, "kept": lost.kept})


async def _hold_forks(given: Round, job_ids: Sequence[int]) -> set[int]:
    """Forks, and forks of these, that stand on units of these jobs are not judged, and not forked, meanwhile. Returns those that have ended for good."""
    held: set[int] = set()
    wanted = await recovery.finished_by(given.connection, job_ids)
    while wanted:
        copies = await recovery.copies(given.connection, wanted)
        for task_id in sorted(copies):
            await tasks.hold(given.connection, task_id)
        held |= copies.keys()
        wanted = [unit_id for ids in copies.values() for unit_id in ids]
    statuses = {task_id: await tasks.get(given.connection, task_id) for task_id in sorted(held)}
    return {task_id for task_id, task in statuses.items() if task is not None and TaskStatus(task.status) in CLOSED}


async def _copies(given: Round, file_ids: Collection[int]) -> dict[int, int]:
    """Returns the copies of files in forks, and in forks of these."""
    found: dict[int, int] = {}
    wanted: Collection[int] = file_ids
    while wanted:
        wanted = await recovery.sharing(given.connection, sorted(wanted))
        found |= wanted
    return found


async def _open(given: Round, task_id: int) -> None:
    """A task that had ended goes on in a new round; one that has not only looks again."""
    connection = given.connection
    if await tasks.move(connection, task_id, TaskEvent.RECOVER, given.command.asker, given.why) is not None:
        reopened = await catalogue.reopen_outputs(connection, task_id)
        if reopened:
            await events.log_datasets(connection, reopened, "thaw", "closed", "mutable", WHO)
        await tasks.next_round(connection, task_id)
    await tasks.touch(connection, [task_id])


async def _readers(given: Round, file_ids: Sequence[int], writers: Collection[int]) -> list[int]:
    """Returns the tasks that have units of these files; with `sole` only those that have not ended."""
    found: set[int] = set()
    for task_id in sorted(writers):
        found |= set(await recovery.readers(given.connection, file_ids, task_id)) if file_ids else set()
    if "sole" not in given.qualifiers:
        return sorted(found)
    statuses = {task_id: await tasks.get(given.connection, task_id) for task_id in sorted(found)}
    return [task_id for task_id, task in statuses.items() if task is not None and not TASK.is_final(TaskStatus(task.status))]


async def _ask_readers(given: Round) -> Done | More:
    """Asks whoever reads the files, of any owner: their input is gone, whatever anybody decides. Those that are on their way are looked at again later."""
    left, asked = list(given.progress["readers"]), list(given.progress.get("asked", ()))
    n_looks = int(given.progress.get("n_looks", 0)) + 1
    ready = [task_id for task_id in left if n_looks > MOST_LOOKS or await _takes_it(given, task_id)]
    if ready:
        arguments: dict[str, Any] = {"reread": True, "reason": f"files of task {given.task.task_id} were lost: {given.reason}"[:1000]}
        asked += sorted(await commands.ask_many(given.connection, str(Verb.RECOVER), ready, given.command.asked_by, arguments))
    asked += await commands.rereading(given.connection, [task_id for task_id in left if task_id not in asked])
    left = [task_id for task_id in left if task_id not in asked]
    if left and n_looks <= MOST_LOOKS:
        return More(dict(given.progress) | {"readers": left, "asked": asked, "n_looks": n_looks}, WAIT_SECONDS)
    counts = given.counts | {"n_asked": len(asked)}
    words = f"recovering: {_are(counts['n_files'], 'file')} void, {_are(counts['n_units'], 'input')} open again{given.progress.get('kept', '')}"
    words += f"; {cascade.named(sorted(asked))} that read{'s' * (len(asked) == 1)} them asked, too" if asked else ""
    words += f"; not asked, as another command is pending: {cascade.named(sorted(left))}: recover the files again when that is through" if left else ""
    return Done(words, counts | {"n_left_out": len(left)})


def _are(n: int, what: str) -> str:
    return f"{n:,} {what} is" if n == 1 else f"{n:,} {what}s are"


async def _takes_it(given: Round, task_id: int) -> bool:
    """Whether a reader is where it takes the command, or where waiting would not help. A reader that is being listed or brokered soon takes it."""
    reader = await tasks.get(given.connection, task_id)
    return reader is None or TaskStatus(reader.status) not in PASSING
