"""Which queues get copies, which copies are stopped, and what pilots at their gates are told."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandawms.domain.codes import Code
from pandawms.domain.outcome import SUCCESS, outcome
from pandawms.domain.output_file import file_name
from pandawms.engine.aggregate.clones import fates
from pandawms.engine.generate.cloning import spread
from pandawms.engine.report import plan as planning
from pandawms.engine.requirements import effective
from pandawms.engine.splitting.cut import Job, Piece
from pandawms.engine.splitting.limits import Reason
from pandawms.store.clones import Group
from pandawms.store.leases import Held, Known, Told
from pandawms.store.retry_rules import Slot
from pandawms.wire.document import ResourceSpec
from pandawms.wire.pilot.report import JobReport

RESOURCES = effective(ResourceSpec(), {}, {})
A, B = (1, "0" * 32, 7), (2, "1" * 32, 8)


def slot(queue_id: int, **changes: Any) -> Slot:
    """A slot that has room for everything."""
    size: dict[str, Any] = {"cores": 1, "memory_mb": 4000, "disk_mb": 100_000, "max_wall_seconds": 86_400, "gpus": 0, "architecture": "x86_64"} | changes
    return Slot(queue_id, f"q{queue_id}", "local", "online", **size)


def job(number: int, n_bytes: int = 0) -> Job:
    """A job of one unit."""
    return Job([Piece(number, n_bytes, 1, number, None, 0, None)], Reason.FILES, n_bytes, 1)


@given(st.integers(0, 20), st.integers(1, 6), st.integers(1, 9))
def test_copies_of_a_job_are_in_different_queues_and_all_queues_get_their_part(n_jobs: int, n_slots: int, n: int) -> None:
    found = spread([job(number) for number in range(n_jobs)], [slot(queue_id) for queue_id in range(n_slots)], n, RESOURCES)
    assert [len(chosen) for chosen in found] == [min(n, n_slots)] * n_jobs
    assert all(len({each.queue_id for each in chosen}) == len(chosen) for chosen in found)
    used = [sum(each.queue_id == queue_id for chosen in found for each in chosen) for queue_id in range(n_slots)]
    assert max(used) - min(used) <= n


def test_a_queue_without_room_for_a_job_gets_no_copy_of_it() -> None:
    small, large = slot(1, disk_mb=2000), slot(2)
    assert spread([job(1, 5 << 30), job(2)], [small, large], 2, RESOURCES) == [[large], [small, large]]


@pytest.mark.parametrize(
    ("mode", "state", "status", "closed", "told"),
    [
        ("run_once", "open", "activated", False, False), ("run_once", "open", "running", False, False),
        ("run_once", "won", "activated", True, False), ("run_once", "won", "starting", False, True),
        ("store_once", "won", "defined", True, False), ("store_once", "won", "running", False, False),
        ("store_once", "over", "running", False, True), ("run_once", "over", "sent", False, True),
    ],
)  # fmt: skip
def test_copies_that_lost_are_closed_or_told_to_stop(mode: str, state: str, status: str, closed: bool, told: bool) -> None:
    group = Group(5, mode, state, 1)
    held = [Held(1, 10, "running", 7, 1, "run"), Held(2, 10, status, 8, 1, "run")]
    found = fates(held, {1: group, 2: group})
    assert ([each.job_id for each in found[0]], [each.job_id for each in found[1]]) == ([2] * closed, [2] * told)


def test_only_copies_that_run_or_store_ask_at_gates_so_that_all_other_heartbeats_cost_nothing() -> None:
    statuses = {A: "running", B: "starting"}
    assert planning.at_gates(statuses, {A: Told(None, None), B: Told(None, None, True)}) == {}
    assert planning.at_gates(statuses, {A: Told(None, None, True)}) == {A: "running"}
    assert planning.at_gates(statuses, {}) == {}


def test_a_copy_goes_on_stops_or_is_gone_as_its_gate_says() -> None:
    told = {A: Told(None, None, True), B: Told("kill", "by ada", True)}
    wanted = {A: "running", B: "stageout"}
    assert planning.through_gates(wanted, told, {1: True, 2: False}) == told, "an earlier reason to stop stays"
    assert planning.through_gates(wanted, told, {1: False, 2: False})[A].verdict == "kill"
    assert A not in planning.through_gates(wanted, told, {2: True})


def test_the_success_of_a_copy_that_lost_is_refused_and_its_failure_is_known() -> None:
    lost = Code.ANOTHER_COPY_WON
    known = Known(1, UUID(int=5), "closed", lost.domain, lost.number)
    said = ((5, SUCCESS), (5, outcome(Code.PAYLOAD_FAILED, "")), (6, SUCCESS))
    reports = [JobReport(1, UUID(int=claim).hex, 1, result) for claim, result in said]
    assert [planning.answer_unheld(report, known).verdict for report in reports] == ["refused", "repeated", "refused"]


@given(st.integers(1, 10), st.integers(1, 10), st.integers(1, 50), st.integers(1, 50))
def test_no_two_copies_and_no_two_attempts_write_the_same_name(copy: int, other: int, attempt: int, later: int) -> None:
    names = [file_name("t", "out", 1, n, ".txt", c) for n, c in ((attempt, copy), (later, other))]
    assert (names[0] == names[1]) == ((attempt, copy) == (later, other))
