"""Commands for tasks: one at a time, many at once, and what became of them."""

from typing import Annotated, Any

import msgspec
from litestar import Response, delete, get, post
from litestar.params import FromPath, QueryParameter, RequestBody

from pandawms.api import finding, policies
from pandawms.api.call import Call
from pandawms.api.once import once
from pandawms.api.paging import PageSize, whole
from pandawms.api.policies import Action
from pandawms.domain.command import Verb, check_accepted
from pandawms.domain.errors import Conflict, NotFound, PandaError, Unavailable
from pandawms.domain.identity import Who
from pandawms.domain.stages import Stage
from pandawms.domain.task import TaskStatus
from pandawms.engine import forking, selecting
from pandawms.engine.command import asking, changes
from pandawms.store import commands, ids, tasks, wake
from pandawms.store.commands import Known, Selected
from pandawms.store.database import Connection
from pandawms.wire.command import (
    BODIES,
    BulkAnswer,
    BulkCommand,
    CommandState,
    ExtendCommand,
    FinishCommand,
    ForkRequest,
    ObsoleteCommand,
    ReassignCommand,
    RecoverCommand,
    RetryCommand,
    SelectedTask,
    SetCommand,
    TaskCommand,
    said,
)
from pandawms.wire.decode import decode
from pandawms.wire.page import DEFAULT_PAGE_SIZE, Page
from pandawms.wire.task import CommandAnswer, SubmitAnswer

COMMAND = {"policy": Action.COMMAND, "is_repeatable": True}
CommandId = Annotated[int, QueryParameter(ge=1, le=ids.BIGINT, description="Which one, as /tasks/{task}/commands names it.")]
LIST_THEM = "GET /tasks/{task}/commands has the commands of a task, the pending one first"
CASCADING = frozenset({Verb.RETRY, Verb.OBSOLETE})
"""The commands that go on to tasks that read the outputs, as far as whoever asked may command them."""


@post("/tasks/{task:str}/kill", opt=COMMAND, status_code=202)
async def kill(request: Call, task: FromPath[str], data: RequestBody[TaskCommand | None] = None) -> CommandAnswer:
    """Ends a task and all its jobs. Taken now, applied within moments, as all commands are."""
    return await _command(request, task, Verb.KILL, data)


@post("/tasks/{task:str}/finish", opt=COMMAND, status_code=202)
async def finish(request: Call, task: FromPath[str], data: RequestBody[FinishCommand | None] = None) -> CommandAnswer:
    """Ends a task with what is there: what is processed is kept, the verdict follows from it."""
    return await _command(request, task, Verb.FINISH, data)


@post("/tasks/{task:str}/retry", opt=COMMAND, status_code=202)
async def retry(request: Call, task: FromPath[str], data: RequestBody[RetryCommand | None] = None) -> CommandAnswer:
    """Processes again what failed, is missing or was lost in a task that has ended."""
    return await _command(request, task, Verb.RETRY, data)


@post("/tasks/{task:str}/extend", opt=COMMAND, status_code=202)
async def extend(request: Call, task: FromPath[str], data: RequestBody[ExtendCommand]) -> CommandAnswer:
    """Goes on with more inputs or other parameters in a task that has ended; what was processed stays."""
    return await _command(request, task, Verb.EXTEND, data)


@post("/tasks/{task:str}/reassign", opt=COMMAND, status_code=202)
async def reassign(request: Call, task: FromPath[str], data: RequestBody[ReassignCommand | None] = None) -> CommandAnswer:
    """Sends a task to other queues."""
    return await _command(request, task, Verb.REASSIGN, data)


@post("/tasks/{task:str}/pause", opt=COMMAND, status_code=202)
async def pause(request: Call, task: FromPath[str], data: RequestBody[TaskCommand | None] = None) -> CommandAnswer:
    """Makes and hands out no jobs until a resume; what runs goes on."""
    return await _command(request, task, Verb.PAUSE, data)


@post("/tasks/{task:str}/resume", opt=COMMAND, status_code=202)
async def resume(request: Call, task: FromPath[str], data: RequestBody[TaskCommand | None] = None) -> CommandAnswer:
    """Goes on after a pause."""
    return await _command(request, task, Verb.RESUME, data)


@post("/tasks/{task:str}/avalanche", opt=COMMAND, status_code=202)
async def avalanche(request: Call, task: FromPath[str], data: RequestBody[TaskCommand | None] = None) -> CommandAnswer:
    """Ends the scouting and makes all jobs. For the production role and operators."""
    return await _command(request, task, Verb.AVALANCHE, data)


@post("/tasks/{task:str}/set", opt=COMMAND, status_code=202)
async def set_(request: Call, task: FromPath[str], data: RequestBody[SetCommand]) -> CommandAnswer:
    """Changes priority, share, queues, memory, wall time or attempts of a task that has not ended."""
    return await _command(request, task, Verb.SET, data)


@post("/tasks/{task:str}/recover", opt=COMMAND, status_code=202)
async def recover(request: Call, task: FromPath[str], data: RequestBody[RecoverCommand]) -> CommandAnswer:
    """Makes output files again that were lost."""
    return await _command(request, task, Verb.RECOVER, data)


@post("/tasks/{task:str}/release", opt=COMMAND, status_code=202)
async def release(request: Call, task: FromPath[str], data: RequestBody[TaskCommand | None] = None) -> CommandAnswer:
    """Lifts the hold of a workflow. For the production role and operators."""
    return await _command(request, task, Verb.RELEASE, data)


@post("/tasks/{task:str}/approve", opt=COMMAND, status_code=202)
async def approve(request: Call, task: FromPath[str], data: RequestBody[TaskCommand | None] = None) -> CommandAnswer:
    """Lets a waiting task start. For the production role and operators."""
    return await _command(request, task, Verb.APPROVE, data)


@post("/tasks/{task:str}/obsolete", opt=COMMAND, status_code=202)
async def obsolete(request: Call, task: FromPath[str], data: RequestBody[ObsoleteCommand | None] = None) -> CommandAnswer:
    """Declares the outputs of a task void."""
    return await _command(request, task, Verb.OBSOLETE, data)


async def _command(request: Call, reference: str, verb: Verb, data: TaskCommand | None) -> CommandAnswer:
    async def work(connection: Connection) -> dict[str, Any]:
        """Writes the command, if whoever asks may give it and the task takes it."""
        task = await finding.task(connection, request.who, reference)
        policies.ask(request.who, verb, task.owner_id, task.owner, task.community)
        arguments = given(request.who, verb, data or BODIES[verb](), task.community)
        await asking.check(connection, task, verb, arguments)
        command_id = await commands.ask(connection, str(verb), task_id=task.task_id, asked_by=request.who.user_id, arguments=arguments)
        await wake.stages(connection, Stage.COMMAND)
        return {"command_id": command_id, "subject": f"task {task.task_id}", "status": task.status}

    return CommandAnswer(**(await once(request, work)).answer)


def given(who: Who, verb: Verb, body: TaskCommand, community: str) -> dict[str, Any]:
    """Returns what a body says; for a command that goes on to the tasks that read the outputs, also whether whoever asks may command those of others."""
    return said(body) | ({"is_production": True} if verb in CASCADING and policies.is_production(who, community) else {})


@post("/tasks/{task:str}/fork", opt={"policy": Action.SUBMIT, "is_repeatable": True}, status_code=201)
async def fork(request: Call, task: FromPath[str], data: RequestBody[ForkRequest]) -> Response[SubmitAnswer]:
    """Makes a copy of a task under a new name, with changes, that shares what is finished: those inputs count, and their output files are attached."""

    async def work(connection: Connection) -> dict[str, Any]:
        """Makes the copy, if whoever asks may and the task can be copied."""
        original = await finding.task(connection, request.who, task)
        policies.ask(request.who, Verb.FORK, original.owner_id, original.owner, original.community)
        check_accepted(Verb.FORK, TaskStatus(original.status))
        document = changes.changed(Verb.FORK, original.document, {**data.changes, "name": data.name})
        made = await forking.fork(connection, request.core.services, request.who, original, document)
        await wake.stages(connection, Stage.DEFINE)
        return {"task_id": made.task_id, "name": made.name, "status": str(made.status)}

    done = await once(request, work)
    return Response(SubmitAnswer(**done.answer, created=done.is_new), status_code=201 if done.is_new else 200)


@post("/tasks/commands", opt=COMMAND, status_code=202)
async def many(request: Call, data: RequestBody[BulkCommand]) -> BulkAnswer:
    """Gives one command to many tasks, or (dry_run) says how many would take it. Those that do not are counted by why not."""
    verb, who = Verb(data.verb), request.who
    arguments = given(who, verb, decode(BODIES[verb], data.arguments), who.community)

    async def work(connection: Connection) -> dict[str, Any]:
        """Selects and sorts the tasks, and writes the command for those that take it, unless their number is another than expected."""
        await asking.check_arguments(connection, verb, arguments, who.community)
        found = await selecting.select(connection, who, data.selector, None if policies.is_operator(who) else who.community)
        chosen = selecting.sort(found, verb, {task.task_id for task in found if policies.may_ask(who, verb, task.owner_id, task.community)})
        if not data.dry_run:
            selecting.check_count(len(chosen.accepted), data.expected_count)
        n_asked = 0 if data.dry_run else await selecting.ask(connection, who, verb, chosen.accepted, arguments)
        await wake.stages(connection, Stage.COMMAND)
        return msgspec.to_builtins(_bulk_answer(len(found), chosen, n_asked))  # type: ignore[no-any-return]  # a struct becomes a dict

    return msgspec.convert((await once(request, work)).answer, BulkAnswer)


def _bulk_answer(n_selected: int, chosen: selecting.Sorted, n_asked: int) -> BulkAnswer:
    sample = tuple(_selected(task) for task in chosen.accepted[: selecting.SAMPLE])
    return BulkAnswer(n_selected=n_selected, n_accepted=len(chosen.accepted), n_asked=n_asked, refused=dict(chosen.refused), sample=sample)


def _selected(task: Selected) -> SelectedTask:
    return SelectedTask(task_id=task.task_id, name=task.name, owner=task.owner, status=task.status)


@delete("/tasks/{task:str}/command", opt={"policy": Action.COMMAND}, status_code=200)
async def withdraw(request: Call, task: FromPath[str], command_id: CommandId) -> CommandState:
    """Takes back this command of a task, as long as nothing of it is done. Who may give it may take it back; asked again it gives the same answer."""
    async with request.core.pool.acquire() as connection, connection.transaction():
        found = await finding.task(connection, request.who, task)
        known = await _of_task(connection, found.task_id, command_id)
        if known is None:
            policies.command(request.who, found.owner_id, found.owner, found.community)
            raise NotFound(f"task {found.name} has no command {command_id}", code="command.unknown", field="command_id", value=command_id, hint=LIST_THEM)
        policies.ask(request.who, Verb(known.verb), found.owner_id, found.owner, found.community)
        answer = f"withdrawn by {request.who.name}"
        if known.applied_at is None and await commands.withdraw(connection, command_id, answer):
            await tasks.touch(connection, [found.task_id])  # aggregate lets a task be while a command of it is pending
        known = await commands.get(connection, command_id)
    assert known is not None, "it is kept"
    if known.answer != answer:
        raise _not_withdrawn(known)
    return _state(known)


async def _of_task(connection: Connection, task_id: int, command_id: int) -> Known | None:
    known = await commands.get(connection, command_id)
    return known if known is not None and known.task_id == task_id else None


def _not_withdrawn(known: Known) -> PandaError:
    """Why a command was not taken back: it is done, or begun, or somebody has it in hand at this moment, which the client asks again about."""
    named = f"command {known.command_id} ({known.verb}) of task {known.task_id}"
    if known.applied_at is not None:
        return Conflict(
            f"{named} is not pending any more: {known.answer}", code="command.applied", field="command_id", value=known.command_id,
            allowed="the pending command of the task", hint=LIST_THEM,
        )  # fmt: skip
    if known.progress is not None:
        return Conflict(
            f"{named} has begun", code="command.begun", field="command_id", value=known.command_id, allowed="a command of which nothing is done",
            hint="wait until it is applied; `panda why` says how far it is",
        )  # fmt: skip
    return Unavailable(f"{named} is being looked at", code="command.in_hand", field="command_id", value=known.command_id, hint="ask again in a moment")


@get("/tasks/{task:str}/commands", opt={"policy": Action.LOOK})
async def of_task(request: Call, task: FromPath[str], limit: PageSize = DEFAULT_PAGE_SIZE) -> Page[CommandState]:
    """The newest commands of a task, with what came of each."""
    async with request.core.pool.acquire() as connection:
        found = await finding.task(connection, request.who, task)
        return whole([_state(each) for each in await commands.of_task(connection, found.task_id, limit)])


@get("/commands/{command_id:int}", opt={"policy": Action.LOOK})
async def command(request: Call, command_id: FromPath[int]) -> CommandState:
    """What came of a command, or how far it is."""
    async with request.core.pool.acquire() as connection:
        found = await commands.get(connection, ids.checked_id(command_id, "command_id"))
        if found is None or not await _may_see(connection, request, found):
            raise NotFound(f"there is no command {command_id}", code="command.unknown", field="command_id", value=command_id)
        return _state(found)


async def _may_see(connection: Connection, request: Call, found: Known) -> bool:
    if found.job_id is not None:
        return bool(await finding.job(connection, request.who, found.job_id))
    task = await tasks.get(connection, found.task_id) if found.task_id is not None else None
    return task is not None and policies.may_see(request.who, task.community)


def _state(found: Known) -> CommandState:
    return CommandState(
        command_id=found.command_id, verb=found.verb, asked_by=found.asker, asked_at=found.asked_at, arguments=found.arguments, task_id=found.task_id,
        job_id=found.job_id, applied_at=found.applied_at, answer=found.answer, progress=found.progress, result=found.result,
    )  # fmt: skip


ROUTES = (kill, finish, retry, extend, reassign, pause, resume, avalanche, set_, recover, release, approve, obsolete, fork, many, withdraw, of_task, command)
