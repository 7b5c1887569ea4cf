"""Says what retry rules did about the failure of a job, and about those of a task. Pure."""

from collections.abc import Iterator, Sequence

from pandawms.store.retry_rules import Done, DoneCount
from pandawms.wire.why import Cause


def of_job(done: Sequence[Done]) -> Iterator[Cause]:
    """One cause for each rule that acted, or would have."""
    for each in done:
        yield Cause(code=f"retry.{each.action}", text=f"{_who(each.rule, is_applied=each.is_applied)}: {each.reason}", since=each.at, value=each.after)


def of_task(counts: Sequence[DoneCount]) -> Iterator[Cause]:
    """One cause for each rule, with how many failures it acted on and the newest of them."""
    for each in counts:
        times = f"{each.n:,} failure{'s' * (each.n != 1)}"
        yield Cause(code=f"retry.{each.action}", text=f"{_who(each.rule, is_applied=each.is_applied)}, {times}: {each.reason}", value=each.n)


def _who(rule: str | None, *, is_applied: bool) -> str:
    name = f"rule {rule}" if rule else "retries"
    return name if is_applied else f"{name} (did nothing)"
