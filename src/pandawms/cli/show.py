"""Show one task or job (or several) in full."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pandawms.cli.exit_codes import ExitCode
from pandawms.cli.references import parse_reference, resolved
from pandawms.cli.terminal import bytes_text, seconds_text
from pandawms.wire.job import JobCopies, JobDetail, JobPayload, StepUse
from pandawms.wire.task import TaskDetail, TaskOutput

if TYPE_CHECKING:
    from pandawms.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of show."""
    parser.add_argument("references", nargs="+", metavar="TASK", help="task names or ids, job:ID for jobs, - for standard input")


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Shows each of them."""
    terminal, references = session.terminal, session.references(arguments.references)
    with session.client() as client:
        for number, text in enumerate(references):
            found: TaskDetail | JobDetail = resolved(parse_reference(text), client.tasks.get, client.jobs.get)
            if number and not terminal.as_json:
                terminal.line()
            terminal.record(found, _task(found) if isinstance(found, TaskDetail) else _job(found))
    return ExitCode.OK


def _task(task: TaskDetail) -> dict[str, Any]:
    own = {
        "task_id": task.task_id,
        "name": task.name,
        "description": task.description or None,
        "status": task.status,
        "reason": task.reason,
        "owner": task.owner,
        "community": task.community,
        "priority": task.priority,
        "inputs": {name: count for name, count in zip(("total", "ready", "running", "finished", "failed"), _counts(task), strict=True) if count},
        "jobs": task.jobs,
        "attempts": task.attempts,
        "retries": task.retries,
        "events": None if task.events_total is None else f"{task.events_finished or 0} of {task.events_total}",
        "coverage": f"{task.coverage:.1%}",
        "wall": seconds_text(task.wall_seconds),
        "cpu": seconds_text(task.cpu_seconds),
        "created_at": task.created_at,
        "started_at": task.started_at,
        "ended_at": task.ended_at,
    }
    return own | _measured(task) | {f"output {output.stream}": _output(output) for output in task.outputs}


def _output(output: TaskOutput) -> str:
    return f"{output.dataset} ({output.n_files} files, {bytes_text(output.size_bytes)}, {output.status})"


def _measured(task: TaskDetail) -> dict[str, Any]:
    """What scouts showed, and the verdicts of the rounds when there were several."""
    shown: dict[str, Any] = {}
    for found in task.scouts.measurements if task.scouts else ():
        name = "scouts" if found.verdict != "measured" else f"measured again ({found.n_jobs} jobs)"
        counted = f"{found.verdict}, {found.n_finished} of {found.n_jobs} succeeded" if name == "scouts" else ""
        told = [quantity.text for quantity in found.quantities if quantity.is_applied] + [finding.text for finding in found.findings]
        shown[name] = "; ".join(filter(None, (counted, *told)))
    if len(task.rounds) > 1:
        shown |= {f"round {each.round}": f"{each.status}: {each.text}" for each in task.rounds}
    return shown


def _counts(task: TaskDetail) -> tuple[int, ...]:
    inputs = task.inputs
    return inputs.total, inputs.ready, inputs.running, inputs.finished, inputs.failed


def _job(job: JobDetail) -> dict[str, Any]:
    outcome = job.outcome
    return {
        "job_id": job.job_id,
        "task": f"{job.task_name} ({job.task_id})" if job.task_name else job.task_id,
        "kind": job.kind,
        "status": job.status,
        "reason": job.reason,
        "outcome": None if outcome is None else f"{outcome.name or outcome.code}: {outcome.message}",
        "advice": None if outcome is None else outcome.advice,
        "attempt": job.attempt,
        "previous_job_id": job.previous_job_id,
        "queue": job.queue,
        "node": job.node,
        "worker_id": job.worker_id,
        "command": job.command or None,
        "library": job.library,
        "first_event": job.first_event,
        "n_events": job.n_events,
        "seed": job.seed,
        "wall": None if job.wall_seconds is None else seconds_text(job.wall_seconds),
        "cpu": None if job.cpu_seconds is None else seconds_text(job.cpu_seconds),
        "max_rss_mb": job.max_rss_mb,
        **{f"step {step.name}": _step(step) for step in job.steps},
        **_payloads(job.payloads),
        "copies": None if job.cloning is None else _copies(job.cloning),
        "created_at": job.created_at,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
        "log": f"panda logs {job.job_id}" if job.has_log else None,
    } | _retried(job)


def _copies(cloning: JobCopies) -> str:
    each = [f"job {copy.job_id} in {copy.queue}: {copy.status}{' (won)' if copy.job_id == cloning.winner_job_id else ''}" for copy in cloning.copies]
    return f"{cloning.mode}; {', '.join(each)}"


def _payloads(payloads: Sequence[JobPayload]) -> dict[str, Any]:
    """How many payloads came to which end, and each that was begun."""
    if not payloads:
        return {}
    counts = Counter(payload.status for payload in payloads)
    ends = {f"payload {payload.n}": _payload(payload) for payload in payloads if payload.wall_seconds is not None}
    return {"payloads": ", ".join(f"{n} {status}" for status, n in counts.most_common())} | ends


def _payload(payload: JobPayload) -> str:
    outcome, what = payload.outcome, payload.name or f"unit {payload.number}"
    end = payload.status if outcome is None or payload.status == "finished" else f"{outcome.name or outcome.code}: {outcome.message}"
    return f"{what}, {end}, wall {seconds_text(payload.wall_seconds)}, cpu {seconds_text(payload.cpu_seconds)}, {payload.max_rss_mb or 0} MB"


def _step(step: StepUse) -> str:
    end = "did not end by itself" if step.exit_code is None else f"exit code {step.exit_code}"
    return f"{end}, wall {seconds_text(step.wall_seconds)}, cpu {seconds_text(step.cpu_seconds)}, {step.max_rss_mb:g} MB"


def _retried(job: JobDetail) -> dict[str, Any]:
    """What retry rules did about its failure, or would have done."""
    shown: dict[str, Any] = {}
    for act in job.retry_acts:
        name = f"rule {act.rule}" if act.rule else "retries"
        shown[name] = "; ".join(filter(None, (shown.get(name), act.reason if act.is_applied else f"did nothing: {act.reason}")))
    return shown
