"""A rule of a plugin that breaks its promise rejects the queue by its own name; it never stops the brokerage of others."""

import math
from dataclasses import dataclass

import pytest

from pandawms.domain.snapshot import QueueSnapshot, Rejection, TaskSnapshot
from pandawms.engine.broker.plan import plan
from tests.unit.engine.pictures import queue, task


@dataclass(frozen=True)
class Bad:
    """A rule that gives a factor that is none."""

    factor: float
    name: str = "bad"

    def judge(self, task: TaskSnapshot, queue: QueueSnapshot) -> Rejection | float:
        """Gives it."""
        return self.factor


@pytest.mark.parametrize("factor", [0.0, -1.0, math.inf, math.nan])
def test_a_factor_that_is_not_above_zero_and_finite_rejects_the_queue(factor: float) -> None:
    found = plan(task(), [queue()], [Bad(factor)])
    assert (found.shares, found.candidates) == ((), ())
    assert [rejection.rule for rejection in found.rejections] == ["bad"]
