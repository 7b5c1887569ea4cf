"""Follows build jobs: who waited for one that finished goes on, one that failed is tried again or given up, a library that is lost is wanted again.

A task without a build costs nothing here. The caller holds the task (`tasks.hold`) in a transaction; that of `follow` is for it alone.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from pandawms.domain.codes import Code
from pandawms.domain.job import QUEUED, JobEvent, JobStatus
from pandawms.domain.outcome import Outcome, outcome
from pandawms.domain.stages import Stage
from pandawms.engine.aggregate.retries.picture import is_usable
from pandawms.engine.ordering import applied
from pandawms.store import builds, endings, jobs, leases, retry_rules, tasks
from pandawms.store.builds import Build
from pandawms.store.database import Connection
from pandawms.store.merges import EndedGroup
from pandawms.wire.document import TaskDocument

WHO = str(Stage.PLACE)
"""Jobs that wait for others are released and dropped by place, whoever notices it."""
AVOID_SECONDS = 30 * 86_400.0
"""How long a task leaves out a queue where its build has failed for good, unless a retry comes before."""
MOST_CHANGED = 1_000
"""Jobs that one transaction releases or ends (but for those of a lost library, which end at once); the others follow at the next touch, which it asks for."""


@dataclass(slots=True)
class _Changes:
    """What follows for jobs and queues: jobs that go on, jobs that end (how), those of them that end now or never, and queues that are left out (why)."""

    release: list[int] = field(default_factory=list)
    ends: dict[int, tuple[JobEvent, Outcome]] = field(default_factory=dict)
    ends_now: set[int] = field(default_factory=set)
    avoided: dict[int, tuple[float, str]] = field(default_factory=dict)


async def follow(connection: Connection, task: tasks.Task, document: TaskDocument) -> None:
    """Settles builds whose job has ended, and those whose library a job did not find. Locks builds, then jobs and what follows jobs."""
    changes = _Changes()
    ended = await builds.ended(connection, task.task_id)
    for build, status, found in ended:
        await _settle(connection, build, status, found, document, changes)
    for build in await builds.lost(connection, task.task_id):
        await _lost(connection, build, document, changes)
    for left in await builds.left_waiting(connection, task.task_id):
        if left.is_ready:
            changes.release.append(left.job_id)
        else:
            changes.ends[left.job_id] = JobEvent.DROP, outcome(Code.PREDECESSOR_FAILED, left.reason or "")
    await _apply(connection, task.task_id, changes)
    if ended or changes.release or changes.ends:
        await builds.drop_edges(connection, task.task_id)


async def _settle(connection: Connection, build: Build, status: str, found: Outcome, document: TaskDocument, changes: _Changes) -> None:
    """A build that was ended for nobody's sake (its task was killed, or its jobs went elsewhere) is no failure."""
    assert build.job_id is not None, "a build that has ended has a job"
    waiting = await builds.has_waiting(connection, build.job_id)
    if status == JobStatus.FINISHED:
        await builds.put(connection, build, builds.READY, failures=build.failures, file_id=(await builds.left(connection, build.key)).file_id)
    elif not waiting and status != JobStatus.FAILED:
        await builds.put(connection, build, builds.WANTED, failures=build.failures, reason=found.message)
    elif may_build_again(found, build.failures + 1, document):
        await builds.put(connection, build, builds.AGAIN if waiting else builds.WANTED, failures=build.failures + 1, reason=found.message)
    else:
        await _give_up(connection, build, f"its build failed there: {found.message}", changes)


def may_build_again(found: Outcome, failures: int, document: TaskDocument) -> bool:
    """Whether a build that has failed so often may be tried once more in the same queue."""
    return found.retryable and failures < document.retry.max_attempts


async def _give_up(connection: Connection, build: Build, reason: str, changes: _Changes) -> None:
    await builds.put(connection, build, builds.FAILED, failures=build.failures + 1, reason=reason)
    changes.avoided[build.queue_id] = AVOID_SECONDS, reason


async def _lost(connection: Connection, build: Build, document: TaskDocument, changes: _Changes) -> None:
    """What is queued for the lost library would fail as the job did that missed it: it is withdrawn, and its units come back with a new build."""
    gone = outcome(Code.PREDECESSOR_FAILED, "the file that its build made is lost")
    changes.ends_now |= set(await builds.queued(connection, build))  # the build's row, by which they are found, changes below
    changes.ends |= dict.fromkeys(changes.ends_now, (JobEvent.CLOSE, gone))
    if build.failures + 1 < document.retry.max_attempts:
        await builds.put(connection, build, builds.WANTED, failures=build.failures + 1, reason=gone.message)
    else:
        await _give_up(connection, build, f"the file that its build made there was lost {build.failures + 1} times", changes)


async def _apply(connection: Connection, task_id: int, changes: _Changes) -> None:
    """All jobs are locked at once, in order. Jobs that the end of the build did not release, since somebody held them at that moment, are released now;
    those that wait for a build that was given up are closed, and no others: their units are tried elsewhere."""
    chosen = sorted({*changes.ends_now, *sorted([*changes.release, *changes.ends])[:MOST_CHANGED]})
    held = await leases.lock(connection, chosen, QUEUED) if chosen else []
    released = [job.job_id for job in held if job.job_id in set(changes.release)]
    if released:
        await jobs.move(connection, released, JobEvent.RELEASE, WHO)
    await endings.end(connection, [endings.ending(job, *changes.ends[job.job_id]) for job in held if job.job_id in changes.ends], WHO)
    if changes.avoided:
        await retry_rules.avoid(connection, task_id, changes.avoided)
    if len(changes.release) + len(changes.ends) > len(chosen):
        await tasks.touch(connection, [task_id])


async def failed_everywhere(connection: Connection, task: tasks.Task, document: TaskDocument) -> str | None:
    """Returns why a task has no queue left to build in; None when there is one, whether it takes jobs now or not."""
    given_up = {queue: build.reason or "" for queue, build in await builds.of_task(connection, task.task_id) if _is_given_up(build, task.version)}
    if not given_up:
        return None
    wanted = applied(document, task.ordered)
    usable = [slot.name for slot in await retry_rules.slots(connection) if is_usable(slot, wanted, task.community)]
    return reason_of(given_up, usable)


def reason_of(given_up: dict[str, str], usable: Collection[str]) -> str | None:
    """Returns the sentence for the user when no usable queue is left."""
    if any(queue not in given_up for queue in usable):
        return None
    first = sorted(given_up)[0]
    return f"no queue is left that could build it; in {first}, {given_up[first]}"


def _is_given_up(build: Build, version: int) -> bool:
    return build.status == builds.FAILED and build.version == version


async def unmergeable(connection: Connection, task_id: int) -> list[EndedGroup]:
    """Returns groups that no merge job can be made for, since it needs a build that was given up: their merge has failed for good."""
    found = await builds.unmergeable(connection, task_id)
    return [EndedGroup(group_id, 1, 1, str(JobStatus.FAILED), outcome(Code.PREDECESSOR_FAILED, reason)) for group_id, reason in found]
