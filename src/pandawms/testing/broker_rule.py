"""What every broker rule must hold; `check(rule)` is the whole suite.

It judges a fixed set of tasks and queues, among them the edges: no GPU and many, no data and some, empty and full queues, all statuses. It cannot see
whether a rule reads the clock or draws random numbers other than by asking again: a rule gets all that it may know in its two snapshots.
"""

import math
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from itertools import product
from typing import Any

from pandawms.domain.queue import QueueStatus
from pandawms.domain.snapshot import QueueSnapshot, Rejection, Requirement, TaskSnapshot
from pandawms.domain.task import TaskStatus
from pandawms.plugins.broker_rule import BrokerRule

NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")
LONGEST_REASON = 300
OUTSIDE = ("open", "os.", "socket.", "subprocess.", "urllib.", "sqlite3.")
"""Audit events of Python that a pure function never raises (PEP 578)."""

Verdict = Rejection | float


def check(rule: BrokerRule) -> None:
    """Raises AssertionError unless the rule has a name, gives only verdicts, the same for the same pictures, and touches nothing else."""
    check_name(rule)
    pairs = list(product(tasks(), queues()))
    first = {index: judged(rule, task, queue) for index, (task, queue) in enumerate(pairs)}
    check_stable(rule, pairs, first)
    check_pure(rule, pairs)


def check_name(rule: BrokerRule) -> None:
    """The name is one word in lower case, and stays the same: people read it beside every rejection and programs compare it."""
    name = rule.name
    assert isinstance(name, str) and NAME.fullmatch(name), f"the name {name!r} is not a word of lower-case letters, digits and _"
    assert rule.name == name, f"the name of {name} changes"


def judged(rule: BrokerRule, task: TaskSnapshot, queue: QueueSnapshot) -> Verdict:
    """Returns the rule's verdict after looking at its type: a Rejection of this queue by this rule, or a finite factor above 0."""
    verdict: Any = rule.judge(task, queue)
    if isinstance(verdict, Rejection):
        _check_rejection(rule, queue, verdict)
        return verdict
    is_number = isinstance(verdict, int | float) and not isinstance(verdict, bool)
    assert is_number, f"{rule.name} gave {verdict!r}, which is neither a Rejection nor a number"
    assert math.isfinite(verdict) and verdict > 0, f"{rule.name} gave the factor {verdict!r}; it must be finite and above 0"
    return float(verdict)


def _check_rejection(rule: BrokerRule, queue: QueueSnapshot, verdict: Rejection) -> None:
    assert verdict.queue == queue.name, f"{rule.name} was asked about queue {queue.name} and rejected {verdict.queue}"
    assert verdict.rule == rule.name, f"a rejection of {rule.name} names the rule {verdict.rule}"
    reason = verdict.reason
    assert reason and len(reason) <= LONGEST_REASON and reason.isprintable(), f"{rule.name} must give its reason in one line, not {reason!r}"
    for what, value in (("limit", verdict.limit), ("value", verdict.value)):
        assert value is None or type(value) in (int, float, str), f"the {what} of {rule.name}'s rejection is a {type(value).__name__}, and is kept as JSON"


def check_stable(rule: BrokerRule, pairs: list[tuple[TaskSnapshot, QueueSnapshot]], first: dict[int, Verdict]) -> None:
    """The same pictures give the same verdict: asked again, in another order, and as copies; and the pictures stay as they were."""
    for index, (task, queue) in reversed(list(enumerate(pairs))):
        copies = deepcopy((task, queue))
        again = judged(rule, *copies)
        assert again == first[index], f"{rule.name} said {first[index]!r} about queue {queue.name}, and {again!r} when it was asked again"
        assert copies == (task, queue), f"{rule.name} changed the pictures that it was shown"


def check_pure(rule: BrokerRule, pairs: list[tuple[TaskSnapshot, QueueSnapshot]]) -> None:
    """Judging opens no file, socket or process. What a rule must look up once belongs into its constructor."""
    seen: list[str] = []
    with _watched(seen):
        for task, queue in pairs:
            rule.judge(task, queue)
    assert not seen, f"{rule.name} is not pure: judging caused {', '.join(sorted(set(seen)))}"


@contextmanager
def _watched(seen: list[str]) -> Iterator[None]:
    """Notes the audit events of its block. Python keeps an audit hook for ever, so the hook is told when to stop."""
    is_on = True

    def note(event: str, _arguments: tuple[Any, ...]) -> None:
        if is_on and event.startswith(OUTSIDE):
            seen.append(event)

    sys.addaudithook(note)
    try:
        yield
    finally:
        is_on = False


def tasks() -> Iterator[TaskSnapshot]:
    """Yields pictures of tasks: an ordinary one, and one for each thing that a rule may look at."""
    plain = TaskSnapshot(
        task_id=10_000_001, name="plain", status=TaskStatus.READY, community="local", owner="ann", priority=1000, requirement=Requirement(), open_units=12
    )
    yield plain
    yield replace(plain, name="none_left", open_units=0)
    yield replace(plain, name="large", requirement=Requirement(cores=64, memory_mb=512_000, disk_mb=2_000_000, wall_seconds=2_592_000))
    yield replace(plain, name="gpu", requirement=Requirement(cores=4, memory_mb=16_000, gpus=2))
    yield replace(plain, name="arm", requirement=Requirement(architecture="aarch64"))
    yield replace(plain, name="listed", allowed_queues=frozenset({"large", "nowhere"}))
    yield replace(plain, name="reads_data", endpoints=frozenset({1, 2, 3}), units_per_job=5)
    yield replace(plain, name="foreign", community="other", owner="bob", priority=0)
    yield replace(plain, name="test", is_test=True, status=TaskStatus.RUNNING)


def queues() -> Iterator[QueueSnapshot]:
    """Yields pictures of queues: an ordinary one, one in each status, and one for each thing that a rule may look at."""
    plain = QueueSnapshot(queue_id=1, name="plain", status=QueueStatus.ONLINE, cores=1, memory_mb=2000, disk_mb=10_000, max_wall_seconds=86_400, slots=100)
    yield plain
    for number, status in enumerate(QueueStatus, start=2):
        yield replace(plain, queue_id=number, name=f"is_{status}", status=status)
    yield replace(plain, queue_id=11, name="large", cores=128, memory_mb=1_024_000, disk_mb=4_000_000, max_wall_seconds=2_592_000)
    yield replace(plain, queue_id=12, name="tiny", memory_mb=1, disk_mb=1, max_wall_seconds=1)
    yield replace(plain, queue_id=13, name="gpu", cores=8, memory_mb=64_000, gpus=4)
    yield replace(plain, queue_id=14, name="arm", architecture="aarch64")
    yield replace(plain, queue_id=15, name="other", community="other")
    yield replace(plain, queue_id=16, name="near_data", endpoints=frozenset({2}))
    yield replace(plain, queue_id=17, name="busy", running_jobs=100, waiting_jobs=1_000_000)
    yield replace(plain, queue_id=18, name="of_unknown_size", slots=None)
