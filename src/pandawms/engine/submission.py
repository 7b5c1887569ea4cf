"""Submitting a task: the checks of define, the broker's word whether any queue could ever run it, and the dry run that shows both.

The one place beside the loop that knows two stages: it asks them in turn, as the loop does.
"""

from collections.abc import Sequence

from pandawms.domain.errors import Invalid, did_you_mean
from pandawms.domain.identity import Who
from pandawms.domain.job import seed
from pandawms.domain.snapshot import QueueSnapshot, Rejection, TaskSnapshot
from pandawms.domain.task import TaskStatus
from pandawms.engine.broker import plan as brokering
from pandawms.engine.broker.rules import LASTING, RULES
from pandawms.engine.broker.snapshot import queue_snapshots, wanted_snapshot
from pandawms.engine.define import plan as defining
from pandawms.engine.define import submit as door
from pandawms.engine.define.submit import Checked, Submitted
from pandawms.engine.services import Services
from pandawms.store import catalogue, places
from pandawms.store.database import Connection
from pandawms.wire import placeholders
from pandawms.wire.task import CandidateQueue, Plan, PlanInput, PlanJob, TaskDocument
from pandawms.wire.why import QueueRejection

FIRST_JOBS = 3
"""How many jobs a dry run shows in full."""


async def submit(connection: Connection, services: Services, who: Who, document: TaskDocument) -> Submitted:
    """Checks a task and stores it in status registered; the caller owns the transaction.

    Raises Invalid, NotFound or Conflict; when no queue could ever run the task, Invalid names the nearest one and what would fit.
    """
    found = await door.check(connection, who, document)
    queues = await queue_snapshots(connection)
    require_known(document.queues, queues)
    require_queue(await _picture(connection, who, found), queues)
    return await door.submit(connection, who, found)


async def plan(connection: Connection, services: Services, who: Who, document: TaskDocument) -> Plan:
    """Says what a submit would make, and stores nothing. Raises as submit does."""
    found = await door.check(connection, who, document, needs_sandbox=False)
    picture = await _picture(connection, who, found)
    queues = await queue_snapshots(connection)
    require_known(document.queues, queues)
    require_queue(picture, queues)
    brokered = brokering.plan(picture, queues, (*RULES, *services.broker_rules))
    sites = {row.name: row.site for row in await places.queues(connection)}
    n_jobs = defining.count_jobs(document, door.sizes(found.sources))
    return Plan(
        name=document.name, n_jobs=n_jobs, split=_split(document), inputs=tuple(_input(source) for source in found.sources),
        first_jobs=await _first_jobs(connection, found, n_jobs),
        output_datasets=tuple(door.output_did(who.name, document.name, stream) for stream, role in door.output_roles(document) if role == "output"),
        queues=tuple(CandidateQueue(queue=c.queue.name, site=sites[c.queue.name], weight=c.weight, slots=c.queue.slots) for c in brokered.candidates),
        rejections=tuple(_rejection(r) for r in brokered.rejections), n_merge_jobs=_merge_jobs(document, n_jobs), warnings=_warnings(found),
    )  # fmt: skip


def require_known(names: Sequence[str], queues: Sequence[QueueSnapshot]) -> None:
    """Raises Invalid for a queue that the task names and that does not exist."""
    known = sorted(queue.name for queue in queues)
    for n, name in enumerate(names):
        if name not in known:
            near = did_you_mean(name, known)
            raise Invalid(
                f"there is no queue {name}", code="queue.unknown", field=f"queues[{n}]", value=name, allowed=", ".join(known) or "there is none yet",
                hint=f"did you mean {near}?" if near else "`panda ls queues` lists them",
            )  # fmt: skip


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
    names = {"memory": "memory_mb", "disk": "disk_mb", "wall_time": "wall_seconds"}
    if rejection.rule in ("listed", "community"):
        return {"listed": "queues", "community": "community"}[rejection.rule]
    return f"resources.{names.get(rejection.rule, rejection.rule)}"


async def _picture(connection: Connection, who: Who, found: Checked) -> TaskSnapshot:
    endpoints: frozenset[int] = frozenset()
    for source in found.sources:
        if source.dataset is not None:
            endpoints |= await catalogue.endpoints_of_dataset(connection, source.dataset.dataset_id)
    n_jobs = defining.count_jobs(found.document, door.sizes(found.sources))
    return wanted_snapshot(
        found.document, task_id=0, status=TaskStatus.REGISTERED, community=found.community, owner=who.name,
        open_units=max(1, n_jobs * defining.files_per_job(found.document)), units_per_job=defining.files_per_job(found.document), endpoints=endpoints,
    )  # fmt: skip


def _input(source: door.Source) -> PlanInput:
    if source.dataset is None:
        count = source.spec.count or 0
        first = source.spec.first_event
        return PlanInput(stream=source.stream, kind="events", description=f"events {first} to {first + count - 1}", n_events=count)
    found = source.dataset
    kind = source.spec.kinds[0]
    return PlanInput(
        stream=source.stream, kind=kind, description=found.did, n_files=found.n_files, n_events=found.n_events or None, size_bytes=found.n_bytes,
        is_open=found.is_open,
    )  # fmt: skip


def _split(document: TaskDocument) -> str:
    listing = defining.plan(document)
    if isinstance(listing, defining.Chunks):
        return f"{listing.chunk} events a job"
    n = defining.files_per_job(document)
    return f"{n} file{'s' if n > 1 else ''} a job"


def _merge_jobs(document: TaskDocument, n_jobs: int) -> int:
    if document.merge is None or n_jobs == 0:
        return 0
    return -(-n_jobs // (document.merge.files_per_job or n_jobs))


def _warnings(found: Checked) -> tuple[str, ...]:
    return tuple(f"{s.dataset.did} is still open: jobs are made as files appear" for s in found.sources if s.dataset is not None and s.dataset.is_open)


async def _first_jobs(connection: Connection, found: Checked, n_jobs: int) -> tuple[PlanJob, ...]:
    names = await _first_files(connection, found)
    return tuple(_job(found.document, serial, names) for serial in range(1, min(FIRST_JOBS, n_jobs) + 1))


async def _first_files(connection: Connection, found: Checked) -> list[str]:
    source = found.sources[0].dataset
    if source is None:
        return []
    return await catalogue.first_names(connection, source.dataset_id, FIRST_JOBS * defining.files_per_job(found.document))


def _job(document: TaskDocument, serial: int, names: Sequence[str]) -> PlanJob:
    listing = defining.plan(document)
    numbers = {"SEED": seed(0, serial), "SERIAL": serial, "ATTEMPT": 1, "JOB_ID": 0, "TASK_ID": 0, "CORES": document.resources.cores}
    if isinstance(listing, defining.Chunks):
        first = listing.first + (serial - 1) * listing.chunk
        n_events = min(listing.chunk, listing.first + listing.count - first)
        values = placeholders.Values(numbers | {"EVENTS": n_events, "FIRST_EVENT": first}, {}, document.outputs)
        return PlanJob(serial=serial, command=placeholders.expand(document.program.command, values).command, first_event=first, n_events=n_events)
    size = defining.files_per_job(document)
    mine = tuple(names[(serial - 1) * size : serial * size])
    values = placeholders.Values(numbers, {listing.stream: mine}, document.outputs)
    return PlanJob(serial=serial, command=placeholders.expand(document.program.command, values).command, files=mine)


def _rejection(found: Rejection) -> QueueRejection:
    return QueueRejection(queue=found.queue, rule=found.rule, reason=found.reason, limit=found.limit, value=found.value)
