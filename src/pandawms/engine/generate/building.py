"""Makes build jobs, and says which job the jobs of a queue have to wait for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from pandawms.domain.errors import Conflict
from pandawms.domain.machine import Word
from pandawms.engine.generate.creating import MERGING, create, keep_open
from pandawms.engine.requirements import build_requirement
from pandawms.store import builds, jobs, splitting, tasks
from pandawms.store.builds import Build, Key
from pandawms.store.database import Connection
from pandawms.store.jobs import NewJob
from pandawms.wire.checks import decode_document
from pandawms.wire.document import TaskDocument

FIRST = 1_000
"""Build jobs have so much more priority than the jobs that wait for them (as long as a task's own priority may be, at most)."""


class State(Word):
    """What a queue has of what a task wants built."""

    READY = "ready", "the library is there"
    BUILDING = "building", "a job builds it"
    WANTED = "wanted", "nobody builds it"
    ENDING = "ending", "its job has ended without a library, and aggregate has not said yet what follows"
    FAILED = "failed", "it cannot be built here"


@dataclass(frozen=True, slots=True)
class Held:
    """A build that stays as it is until the transaction of its holder ends."""

    build: Build
    state: State


async def hold(connection: Connection, task: tasks.Task, document: TaskDocument, queue_id: int) -> Held:
    """Returns the build of a task for a queue, made when there is none. To be taken before units are. Raises Conflict when it changes at this moment."""
    key = (task.task_id, task.version, queue_id)
    status = await builds.status(connection, key)
    if status is None:
        await splitting.hold(connection, task.task_id)
        await builds.add(connection, key)
        await _adopt(connection, key, document)
        status = await builds.status(connection, key)
    is_gone = status == builds.READY and not (await builds.left(connection, key)).is_there
    shared = status in (builds.READY, builds.BUILDING) and not is_gone
    build = await builds.hold(connection, key, shared=shared)
    if build.status != status:
        raise Conflict(f"the build of task {task.task_id} for queue {queue_id} changes", code="build.changed")
    if is_gone:
        await builds.put(connection, build, builds.WANTED, failures=build.failures + 1, reason="no storage has its library any more")
        return Held(replace(build, status=builds.WANTED, failures=build.failures + 1), State.WANTED)
    return Held(build, await _state(connection, build))


async def _state(connection: Connection, build: Build) -> State:
    if build.status == builds.BUILDING and build.job_id is not None:
        if await builds.lock_job(connection, build.job_id):
            return State.BUILDING
        return State.READY if (await builds.left(connection, build.key)).is_finished else State.ENDING
    return State.ENDING if build.status == builds.AGAIN else State(build.status)


async def _adopt(connection: Connection, key: Key, document: TaskDocument) -> None:
    """A version of the document that builds the same takes the library that another version has in this queue."""
    for version, other in await builds.ready_versions(connection, key[0], key[2]):
        if version != key[1] and made_from(decode_document(other)) == made_from(document):
            await builds.adopt(connection, key, version)
            return


def made_from(document: TaskDocument) -> Mapping[str, Any]:
    """Returns what a library depends on."""
    program = document.program
    return {
        "build": msgspec.to_builtins(document.build), "sandbox": program.sandbox, "environment": msgspec.to_builtins(document.environment),
        "architecture": document.resources.architecture,
    }  # fmt: skip


async def awaited(connection: Connection, task: tasks.Task, document: TaskDocument, held: Held) -> int | None:
    """Returns the job that jobs of this queue have to wait for, made when there is none yet; None when the library is there."""
    if held.state is State.READY:
        return None
    return held.build.job_id if held.state is State.BUILDING else await _start(connection, task, document, held.build)


async def _start(connection: Connection, task: tasks.Task, document: TaskDocument, build: Build) -> int:
    """Makes the next build job. Its id is lower than those of the jobs that are made after it."""
    (job_id,) = await jobs.next_ids(connection, 1)
    new = NewJob(job_id, build.attempt + 1, build.job_id, build.serial)
    await create(connection, task, build.queue_id, build_requirement(document), [new], [], more_priority=FIRST)
    await builds.start(connection, build, job_id)
    return job_id


async def again(connection: Connection, key: Key) -> bool:
    """Makes the next attempt of a build for which jobs wait; False when another engine did. Raises Conflict when the task takes no jobs any more."""
    build = await builds.hold(connection, key, shared=False)
    if build.status != builds.AGAIN:
        return False
    task = await _task_of(connection, build)
    await _start(connection, task, decode_document(task.document), build)
    await keep_open(connection, task.task_id, MERGING)
    return True


async def _task_of(connection: Connection, build: Build) -> tasks.Task:
    """The task as it was in the version that is built: jobs of an older one may wait for it."""
    task = await tasks.get(connection, build.task_id)
    assert task is not None, "a build has a task"
    if task.version == build.version:
        return task
    document = (await tasks.templates(connection, [(build.task_id, build.version)]))[build.task_id, build.version]
    return replace(task, version=build.version, document=document)
