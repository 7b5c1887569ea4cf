"""Failures, units and tasks for the tests of retries, and strategies that make many of them."""

from typing import Any

from hypothesis import strategies as st

from pandawms.domain.codes import Code
from pandawms.domain.outcome import Outcome, outcome
from pandawms.domain.retry_rule import Action, Mode, Rule
from pandawms.engine.aggregate.retries.values import FailedUnit, Failure, TaskPicture

OOM = Code.TOO_MUCH_MEMORY


def failed(code: Code = Code.PAYLOAD_FAILED, message: str = "", job_id: int = 1, **changes: Any) -> Failure:
    """A job that failed with this code."""
    given: dict[str, Any] = {"outcome": outcome(code, message), "queue_id": 1, "queue": "q1"} | changes
    return Failure(job_id, **given)


def unit(attempt: int = 1, max_attempts: int = 3, number: int = 1, job_id: int = 1, **changes: Any) -> FailedUnit:
    """A unit whose job failed, each try of it a failure."""
    given: dict[str, Any] = {"failed_attempts": attempt} | changes
    return FailedUnit(number, job_id, attempt, max_attempts, **given)


def rule(action: Action, code: Code | None = None, name: str = "r", **changes: Any) -> Rule:
    """An operators' rule for a code, or for everything of the payload."""
    given: dict[str, Any] = {"domain": str(code.domain) if code else "payload", "code": code.number if code else None, "version": 1} | changes
    return Rule(name, action, **given)


CODES = st.sampled_from([code for code in Code if code is not Code.SUCCESS])
MEGABYTES = st.integers(1, 20_000)


def _outcome(code: Code, signal: int | None, message: str, retryable: bool) -> Outcome:
    return Outcome(code.domain, code.number, None, signal, message, retryable)


OUTCOMES = st.builds(_outcome, CODES, st.sampled_from([None, 9, 11]), st.sampled_from(["", "MemoryError", "Killed", "quota exceeded"]), st.booleans())


def failures(job_id: int) -> st.SearchStrategy[Failure]:
    """Any way in which a job can fail."""
    return st.builds(
        Failure, st.just(job_id), OUTCOMES, st.integers(1, 3), st.sampled_from(["q1", "q2", "q3"]), is_closed=st.booleans(), attempt=st.integers(1, 60),
        cores=st.integers(1, 8), memory_mb=MEGABYTES, wall_seconds=st.integers(1, 100_000), max_rss_mb=st.none() | MEGABYTES, n_units=st.integers(1, 9),
        has_other_copy=st.booleans(),
    )  # fmt: skip


@st.composite
def units(draw: st.DrawFn, number: int, job_id: int) -> FailedUnit:
    """Any unit of a failed job, with counters that fit together."""
    attempt = draw(st.integers(1, 120))
    failed_attempts = draw(st.integers(0, attempt))
    return FailedUnit(
        number, job_id, attempt, max_attempts=draw(st.integers(attempt, 130)), failed_attempts=failed_attempts,
        forgiven_failures=draw(st.integers(0, failed_attempts)), free_attempts=draw(st.integers(0, min(50, attempt - 1))),
        max_failures=draw(st.none() | st.integers(1, 9)), memory_mb=draw(st.none() | MEGABYTES), wall_seconds=draw(st.none() | st.integers(1, 100_000)),
        units_per_job=draw(st.none() | st.integers(1, 9)),
    )  # fmt: skip


@st.composite
def rules(draw: st.DrawFn, name: str) -> Rule:
    """Any rule that can be in the table."""
    code = draw(st.none() | CODES)
    return Rule(
        name, draw(st.sampled_from(Action)), str(code.domain) if code else draw(st.sampled_from(["payload", "data", "pilot", "dispatch", "task"])),
        code.number if code else None, draw(st.sampled_from([None, "Memory", "quota .* exceeded", "^$"])),
        queue=draw(st.none() | st.sampled_from(["q1", "q*"])), task_name=draw(st.none() | st.just("t*")),
        max_attempts=draw(st.none() | st.integers(1, 9)), step_mb=draw(st.none() | MEGABYTES), offset_mb=draw(st.none() | MEGABYTES),
        max_memory_mb=draw(st.none() | MEGABYTES), factor=draw(st.none() | st.floats(1.1, 10)), max_wall_seconds=draw(st.none() | st.integers(1, 100_000)),
        avoid_seconds=draw(st.none() | st.integers(60, 1000)), max_ignored=draw(st.none() | st.integers(1, 50)), mode=draw(st.sampled_from(Mode)),
        version=draw(st.integers(0, 3)),
    )  # fmt: skip


TASKS = st.builds(
    TaskPicture, st.just(1), st.just("t1"), st.just("local"), memory_mb=MEGABYTES, max_failures=st.none() | st.integers(1, 9),
    max_memory_mb=st.none() | MEGABYTES, memory_step_mb=st.none() | MEGABYTES, use_rules=st.booleans(), is_fixed=st.booleans(),
    most_memory_mb=st.none() | MEGABYTES, most_wall_seconds=st.none() | st.integers(1, 100_000),
    open_queues=st.frozensets(st.integers(1, 3)), n_units=st.integers(1, 40),
)  # fmt: skip


@st.composite
def cases(draw: st.DrawFn) -> tuple[TaskPicture, list[Rule], dict[int, Failure], list[FailedUnit]]:
    """A task, a table of rules, and failed jobs with their units."""
    n_jobs = draw(st.integers(1, 4))
    jobs = {job_id: draw(failures(job_id)) for job_id in range(1, n_jobs + 1)}
    its = [draw(units(10 * job_id + n, job_id)) for job_id in jobs for n in range(draw(st.integers(1, 3)))]
    table = [draw(rules(f"r{n}")) for n in range(draw(st.integers(0, 6)))]
    return draw(TASKS), table, jobs, its
