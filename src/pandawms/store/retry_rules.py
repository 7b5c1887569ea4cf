"""Retries by reason: the rules, the failures that wait for judgement, what was judged, and what was done about each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pandawms.domain.outcome import Outcome
from pandawms.domain.retry_rule import PARAMETERS, SCOPES, Action, Mode, Rule
from pandawms.domain.snapshot import Avoided
from pandawms.store import counters
from pandawms.store.database import Connection
from pandawms.store.sql import load

sql = load("retry_rules")

KEPT_DAYS = 90
"""How long it is known what was done about a failure."""
PARAMETER_NAMES = tuple(sorted(frozenset[str]().union(*PARAMETERS.values())))


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule of the operators, with who made it and who changed it last."""

    rule: Rule
    created_by: str
    created_at: datetime
    changed_by: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A unit whose last job failed and that nobody has judged."""

    task_file_id: int
    job_id: int
    attempt: int
    max_attempts: int
    failed_attempts: int
    forgiven_failures: int
    free_attempts: int
    max_failures: int | None
    memory_mb: int | None
    wall_seconds: int | None
    units_per_job: int | None


@dataclass(frozen=True, slots=True)
class FailedJob:
    """How a job ended that did not do its work, where, and what it had been given; `status` is failed or closed."""

    job_id: int
    status: str
    outcome: Outcome
    attempt: int
    queue_id: int
    queue: str
    cores: int
    memory_mb: int
    wall_seconds: int
    max_rss_mb: int | None
    n_units: int


@dataclass(frozen=True, slots=True)
class PastFailure:
    """A failed job of the past, and the task that it belongs to."""

    task_id: int
    ended_at: datetime
    job: FailedJob


@dataclass(frozen=True, slots=True)
class NextAttempt:
    """The job that tried again what another had failed to do; `status` None while it is hot."""

    previous_job_id: int
    job_id: int
    status: str | None


@dataclass(frozen=True, slots=True)
class PastTask:
    """What a simulation needs to know of a task."""

    task_id: int
    name: str
    community: str
    document: dict[str, Any]
    n_units: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a unit: ready again or failed for good, and its limits from now on. `forgiven_failures` and `free_attempts` are the new counters."""

    task_file_id: int
    job_id: int
    is_again: bool
    max_attempts: int
    forgiven_failures: int
    free_attempts: int
    memory_mb: int | None
    wall_seconds: int | None
    units_per_job: int | None


@dataclass(frozen=True, slots=True)
class Done:
    """What was done about a failure, as it is kept; numbers that changed are in `before` and `after`."""

    job_id: int | None
    kind: str
    action: str
    rule: str | None
    rule_version: int | None
    is_applied: bool
    n_units: int
    before: int | None
    after: int | None
    reason: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DoneCount:
    """How often a rule did the same about failures of a task, for how many units, and the newest reason."""

    rule: str | None
    action: str
    kind: str
    is_applied: bool
    n: int
    n_units: int
    reason: str


@dataclass(frozen=True, slots=True)
class Slot:
    """What a slot of a queue offers, the status of the queue, and whether it writes any storage."""

    queue_id: int
    name: str
    community: str
    status: str
    cores: int
    memory_mb: int
    disk_mb: int
    max_wall_seconds: int
    gpus: int
    architecture: str
    can_write: bool = True
    nodes: int = 1
    gpu_model: str = ""
    gpu_memory_mb: int = 0


async def rules(connection: Connection) -> list[RuleRow]:
    """Returns the operators' rules, by name."""
    return [_rule_row(row) async for row in sql.rules(connection)]


async def hold(connection: Connection, name: str) -> RuleRow | None:
    """Returns a rule, for the caller alone until its transaction ends."""
    row = await sql.hold_rule(connection, name=name)
    return row and _rule_row(row)


async def add(connection: Connection, rule: Rule, user_id: int) -> int | None:
    """Adds a rule and returns its version; None when there is one of this name."""
    version: int | None = await sql.add_rule(connection, **_columns(rule), user_id=user_id)
    if version is not None:
        await sql.note_change(connection, name=rule.name, version=version, event="add", rule=_columns(rule), user_id=user_id)
    return version


async def change(connection: Connection, rule: Rule, user_id: int) -> int:
    """Replaces a rule that the caller holds; returns its new version."""
    version = int(await sql.change_rule(connection, **_columns(rule), user_id=user_id))
    await sql.note_change(connection, name=rule.name, version=version, event="edit", rule=_columns(rule), user_id=user_id)
    return version


async def remove(connection: Connection, name: str, user_id: int) -> bool:
    """Removes a rule; False when there is none of this name. What it did stays known."""
    version = await sql.remove_rule(connection, name=name)
    if version is not None:
        await sql.note_change(connection, name=name, version=version, event="remove", rule=None, user_id=user_id)
    return version is not None


async def unjudged(connection: Connection, task_id: int, n: int) -> list[Unjudged]:
    """Returns up to n units of a task whose last job failed and that nobody has judged, those of a job together."""
    return [Unjudged(**row) async for row in sql.unjudged(connection, task_id=task_id, n=n)]


async def has_unjudged(connection: Connection, task_id: int) -> bool:
    """Whether a failure of a task waits for judgement."""
    return bool(await sql.has_unjudged(connection, task_id=task_id))


async def failures(connection: Connection, job_ids: Sequence[int]) -> dict[int, FailedJob]:
    """Returns how jobs ended; those whose rows have left the database are not among them."""
    if not job_ids:
        return {}
    rows = sql.failures(connection, job_ids=list(job_ids), low=min(job_ids), high=max(job_ids))
    return {row["job_id"]: _failed_job(row) async for row in rows}


async def with_other_copies(connection: Connection, jobs: Sequence[FailedJob]) -> frozenset[int]:
    """Returns those of the jobs of which an input has a copy that another queue reads and the job's queue does not."""
    if not jobs:
        return frozenset()
    job_ids = [job.job_id for job in jobs]
    rows = sql.with_other_copies(connection, job_ids=job_ids, queue_ids=[job.queue_id for job in jobs], low=min(job_ids), high=max(job_ids))
    return frozenset([row["job_id"] async for row in rows])


async def readers(connection: Connection, job_ids: Sequence[int]) -> frozenset[int] | None:
    """Returns the queues that read some copy of an input of these jobs; None when they read no files."""
    if not job_ids:
        return None
    row = await sql.readers(connection, job_ids=list(job_ids), low=min(job_ids), high=max(job_ids))
    return frozenset(row["queue_ids"]) if row["has_files"] else None


async def raised(connection: Connection, task_id: int) -> dict[int, int]:
    """Returns how many units of a task were raised to which memory, in MB."""
    return {row["memory_mb"]: row["n"] async for row in sql.raised(connection, task_id=task_id)}


async def settle(connection: Connection, decided: Sequence[Decision]) -> int:
    """Makes units ready again or failed for good, where they still are what was judged, and counts them; returns how many."""
    if not decided:
        return 0
    await counters.lock_units(connection, [d.task_file_id for d in decided])
    changes = sql.settle(
        connection, task_file_ids=[d.task_file_id for d in decided], job_ids=[d.job_id for d in decided], are_again=[d.is_again for d in decided],
        max_attempts=[d.max_attempts for d in decided], forgiven=[d.forgiven_failures for d in decided], free=[d.free_attempts for d in decided],
        memories=[d.memory_mb for d in decided], walls=[d.wall_seconds for d in decided], sizes=[d.units_per_job for d in decided],
    )  # fmt: skip
    return await counters.follow(connection, [row async for row in changes])


async def keep(connection: Connection, task_id: int, done: Sequence[Done]) -> None:
    """Keeps what was done about failures of a task."""
    if not done:
        return
    await sql.keep_actions(
        connection, task_id=task_id, job_ids=[d.job_id for d in done], kinds=[d.kind for d in done], actions=[d.action for d in done],
        rule_names=[d.rule for d in done], rule_versions=[d.rule_version for d in done], are_applied=[d.is_applied for d in done],
        units=[d.n_units for d in done], befores=[d.before for d in done], afters=[d.after for d in done], reasons=[d.reason for d in done],
    )  # fmt: skip


async def raise_task(connection: Connection, task_id: int, memory_mb: int) -> bool:
    """Gives all jobs of a task that are made from now on at least this memory; False when they have it."""
    return await sql.raise_task(connection, task_id=task_id, memory_mb=memory_mb) is not None


async def avoid(connection: Connection, task_id: int, queues: Mapping[int, tuple[float, str]]) -> None:
    """Makes a task avoid queues (by id: for how many seconds, and why), and takes back what they were allocated."""
    if not queues:
        return
    await sql.hold_task(connection, task_id=task_id)
    ids = sorted(queues)
    await sql.take_back(connection, task_id=task_id, queue_ids=ids)
    await sql.avoid(connection, task_id=task_id, queue_ids=ids, seconds=[queues[i][0] for i in ids], reasons=[queues[i][1] for i in ids])


async def slots(connection: Connection) -> list[Slot]:
    """Returns what the slots of all queues offer."""
    return [Slot(**row) async for row in sql.slots(connection)]


async def avoided(connection: Connection, task_ids: Sequence[int]) -> dict[int, tuple[Avoided, ...]]:
    """Returns the queues that each task avoids now."""
    found: dict[int, tuple[Avoided, ...]] = dict.fromkeys(task_ids, ())
    async for row in sql.avoided(connection, task_ids=list(task_ids)):
        found[row["task_id"]] += (Avoided(row["queue"], row["until_at"], row["reason"]),)
    return found


async def done_about_job(connection: Connection, job_id: int) -> tuple[Done, ...]:
    """Returns what was done about the failure of a job, in order."""
    return tuple([_done(row) async for row in sql.actions_of_job(connection, job_id=job_id)])


async def counts_of_task(connection: Connection, task_id: int) -> tuple[DoneCount, ...]:
    """Returns what was done about failures of a task by rule, most frequent first."""
    return tuple([
        DoneCount(row["rule_name"], row["action"], row["kind"], row["is_applied"], row["n"], row["n_units"], row["reason"])
        async for row in sql.counts_of_task(connection, task_id=task_id)
    ])  # fmt: skip


async def drop_old(connection: Connection, days: int) -> int:
    """Forgets what was done about failures more than so many days ago, and avoidances that are over; returns how many of the first."""
    await sql.drop_over(connection)
    return int(await sql.drop_old(connection, days=days))


async def newest_failures(connection: Connection, since: datetime, n: int) -> list[PastFailure]:
    """Returns the newest n failed run jobs that ended since then, the oldest of them first."""
    rows = [row async for row in sql.newest_failures(connection, since=since, n=n)]
    return [PastFailure(row["task_id"], row["ended_at"], _failed_job(row)) for row in reversed(rows)]


async def next_attempts(connection: Connection, job_ids: Sequence[int]) -> list[NextAttempt]:
    """Returns the jobs that tried again what these had failed to do."""
    return [NextAttempt(**row) async for row in sql.next_attempts(connection, job_ids=list(job_ids))]


async def tasks_of(connection: Connection, task_ids: Sequence[int]) -> dict[int, PastTask]:
    """Returns what a simulation needs to know of tasks."""
    return {row["task_id"]: PastTask(**row) async for row in sql.tasks_of(connection, task_ids=list(task_ids))}


def _columns(rule: Rule) -> dict[str, Any]:
    parameters = {name: getattr(rule, name) for name in PARAMETER_NAMES if getattr(rule, name) is not None}
    return {
        "name": rule.name, "mode": str(rule.mode), "action": str(rule.action), "error_domain": rule.domain, "error_code": rule.code,
        "pattern": rule.pattern, **{name: getattr(rule, name) for name in SCOPES}, "parameters": parameters, "note": rule.note,
    }  # fmt: skip


def _rule_row(row: Any) -> RuleRow:
    rule = Rule(
        row["name"], Action(row["action"]), row["error_domain"], row["error_code"], row["pattern"], **{name: row[name] for name in SCOPES},
        **row["parameters"], mode=Mode(row["mode"]), version=row["version"], note=row["note"],
    )  # fmt: skip
    return RuleRow(rule, row["created_by_name"], row["created_at"], row["changed_by_name"], row["changed_at"])


def _failed_job(row: Any) -> FailedJob:
    outcome = Outcome(row["error_domain"], row["error_code"], row["exit_code"], row["exit_signal"], row["message"], row["is_retryable"])
    return FailedJob(
        row["job_id"], row["status"], outcome, row["attempt"], row["queue_id"], row["queue"], row["cores"], row["memory_mb"], row["wall_seconds"],
        row["max_rss_mb"], row["n_units"],
    )  # fmt: skip


def _done(row: Any) -> Done:
    return Done(
        row["job_id"], row["kind"], row["action"], row["rule_name"], row["rule_version"], row["is_applied"], row["n_units"], row["value_before"],
        row["value_after"], row["reason"], row["at"],
    )  # fmt: skip
