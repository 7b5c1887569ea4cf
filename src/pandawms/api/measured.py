"""From measurements, rounds and errors to what the API shows. Pure."""

from collections.abc import Sequence

from pandawms.domain.outcome import Outcome
from pandawms.engine.aggregate import errors
from pandawms.store.measures import Measurement, Round
from pandawms.store.tasks import Task
from pandawms.wire.measure import ErrorGroup, MeasuredQuantity, ScoutFinding, TaskErrors, TaskMeasurement, TaskRound, TaskScouts


def scouts(task: Task, measurements: Sequence[Measurement]) -> TaskScouts | None:
    """What a task learned and from what; None when nothing was measured and nothing learned."""
    if not measurements and not task.learned:
        return None
    learned = {name: value for name, value in task.learned.items() if isinstance(value, int | float) and name not in ("measurements", "measure_at")}
    return TaskScouts(learned=learned, measurements=tuple(_measurement(each) for each in measurements))


def rounds(rows: Sequence[Round]) -> tuple[TaskRound, ...]:
    """The verdicts of a task, oldest first."""
    return tuple(
        TaskRound(
            round=row.round, status=row.status, ended_at=row.ended_at, text=str(row.verdict.get("text") or row.status),
            n_errors=int(row.verdict.get("n_errors") or 0),
        )
        for row in rows
    )  # fmt: skip


def task_errors(task_id: int, found: errors.Summary) -> TaskErrors:
    """The errors of a task."""
    return TaskErrors(task_id=task_id, n=found.n, n_others=found.n_others, groups=tuple(_group(group) for group in found.groups))


def _measurement(row: Measurement) -> TaskMeasurement:
    return TaskMeasurement(
        round=row.round, number=row.number, measured_at=row.measured_at, n_jobs=row.n_jobs, n_finished=row.n_finished, n_failed=row.n_failed,
        verdict=row.verdict, quantities=tuple(MeasuredQuantity(**each | {"job_ids": tuple(each["job_ids"])}) for each in row.quantities),
        findings=tuple(ScoutFinding(**each | {"job_ids": tuple(each["job_ids"])}) for each in row.findings),
    )  # fmt: skip


def _group(group: errors.ErrorGroup) -> ErrorGroup:
    outcome = Outcome(group.domain, group.code)
    return ErrorGroup(
        fingerprint=group.fingerprint, domain=group.domain, code=group.code, name=outcome.name, pattern=group.pattern, message=group.message,
        advice=outcome.advice, n=group.n, queues=dict(group.queues), first_at=group.first_at, last_at=group.last_at, job_ids=group.job_ids,
    )  # fmt: skip
