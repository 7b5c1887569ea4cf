"""Commands on the wire: the body of each, what is selected by many at once, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pandawms.domain.command import Verb
from pandawms.wire.document import WallSeconds
from pandawms.wire.names import Name

Reason = Annotated[str, Meta(max_length=1000, description="Why, for those who read the task's history later.")]
Changes = Annotated[
    dict[str, Any], Meta(description="Changes of the task's document as a merge patch (RFC 7396): what is left out stays, null takes a field away.")
]
QueueNames = Annotated[tuple[Name, ...], Meta(max_length=1000)]
Attempts = Annotated[int, Meta(ge=1, le=1000, description="So many attempts more for each input that is not processed.")]
MAX_SELECTED = 100_000
"""How many tasks one command may be given to."""


class TaskCommand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a command that needs no more than its reason: kill, pause, resume, avalanche, release, approve."""

    reason: Reason = ""


class FinishCommand(TaskCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of finish. Hard: jobs that wait are cancelled, pilots are told to stop. Soft: jobs that wait are withdrawn, those that run may end."""

    soft: bool = False


class RetryCommand(TaskCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of retry: which inputs (all that are not processed unless given), how many more attempts, and with which changes.

    `sole`: not the tasks that read its outputs; `keep`: what was set for priority and share stays; `transcend`: limits on failures do not end it again.
    """

    only: Annotated[tuple[Literal["failed", "missing", "lost", "all"], ...], Meta(max_length=4)] = ()
    attempts: Attempts | None = None
    changes: Changes = {}
    sole: bool = False
    keep: bool = False
    transcend: bool = False


class ExtendCommand(TaskCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of extend: a changed document with more inputs. What was processed stays; the changes are for what was not."""

    changes: Changes = {}


class ForkRequest(TaskCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of fork: the name of the copy, and what is different in it."""

    name: Name
    changes: Changes = {}


class ReassignCommand(TaskCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of reassign: to these queues, to the queues of a site, or, without either, anywhere again.

    Jobs that wait are withdrawn and jobs that run are ended; `soft`: only those that wait; `nokill`: none, only new jobs go elsewhere.
    """

    queues: QueueNames = ()
    site: Name | None = None
    soft: bool = False
    nokill: bool = False


class SetCommand(TaskCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of set. Priority and share also change for jobs that wait; queues, memory and wall time are for jobs that are made from now on."""

    priority: Annotated[int, Meta(ge=0, le=10_000)] | None = None
    share: Name | None = None
    queues: QueueNames = ()
    exclude_queues: QueueNames = ()
    memory_mb: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None
    wall_seconds: WallSeconds | None = None
    attempts: Attempts | None = None


class RecoverCommand(TaskCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of recover: output files of this task that are lost, by name. Jobs that made them are made again.

    `sole`: tasks that read them and have ended stay as they are.
    """

    files: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=300)], ...], Meta(min_length=1, max_length=10_000)]
    sole: bool = False


class ObsoleteCommand(TaskCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of obsolete. `sole`: not the tasks that read its outputs."""

    sole: bool = False


BODIES: Mapping[Verb, type[TaskCommand]] = {
    Verb.KILL: TaskCommand, Verb.FINISH: FinishCommand, Verb.RETRY: RetryCommand, Verb.EXTEND: ExtendCommand, Verb.REASSIGN: ReassignCommand,
    Verb.PAUSE: TaskCommand, Verb.RESUME: TaskCommand, Verb.AVALANCHE: TaskCommand, Verb.SET: SetCommand, Verb.FORK: ForkRequest,
    Verb.RECOVER: RecoverCommand, Verb.RELEASE: TaskCommand, Verb.APPROVE: TaskCommand, Verb.OBSOLETE: ObsoleteCommand,
}  # fmt: skip
"""The body of each command."""


def said(body: TaskCommand) -> dict[str, Any]:
    """Returns what a body says, without what it leaves as it is: nothing, no, and what is empty. A zero is said."""
    return {name: value for name, value in msgspec.to_builtins(body).items() if value is not None and value is not False and value not in ("", [], {}, ())}


class TaskSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which tasks: those that match all that is given. Names may hold * and ?; without `owner` they are the caller's own; `all` alone means all of these."""

    ids: Annotated[tuple[Annotated[int, Meta(ge=1, le=2**63 - 1)], ...], Meta(max_length=10_000)] = ()
    names: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=200)], ...], Meta(max_length=50)] = ()
    statuses: Annotated[tuple[str, ...], Meta(max_length=50)] = ()
    owner: Annotated[str, Meta(max_length=100)] | None = None
    older_than_seconds: Annotated[float, Meta(ge=0, le=3_153_600_000)] | None = None
    all: bool = False


class BulkCommand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One command for many tasks. `arguments` is the body that the command takes for one task.

    With `dry_run` it is only counted. With `expected_count` it is refused when another number of tasks would take it now.
    """

    verb: Literal["kill", "finish", "retry", "reassign", "pause", "resume", "avalanche", "set", "release", "approve", "obsolete"]
    selector: TaskSelector
    arguments: dict[str, Any] = {}
    dry_run: bool = False
    expected_count: Annotated[int, Meta(ge=0, le=MAX_SELECTED)] | None = None


class SelectedTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task that was selected."""

    task_id: int
    name: str
    owner: str
    status: str


class BulkAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How many tasks were selected, and how many of them take the command. `refused` counts the others by why not (a status, pending, denied).

    `n_asked` is for how many a command was written: none in a dry run. `sample` are the first of those that take it.
    """

    n_selected: int
    n_accepted: int
    n_asked: int
    refused: dict[str, int]
    sample: tuple[SelectedTask, ...]


class CommandState(msgspec.Struct, frozen=True, kw_only=True):
    """A command: what was asked, and what came of it (`answer` and the numbers in `result`), or how far it is (`progress`)."""

    command_id: int
    verb: str
    asked_by: str
    asked_at: datetime
    arguments: dict[str, Any]
    task_id: int | None = None
    job_id: int | None = None
    applied_at: datetime | None = None
    answer: str | None = None
    progress: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
