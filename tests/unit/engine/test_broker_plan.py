"""The broker covers all open units with queues that passed, in proportion to their weights."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandawms.domain.snapshot import QueueSnapshot, Rejection, TaskSnapshot
from pandawms.engine.broker.plan import Candidate, judge, plan
from pandawms.engine.broker.rules import RULES
from tests.unit.engine.pictures import queue, task


@dataclass(frozen=True)
class Given:
    """A rule that says what it was told for each queue: a weight, or nothing for a rejection."""

    weights: tuple[float | None, ...]
    name: str = "given"

    def judge(self, task: TaskSnapshot, queue: QueueSnapshot) -> Rejection | float:
        """Says it."""
        weight = self.weights[queue.queue_id]
        return Rejection(queue.name, self.name, "told so") if weight is None else weight


@dataclass(frozen=True)
class Never:
    """A rule that must not be asked."""

    name: str = "never"

    def judge(self, task: TaskSnapshot, queue: QueueSnapshot) -> Rejection | float:
        """Fails the test."""
        raise AssertionError("asked after a rejection")


weights = st.lists(st.one_of(st.none(), st.floats(1e-6, 1e6)), max_size=12).map(tuple)


@given(weights, st.integers(1, 100_000), st.integers(1, 500))
def test_shares_cover_the_open_units_exactly_and_never_go_to_a_rejected_queue(told: tuple[float | None, ...], open_units: int, units_per_job: int) -> None:
    queues = [queue(f"q{i}", queue_id=i) for i in range(len(told))]
    found = plan(task(open_units=open_units, units_per_job=units_per_job), queues, [Given(told)])
    passed = {i for i, weight in enumerate(told) if weight is not None}
    assert sum(share.quota for share in found.shares) == (open_units if passed else 0)
    assert all(share.quota > 0 for share in found.shares)
    assert len({share.queue_id for share in found.shares}) == len(found.shares)
    assert {share.queue_id for share in found.shares} <= passed == {candidate.queue.queue_id for candidate in found.candidates}
    assert {rejection.queue for rejection in found.rejections} == {f"q{i}" for i in range(len(told))} - {f"q{i}" for i in passed}


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=12).map(tuple), st.integers(1, 100_000), st.integers(1, 500))
def test_each_share_differs_from_its_due_by_less_than_a_job_at_either_end(told: tuple[float, ...], open_units: int, units_per_job: int) -> None:
    queues = [queue(f"q{i}", queue_id=i) for i in range(len(told))]
    found = plan(task(open_units=open_units, units_per_job=units_per_job), queues, [Given(told)])
    n_jobs, given_units = -(-open_units // units_per_job), {share.queue_id: share.quota for share in found.shares}
    for i, weight in enumerate(told):
        jobs = -(-given_units.get(i, 0) // units_per_job)
        assert abs(jobs - n_jobs * weight / sum(told)) <= 1 + 1e-6
    whole = [share.quota for share in found.shares if share.quota % units_per_job]
    assert len(whole) <= 1, "at most one queue gets a job that is not full"


def test_weights_of_all_rules_are_multiplied_and_the_heaviest_comes_first() -> None:
    queues = [queue(f"q{i}", queue_id=i) for i in range(3)]
    found = plan(task(open_units=7), queues, [Given((1.0, 2.0, 4.0)), Given((1.0, 1.0, 1.0))])
    assert [(c.queue.name, c.weight) for c in found.candidates] == [("q2", 4.0), ("q1", 2.0), ("q0", 1.0)]
    assert [(s.queue_id, s.quota) for s in found.shares] == [(2, 4), (1, 2), (0, 1)]
    assert judge(task(), queues[2], [Given((0, 0, 4.0)), Given((0, 0, 0.5))]) == Candidate(queues[2], 2.0)


def test_the_first_rejection_ends_the_asking() -> None:
    assert judge(task(), queue(queue_id=0), [Given((None,)), Never()]) == Rejection("q", "given", "told so")


def test_without_a_queue_there_is_no_share() -> None:
    assert plan(task(), [], RULES).shares == ()


@pytest.mark.parametrize("n_queues", [1, 3])
def test_the_rules_of_the_house_give_every_unit_to_queues_that_fit(n_queues: int) -> None:
    queues = [queue(f"q{i}", queue_id=i, slots=i + 1) for i in range(n_queues)]
    found = plan(task(open_units=100, units_per_job=3), [*queues, queue("small", queue_id=9, memory_mb=10)], RULES)
    assert sum(share.quota for share in found.shares) == 100
    assert [rejection.queue for rejection in found.rejections] == ["small"]
