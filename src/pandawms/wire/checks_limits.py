"""What resources, retries, scouts, goal, queues and deadline of a document must fulfil together. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from pandawms.domain.errors import Invalid
from pandawms.domain.gpu import ANY_MODEL
from pandawms.wire.document import TaskDocument
from pandawms.wire.findings import clash


def limits(document: TaskDocument) -> Iterator[Invalid]:
    """All that contradicts itself about what jobs may use, how often they are tried, and where."""
    yield from _resources(document)
    yield from _retry(document)
    yield from _scouts(document)
    yield from _queues(document)
    yield from _deadline(document)


def _resources(document: TaskDocument) -> Iterator[Invalid]:
    need = document.resources
    yield from _above("resources.base_memory_mb", need.base_memory_mb, "resources.memory_mb", need.memory_mb)
    yield from _above("resources.work_mb", need.work_mb, "resources.disk_mb", need.disk_mb)
    yield from _above("resources.base_seconds", need.base_seconds, "resources.wall_seconds", need.wall_seconds)
    for name, value, any_value in (("gpu_model", need.gpu_model, ANY_MODEL), ("gpu_memory_mb", need.gpu_memory_mb, 0)):
        if value != any_value and need.gpus == 0:
            hint = "ask for GPUs with resources.gpus"
            yield clash(f"resources.{name}", value, "resources.gpus", "a job has no GPU", allowed=f"{any_value} while gpus is 0", hint=hint)


def _above(field: str, value: int | None, other: str, limit: int | None) -> Iterator[Invalid]:
    if value is not None and limit is not None and value > limit:
        yield clash(field, value, other, f"a part is larger than the whole, {limit}", allowed=f"at most {limit}", hint=f"raise {other}", code="impossible")


def _retry(document: TaskDocument) -> Iterator[Invalid]:
    retry, need = document.retry, document.resources
    if retry.max_failures is not None and retry.max_failures > retry.max_attempts:
        why = f"there are {retry.max_attempts} attempts at most, failures among them"
        hint = f"raise retry.max_attempts to {retry.max_failures} or more"
        yield clash("retry.max_failures", retry.max_failures, "retry.max_attempts", why, allowed=f"at most {retry.max_attempts}", hint=hint, code="impossible")
    if retry.max_memory_mb is not None and retry.max_memory_mb < need.memory_mb:
        why = f"the first attempt asks for {need.memory_mb}"
        hint = "raise retry.max_memory_mb or lower resources.memory_mb"
        yield clash("retry.max_memory_mb", retry.max_memory_mb, "resources.memory_mb", why, allowed=f"at least {need.memory_mb}", hint=hint, code="impossible")
    for name in ("memory_step_mb", "max_memory_mb"):
        value = getattr(retry, name)
        if value is not None and need.is_fixed:
            yield clash(f"retry.{name}", value, "resources.is_fixed", "nothing changes fixed resources")
    if retry.memory_step_mb is not None and retry.max_attempts == 1:
        hint = "allow more attempts"
        yield clash("retry.memory_step_mb", retry.memory_step_mb, "retry.max_attempts", "there is no second attempt that could have more memory", hint=hint)


def _scouts(document: TaskDocument) -> Iterator[Invalid]:
    scouts, split = document.scouts, document.split
    if scouts.jobs and split.max_jobs is not None and scouts.from_jobs <= split.max_jobs < scouts.jobs:
        why = f"there are {split.max_jobs} jobs at most"
        yield clash("scouts.jobs", scouts.jobs, "split.max_jobs", why, allowed=f"at most {split.max_jobs}", hint="lower scouts.jobs", code="impossible")
    if scouts.jobs and split.n_jobs is not None and scouts.from_jobs <= split.n_jobs < scouts.jobs:
        why = f"there are {split.n_jobs} jobs"
        yield clash("scouts.jobs", scouts.jobs, "split.n_jobs", why, allowed=f"at most {split.n_jobs}", hint="lower scouts.jobs", code="impossible")


def _queues(document: TaskDocument) -> Iterator[Invalid]:
    for n, name in enumerate(document.queues):
        if name in document.exclude_queues:
            yield clash(f"queues[{n}]", name, f"exclude_queues[{document.exclude_queues.index(name)}]", "a queue is asked for and ruled out")


def _deadline(document: TaskDocument) -> Iterator[Invalid]:
    need, deadline = document.resources, document.expires_after_seconds
    if deadline is not None and need.base_seconds >= deadline:
        why = f"no job can end before {need.base_seconds} seconds"
        allowed = f"more than {need.base_seconds}"
        yield clash("expires_after_seconds", deadline, "resources.base_seconds", why, allowed=allowed, hint="give the task more time", code="impossible")
