"""Measures the jobs of a task and acts on what they show: its scouts once, and again when a hundred more jobs have finished."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import ceil
from typing import Any

from pandawms.domain.snapshot import JobKind
from pandawms.domain.stages import Stage
from pandawms.domain.task import TaskEvent, TaskStatus
from pandawms.engine.aggregate import measuring
from pandawms.engine.aggregate.measuring import Sample
from pandawms.engine.aggregate.scouts import Case, Judgement, Standing, Window, judge, measure_again
from pandawms.engine.requirements import effective
from pandawms.engine.services import ScoutLimits
from pandawms.engine.splitting.limits import MOST_FILES
from pandawms.store import brokerage, measures, retry_rules, tasks, units
from pandawms.store.database import Connection
from pandawms.store.measures import Scouts, Used
from pandawms.store.units import Progress
from pandawms.wire.document import TaskDocument
from pandawms.wire.document_view import MAX_PAYLOAD_OUTPUTS, MAX_PAYLOADS, has_payloads, is_counted_in_events

WHO = str(Stage.AGGREGATE)
MEASURED_JOBS = 500
"""Jobs that one measurement looks at, the newest."""
MORE_JOBS = 100
"""Jobs that must finish before what the scouts showed is measured again (semantics 3.6)."""
MB = 2**20
EVENTS = {"scouted": TaskEvent.JUDGE_SCOUTS, "exhausted": TaskEvent.EXHAUST, "broken": TaskEvent.FAIL_SCOUTS}


async def has_scouts_out(connection: Connection, task: tasks.Task, document: TaskDocument) -> bool:
    """Whether a task is scouting, or was when it was interrupted: it is ready then, and its scouts are out or have ended meanwhile."""
    if task.status != TaskStatus.READY or document.scouts.jobs == 0:
        return task.status == TaskStatus.SCOUTING
    return await measures.has_scouts_out(connection, task.task_id)


async def judge_scouts(connection: Connection, limits: ScoutLimits, task: tasks.Task, document: TaskDocument) -> None:
    """Moves a scouting task on when enough of its scouts have ended, and keeps what they showed. Locks allocations, then the task."""
    progress, scouts = await units.progress(connection, task.task_id), await measures.scouts(connection, task.task_id)
    window = _window(document, progress, scouts)
    if scouts.n_made == 0 or window.standing is Standing.WAIT or await retry_rules.has_unjudged(connection, task.task_id):
        return
    case = await _case(connection, limits, task, document, progress)
    found = judge(window, case, limits)
    await brokerage.drop(connection, task.task_id)
    if await tasks.move(connection, task.task_id, EVENTS[found.verdict], WHO, _why(found)) is None:
        return
    await _keep(connection, task, case, found, scouts.n_made, scouts.n_finished, scouts.n_failed)
    if found.verdict == "scouted":
        await tasks.explain(connection, task.task_id, None, 0)
    await tasks.touch(connection, [task.task_id])


async def measure(connection: Connection, limits: ScoutLimits, task: tasks.Task, document: TaskDocument) -> None:
    """Measures a task again that a hundred more jobs were finished of, or for the first time when its scouting was ended by a command."""
    n_before, due_at = task.learned.get("measurements", 0), task.learned.get("measure_at", 0)
    is_due = n_before == 1 or (n_before == 0 and task.ordered.get("avalanche"))
    if not is_due or (due_at and await measures.finished_jobs(connection, task.task_id, due_at) < due_at):
        return
    case = await _case(connection, limits, task, document, await units.progress(connection, task.task_id))
    if not case.samples:
        return
    found = measure_again(case, limits)
    await brokerage.drop(connection, task.task_id)
    if found.verdict == "exhausted" and await tasks.move(connection, task.task_id, TaskEvent.EXHAUST, WHO, _why(found)) is None:
        return
    await _keep(connection, task, case, found, len(case.samples), len(case.samples), 0)


async def _keep(connection: Connection, task: tasks.Task, case: Case, found: Judgement, n_jobs: int, n_finished: int, n_failed: int) -> None:
    await measures.add(
        connection, task.task_id, n_jobs=n_jobs, n_finished=n_finished, n_failed=n_failed, verdict=found.verdict,
        quantities=[asdict(quantity) | {"text": quantity.text} for quantity in found.quantities], findings=[asdict(finding) for finding in found.findings],
    )  # fmt: skip
    more = {"measurements": task.learned.get("measurements", 0) + 1, "measure_at": n_finished + MORE_JOBS}
    await measures.learn(connection, task.task_id, merged(task.learned, found.learned) | await _of_merges(connection, task, case) | more)


def merged(before: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a task has learned with what was found now. Limits at which jobs are ended never go down again: a retry rule may have raised them."""
    higher = {name: max(before[name], found[name]) for name in ("memory_mb", "wall_seconds", "work_mb") if name in before and name in found}
    return dict(before) | dict(found) | higher


async def _of_merges(connection: Connection, task: tasks.Task, case: Case) -> dict[str, Any]:
    """Merge jobs are measured by themselves, when there are some: memory and wall time."""
    samples = [_sample(used) for used in await measures.samples(connection, task.task_id, str(JobKind.MERGE), MEASURED_JOBS)]
    found = measuring.learned(measuring.quantities(samples, case.asked))
    return {f"merge_{name}": found[name] for name in ("memory_mb", "wall_seconds") if name in found}


def _window(document: TaskDocument, progress: Progress, scouts: Scouts) -> Window:
    """More scouts may come while fewer than wanted were made and there is, or may come, input for them."""
    has_more = not progress.is_complete or progress.n_used < progress.n_listed
    is_open = scouts.is_under_way or (scouts.n_made < document.scouts.jobs and has_more)
    return Window(document.scouts.jobs, scouts.n_made, scouts.n_finished, is_open=is_open, success=document.scouts.success)


async def _case(connection: Connection, limits: ScoutLimits, task: tasks.Task, document: TaskDocument, progress: Progress) -> Case:
    samples = [_sample(used) for used in await measures.samples(connection, task.task_id, str(JobKind.RUN), MEASURED_JOBS)]
    per_job, larger_files = _units_per_job(samples), larger(document, limits)
    return Case(
        samples, effective(document.resources, None, task.ordered), ceil((progress.n_listed - progress.n_used) / per_job), larger_files,
        may_be_larger=_may_be_larger(document, per_job, larger_files), was_enlarged=bool(task.learned.get("larger_jobs")),
    )  # fmt: skip


def _units_per_job(samples: Sequence[Sample]) -> float:
    return max(1.0, sum(sample.n_units for sample in samples) / len(samples)) if samples else 1.0


def larger(document: TaskDocument, limits: ScoutLimits) -> int:
    """Returns how many files a job may take after the scouts were too short: as set, and no more than a job ever has, a merge takes or a report can tell."""
    if not has_payloads(document):
        return min(limits.larger_files, MOST_FILES)
    a_merge = document.merge and document.merge.files_per_job
    return min(limits.larger_files, MAX_PAYLOADS, a_merge or MAX_PAYLOADS, MAX_PAYLOAD_OUTPUTS // max(1, len(document.outputs)))


def _may_be_larger(document: TaskDocument, units_per_job: float, larger_files: int) -> bool:
    split = document.split
    is_fixed = document.resources.is_fixed or is_counted_in_events(document) or split.events_per_job or split.n_jobs or split.boundary
    return not is_fixed and units_per_job < larger_files


def _sample(used: Used) -> Sample:
    return Sample(
        used.job_id, used.wall_seconds or 0.0, used.cpu_seconds or None, used.max_rss_mb, max(1, used.n_units), used.n_events, used.input_bytes / MB,
        used.output_bytes / MB, used.disk_mb,
    )  # fmt: skip


def _why(found: Judgement) -> dict[str, Any]:
    code = next((finding.code for finding in found.findings if finding.is_abnormal), f"scouts.{found.verdict}")
    return {"code": code, "text": found.text}
