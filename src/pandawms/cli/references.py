"""What a word on the command line names: a task by id or name, or a job (`job:12`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from pandawms.domain.errors import Invalid, NotFound

OfTask = TypeVar("OfTask")
OfJob = TypeVar("OfJob")


@dataclass(frozen=True, slots=True)
class Reference:
    """A task or a job. `is_exact` is false for a bare number, which may be either."""

    kind: Literal["task", "job"]
    name: str
    is_exact: bool = True


def parse_reference(text: str, *, number_is: Literal["task", "job"] = "task") -> Reference:
    """Reads `job:12`, `task:10000001`, a task's name, or a bare number, which is taken for `number_is` first."""
    kind, colon, name = text.partition(":")
    if not colon:
        return Reference(number_is if text.isdigit() else "task", text, not text.isdigit())
    if kind not in ("task", "job") or not name or (kind == "job" and not name.isdigit()):
        hint = "write a task's name or id, or job:12 for a job"
        raise Invalid(f"{text} names neither a task nor a job", code="bad_reference", field="reference", value=text, hint=hint)
    return Reference("job" if kind == "job" else "task", name)


def resolved(reference: Reference, task: Callable[[str], OfTask], job: Callable[[int], OfJob]) -> OfTask | OfJob:
    """What the right one of the two gives; a bare number that is not the one is tried as the other."""
    if not reference.is_exact:
        first, second = ("task", "job") if reference.kind == "task" else ("job", "task")
        try:
            return _called(first, reference.name, task, job)
        except NotFound as error:
            try:
                return _called(second, reference.name, task, job)
            except NotFound:
                raise error from None
    return _called(reference.kind, reference.name, task, job)


def _called(kind: str, name: str, task: Callable[[str], OfTask], job: Callable[[int], OfJob]) -> OfTask | OfJob:
    return job(int(name)) if kind == "job" else task(name)
