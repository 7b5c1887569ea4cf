"""Submitting a task: the checks of define, the broker's word whether any queue could ever run it, and the dry run that shows both.

The one place beside the loop that knows two stages: it asks them in turn, as the loop does.
"""

from collections.abc import Sequence

from pandawms.domain.errors import Invalid, did_you_mean
from pandawms.domain.identity import Who
from pandawms.domain.snapshot import QueueSnapshot, Rejection, TaskSnapshot
from pandawms.domain.task import TaskStatus
from pandawms.engine.broker import plan as brokering
from pandawms.engine.broker.rules import LASTING, RULES
from pandawms.engine.broker.snapshot import queue_snapshots, wanted_snapshot
from pandawms.engine.define import first_jobs, preview
from pandawms.engine.define import plan as defining
from pandawms.engine.define import submit as door
from pandawms.engine.define.sources import output_did
from pandawms.engine.define.submit import Checked, Submitted
from pandawms.engine.services import Services
from pandawms.store import catalogue, places
from pandawms.store.database import Connection
from pandawms.wire.document import TaskDocument
from pandawms.wire.task import CandidateQueue, Plan
from pandawms.wire.why import QueueRejection


async def submit(connection: Connection, services: Services, who: Who, document: TaskDocument) -> Submitted:
    """Checks a task and stores it in status registered; the caller owns the transaction.

    Raises Invalid, NotFound or Conflict; when no queue could ever run the task, Invalid names the nearest one and what would fit.
    """
    found = await door.check(connection, who, document)
    queues = await queue_snapshots(connection)
    require_known(document, queues)
    require_queue(await _picture(connection, who, found), _allowed(document, queues))
    return await door.submit(connection, who, found)


async def plan(connection: Connection, services: Services, who: Who, document: TaskDocument) -> Plan:
    """Says what a submit would make, and stores nothing. Raises as submit does."""
    found = await door.check(connection, who, document, needs_sandbox=False)
    picture = await _picture(connection, who, found)
    queues = await queue_snapshots(connection)
    require_known(document, queues)
    require_queue(picture, _allowed(document, queues))
    brokered = brokering.plan(picture, _allowed(document, queues), (*RULES, *services.broker_rules))
    sites = {row.name: row.site for row in await places.queues(connection)}
    made = await first_jobs.cut(connection, found)
    return Plan(
        name=document.name, n_jobs=made.n_jobs, split=preview.split_words(document), inputs=preview.inputs(found), first_jobs=made.first_jobs,
        output_datasets=tuple(output_did(who.name, document.name, stream) for stream, role in door.output_roles(document) if role == "output"),
        queues=tuple(CandidateQueue(queue=c.queue.name, site=sites[c.queue.name], weight=c.weight, slots=c.queue.slots) for c in brokered.candidates),
        rejections=tuple(_rejection(r) for r in brokered.rejections), n_merge_jobs=preview.merge_jobs(document, made.n_jobs),
        warnings=preview.warnings(found, made),
    )  # fmt: skip


def require_known(document: TaskDocument, queues: Sequence[QueueSnapshot]) -> None:
    """Raises Invalid for a queue that the task names and that does not exist."""
    known = sorted(queue.name for queue in queues)
    named = [(f"queues[{n}]", name) for n, name in enumerate(document.queues)]
    named += [(f"exclude_queues[{n}]", name) for n, name in enumerate(document.exclude_queues)]
    for field, name in named:
        if name not in known:
            near = did_you_mean(name, known)
            raise Invalid(
                f"there is no queue {name}", code="queue.unknown", field=field, value=name, allowed=", ".join(known) or "there is none yet",
                hint=f"did you mean {near}?" if near else "`panda ls queues` lists them",
            )  # fmt: skip


def _allowed(document: TaskDocument, queues: Sequence[QueueSnapshot]) -> tuple[QueueSnapshot, ...]:
    """The queues that a task does not rule out. Raises Invalid when it rules out all there are."""
    left = tuple(queue for queue in queues if queue.name not in document.exclude_queues)
    if queues and not left:
        raise Invalid(
            "the task rules out every queue there is", code="task.no_queue", field="exclude_queues", value=", ".join(document.exclude_queues),
            allowed="at least one queue left", hint="leave out one of them",
        )  # fmt: skip
    return left


def require_queue(task: TaskSnapshot, queues: Sequence[QueueSnapshot]) -> None:
    """Raises Invalid when waiting can never help: every queue is rejected by a rule that lasts."""
    rejections = brokering.plan(task, queues, LASTING).rejections
    if len(rejections) < len(queues):
        return
    if not queues:
        raise Invalid("there is no queue", code="task.no_queue", field="queues", hint="ask an operator to add one")
    nearest, asked = _nearest(task, queues)
    raise Invalid(
        f"no queue can ever run this: {nearest.queue} is nearest, but {nearest.reason}", code="task.impossible", field=_field(nearest), value=nearest.value,
        allowed=f"at most {nearest.limit} in {nearest.queue}" if isinstance(nearest.limit, int) else str(nearest.limit or nearest.queue),
        hint=f"it would fit with {asked}" if asked else "name another queue or community",
    )  # fmt: skip


def _nearest(task: TaskSnapshot, queues: Sequence[QueueSnapshot]) -> tuple[Rejection, str]:
    """The queue with the fewest rejections; its first one, and what would satisfy all that are about size."""
    by_queue = {queue.name: [v for rule in LASTING if isinstance(v := rule.judge(task, queue), Rejection)] for queue in queues}
    nearest = min(by_queue.values(), key=len)
    asked = [f"{_field(r).removeprefix('resources.')}: {r.limit}" for r in nearest if _field(r).startswith("resources.")]
    return nearest[0], ", ".join(asked)


def _field(rejection: Rejection) -> str:
    names = {"memory": "memory_mb", "disk": "disk_mb", "wall_time": "wall_seconds", "gpu_memory": "gpu_memory_mb"}
    if rejection.rule in ("listed", "community"):
        return {"listed": "queues", "community": "community"}[rejection.rule]
    return f"resources.{names.get(rejection.rule, rejection.rule)}"


async def _picture(connection: Connection, who: Who, found: Checked) -> TaskSnapshot:
    endpoints: frozenset[int] = frozenset()
    for source in found.sources:
        for dataset in source.datasets:
            endpoints |= await catalogue.endpoints_of_dataset(connection, dataset.dataset_id)
    n_jobs = defining.count_jobs(found.document, found.size)
    return wanted_snapshot(
        found.document, task_id=0, status=TaskStatus.REGISTERED, community=found.community, owner=who.name,
        open_units=max(1, n_jobs * defining.files_per_job(found.document)), units_per_job=defining.files_per_job(found.document), endpoints=endpoints,
    )  # fmt: skip


def _rejection(found: Rejection) -> QueueRejection:
    return QueueRejection(queue=found.queue, rule=found.rule, reason=found.reason, limit=found.limit, value=found.value)
