"""Recover: lost output files are made again.

The jobs that wrote them are void, with those that a merge ties to them: all they wrote leaves the output datasets, and the units that they had finished are
ready again. Forks that shared any of it process it themselves. Tasks that have units of these files are asked in their turn (`reread`): such units leave
them, what was made of them is void, too, and the new files become new units when they come.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from pandawms.domain.codes import Code
from pandawms.domain.command import Verb
from pandawms.domain.job import LEASED, QUEUED, JobEvent
from pandawms.domain.outcome import outcome
from pandawms.domain.task import TASK, TaskEvent, TaskStatus
from pandawms.engine.command.plan import Decision
from pandawms.engine.command.round import WHO, Done, More, Round
from pandawms.store import catalogue, commands, endings, events, leases, recovery, tasks, transient
from pandawms.store.endings import ending
from pandawms.store.recovery import Orphan

WAIT_SECONDS = 5.0
GRAVE_LIFE = (("create_output", None, "mutable"), ("freeze", "mutable", "closed"), ("delete", "closed", "deleted"))
"""The log of a dataset for the records of lost files, which is born removed."""


@dataclass(frozen=True, slots=True)
class Lost:
    """What is void: jobs with all their files, files that are gone, and units that leave the task."""

    jobs: Sequence[int]
    files: Sequence[int]
    gone: Sequence[int] = ()
    orphans: Sequence[Orphan] = ()


async def recover(given: Round, decision: Decision) -> Done | More:
    """First what is lost here, in one round; then the tasks that read it are asked, each as soon as no other command of it is pending."""
    if given.progress:
        return await _ask_readers(given)
    gone = await transient.removed(given.connection, given.task.task_id, {"input", "output"})
    if gone is not None:
        return Done(f"refused: {gone} was transient and is removed; submit the tasks again under other names")
    found = await (_unreadable(given) if given.arguments.get("reread") else _named(given))
    return found if isinstance(found, Done | More) else await _begin(given, found)


async def _named(given: Round) -> Lost | Done:
    connection, names = given.connection, list(given.arguments.get("files", ()))
    files = await recovery.outputs(connection, given.task.task_id, names)
    missing = sorted(set(names) - {file.name for file in files})
    if missing:
        return Done(f"refused: there is no file {missing[0]} in its outputs")
    ids = [file.file_id for file in files]
    shared = await recovery.shared_here(connection, ids)
    if shared:
        return Done(f"refused: task {next(iter(shared.values()))} wrote some of them; recover them there")
    jobs = await recovery.together(connection, await recovery.writers(connection, ids))
    return Lost(jobs, sorted({*ids, *await recovery.files_of(connection, jobs)}), ids)


async def _unreadable(given: Round) -> Lost | More:
    """Jobs that read lost files are ended first; those whose output waits to be merged are waited for."""
    connection = given.connection
    orphans = await recovery.without_input(connection, given.task.task_id)
    running = sorted({unit.job_id for unit in orphans if unit.status == "running" and unit.job_id is not None})
    if running:
        held = await leases.lock(connection, running[: given.services.options.jobs_per_round], QUEUED | LEASED)
        end = outcome(Code.KILLED, f"its input was lost: {given.reason}")
        await endings.end(connection, [ending(job, JobEvent.CANCEL, end) for job in held], given.command.asker)
        return More({})
    if any(unit.status == "merging" for unit in orphans):
        return More({}, WAIT_SECONDS)
    done = sorted({unit.job_id for unit in orphans if unit.status == "finished" and unit.job_id is not None})
    jobs = await recovery.together(connection, done)
    return Lost(jobs, await recovery.files_of(connection, jobs), (), orphans)


async def _begin(given: Round, lost: Lost) -> Done | More:
    """Datasets first, then units, then tasks: as reports lock them."""
    connection, task = given.connection, given.task
    copies = await _copies(given, lost.files)
    made = await recovery.bury(connection, sorted({*lost.files, *copies}))
    for event, before, after in GRAVE_LIFE:
        for dataset_id in made:
            await events.log(connection, "dataset", dataset_id, event, before, after, WHO)
    await recovery.forget_replicas(connection, sorted({*lost.gone, *await _copies(given, lost.gone)}))
    units = await recovery.reopen(connection, lost.jobs, given.services.options.retry_more_attempts)
    forks = await recovery.unshare(connection, units)
    removed = await recovery.remove_units(connection, [unit.task_file_id for unit in lost.orphans])
    for task_id in sorted({task.task_id, *forks}):
        await _open(given, task_id)
    if lost.orphans:
        await commands.relist(connection, task.task_id)
    readers = await _readers(given, [*lost.files, *copies], {task.task_id, *copies.values()})
    counts = {"n_files": len(lost.files), "n_units": len(units) - removed if lost.orphans else len(units), "n_removed": removed, "n_forks": len(forks)}
    return More({"is_begun": True, "readers": readers, "n_asked": 0, "counts": counts})


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
    left, n_asked = list(given.progress["readers"]), int(given.progress["n_asked"])
    if left:
        arguments: dict[str, Any] = {"reread": True, "reason": f"files of task {given.task.task_id} were lost: {given.reason}"[:1000]}
        asked = await commands.ask_many(given.connection, str(Verb.RECOVER), left, given.command.asked_by, arguments)
        left = [task_id for task_id in left if task_id not in asked]
        n_asked += len(asked)
    if left:
        return More(dict(given.progress) | {"readers": left, "n_asked": n_asked}, WAIT_SECONDS)
    counts = given.counts | {"n_asked": n_asked}
    words = f"recovering: {counts['n_files']:,} file{'s are' if counts['n_files'] != 1 else ' is'} void, {counts['n_units']:,} inputs are open again"
    return Done(words + (f"; {n_asked} task{'s' * (n_asked != 1)} that read them asked, too" if n_asked else ""), counts)
