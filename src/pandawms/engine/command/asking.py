"""The door: checks a command against the task as it is now, so that what can never be applied is refused at once, with the field named."""

from collections.abc import Mapping, Sequence
from typing import Any

from pandawms.domain.command import Verb, check_accepted
from pandawms.domain.errors import Invalid, did_you_mean
from pandawms.domain.task import TaskStatus
from pandawms.engine.command import changes
from pandawms.store import commands, places, recovery
from pandawms.store.database import Connection
from pandawms.store.tasks import Task

SETTABLE = ("priority", "share", "queues", "exclude_queues", "memory_mb", "wall_seconds", "attempts")


async def check(connection: Connection, task: Task, verb: Verb, arguments: Mapping[str, Any]) -> None:
    """Does nothing when the task takes the command now. Raises Conflict for its status, Invalid for what it is given."""
    check_accepted(verb, TaskStatus(task.status))
    await check_arguments(connection, verb, arguments, task.community)
    if verb in changes.CHANGEABLE:
        changes.changed(verb, task.document, arguments.get("changes") or {})
    if verb is Verb.RECOVER:
        await check_files(connection, task, arguments.get("files", ()))
    if verb is Verb.SET and arguments.get("share") and await commands.share_id(connection, task.community_id, arguments["share"]) is None:
        raise Invalid(
            f"community {task.community} has no share {arguments['share']}", code="share.unknown", field="share", value=arguments["share"],
            hint="ask an operator",
        )  # fmt: skip


async def check_files(connection: Connection, task: Task, names: Sequence[str]) -> None:
    """Raises Invalid for a name that is no file in the outputs of the task, and was none until it was lost: then its readers are asked again."""
    known = {file.name for file in await recovery.outputs(connection, task.task_id, names)}
    known |= (await recovery.lost_before(connection, task.task_id, set(names) - known)).keys()
    for n, name in enumerate(names):
        if name not in known:
            raise Invalid(
                f"task {task.name} has no output file {name}", code="file.unknown", field=f"files[{n}]", value=name,
                hint="`panda ls files SCOPE:NAME` lists the files of an output",
            )  # fmt: skip


async def check_arguments(connection: Connection, verb: Verb, arguments: Mapping[str, Any], community: str) -> None:
    """Does nothing when what is given makes sense for a task of this community."""
    if verb is Verb.SET and not any(arguments.get(name) for name in SETTABLE) and arguments.get("priority") is None:
        raise Invalid("nothing is to be set", code="set.nothing", field="body", allowed=", ".join(SETTABLE), hint="give at least one of them")
    if verb is Verb.EXTEND and not arguments.get("changes"):
        raise Invalid("nothing is to be extended", code="extend.nothing", field="changes", hint="say which inputs grow: changes.inputs.<stream>")
    known = {queue.name: queue.site for queue in await places.queues(connection) if queue.community == community}
    for field in ("queues", "exclude_queues"):
        for name in arguments.get(field) or ():
            _check_known(field, name, known, "queue")
    if arguments.get("site"):
        _check_known("site", arguments["site"], dict.fromkeys(known.values(), ""), "site")
    if verb is Verb.REASSIGN and arguments.get("site") and arguments.get("queues"):
        raise Invalid("to queues, or to a site", code="reassign.both", field="site", value=arguments["site"], hint="leave out queues or site")


def _check_known(field: str, name: str, known: Mapping[str, str], what: str) -> None:
    if name in known:
        return
    near = did_you_mean(name, known)
    raise Invalid(
        f"there is no {what} {name}", code=f"{what}.unknown", field=field, value=name, allowed=", ".join(sorted(known)[:20]),
        hint=f"did you mean {near}?" if near else "`panda ls queues` lists them",
    )  # fmt: skip
