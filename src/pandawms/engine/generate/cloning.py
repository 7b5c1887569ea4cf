"""Copies of jobs in other queues."""

from collections.abc import Callable, Sequence

from pandawms.domain.queue import PERMITS, QueueStatus
from pandawms.domain.snapshot import Requirement
from pandawms.engine.generate import placing
from pandawms.engine.generate import plan as planning
from pandawms.engine.generate.creating import create_alike
from pandawms.engine.requirements import Effective
from pandawms.engine.splitting.cut import Job
from pandawms.store import brokerage, clones, jobs, retry_rules, tasks
from pandawms.store.clones import NewGroup
from pandawms.store.database import Connection
from pandawms.store.jobs import NewJob
from pandawms.store.retry_rules import Slot
from pandawms.wire.document import CloningSpec

Needs = Callable[[Slot, Sequence[Job]], Sequence[Requirement]]
"""What jobs ask for in a slot."""


async def candidates(connection: Connection, task_id: int, elsewhere: Sequence[Slot]) -> list[Slot]:
    """Returns the other queues that the broker would give this task to, as of its last look, the best first; not those that are shut or avoided by now."""
    look = await brokerage.get(connection, task_id)
    avoided = {each.queue for each in (await retry_rules.avoided(connection, [task_id]))[task_id]}
    slots = {slot.name: slot for slot in elsewhere if slot.can_write and slot.name not in avoided and PERMITS[QueueStatus(slot.status)].brokered}
    return [slots[each["queue"]] for each in look.candidates if each["queue"] in slots] if look is not None else []


def spread(made: Sequence[Job], slots: Sequence[Slot], n: int, resources: Effective) -> list[list[Slot]]:
    """Returns for each job up to n of the queues, all different, in which it has room; neighbours begin with different ones, so that all get their part."""
    found = []
    for place, job in enumerate(made):
        turned = [slots[(place * n + i) % len(slots)] for i in range(len(slots))]
        found.append([slot for slot in turned if placing.has_place(slot, job, resources)][:n])
    return found


async def copy(connection: Connection, task: tasks.Task, cloning: CloningSpec, made: Sequence[Job], new: Sequence[NewJob], slots: Sequence[Slot],
               resources: Effective, needs: Needs) -> None:  # fmt: skip
    """Makes the other copies of jobs that the caller has just made with their inputs; those with no other queue stay as they are, without a group."""
    if not slots:
        return
    spots = [(row, job, slot) for row, job, chosen in zip(new, made, spread(made, slots, cloning.copies - 1, resources), strict=True) for slot in chosen]
    if not spots:
        return
    job_ids = await jobs.next_ids(connection, len(spots))
    members: dict[int, list[int]] = {}
    alike: dict[tuple[int, Requirement], list[tuple[NewJob, int]]] = {}
    for (row, job, slot), job_id in zip(spots, job_ids, strict=True):
        members.setdefault(row.job_id, [row.job_id]).append(job_id)
        (need,) = needs(slot, [job])
        alike.setdefault((slot.queue_id, need), []).append((row._replace(job_id=job_id), planning.n_inputs(job)))
    for (queue_id, need), rows in sorted(alike.items(), key=lambda item: item[0][0]):
        await create_alike(connection, task, queue_id, need, [row for row, _ in rows], {row.job_id: n for row, n in rows})
    attempts = {row.job_id: row.attempt for row in new}
    await clones.add(connection, task.task_id, cloning.mode, [NewGroup(ids, attempts[lead]) for lead, ids in members.items()])
