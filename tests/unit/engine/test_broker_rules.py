"""Each rule of brokerage by itself: what it rejects, with which words, and what it prefers."""

from typing import Any

import pytest

from pandawms.domain.queue import QueueStatus
from pandawms.domain.snapshot import Rejection, Requirement
from pandawms.engine.broker.rules import LASTING, PASSING, RULES
from pandawms.engine.broker.rules.architecture import ARCHITECTURE
from pandawms.engine.broker.rules.backlog import BACKLOG
from pandawms.engine.broker.rules.community import COMMUNITY
from pandawms.engine.broker.rules.gpu_model import GPU_MODEL
from pandawms.engine.broker.rules.input_data import INPUT_DATA
from pandawms.engine.broker.rules.listed import LISTED
from pandawms.engine.broker.rules.size import CORES, DISK, GPU_MEMORY, GPUS, MEMORY, NODES, WALL_TIME, Size
from pandawms.engine.broker.rules.status import STATUS
from tests.unit.engine.pictures import queue, task

SIZES = [
    (CORES, "cores", "cores", 4, "a job needs 5 cores, a slot has 4"),
    (MEMORY, "memory_mb", "memory_mb", 8000, "a job needs 8001 MB of memory, a slot has 8000"),
    (DISK, "disk_mb", "disk_mb", 20_000, "a job needs 20001 MB of disk, a slot has 20000"),
    (WALL_TIME, "wall_seconds", "max_wall_seconds", 86_400, "a job needs 86401 s of wall time, a slot has 86400"),
    (GPUS, "gpus", "gpus", 0, "a job needs 1 GPUs, a slot has 0"),
    (GPU_MEMORY, "gpu_memory_mb", "gpu_memory_mb", 0, "a job needs 1 MB of memory on each GPU, a slot has 0"),
    (NODES, "nodes", "nodes", 1, "a job needs 2 nodes, a slot has 1"),
]


@pytest.mark.parametrize(("rule", "need", "_offer", "limit", "reason"), SIZES, ids=lambda value: getattr(value, "name", None))
def test_a_job_that_fits_exactly_is_taken_and_one_that_is_larger_by_one_is_not(rule: Size, need: str, _offer: str, limit: int, reason: str) -> None:
    fits: dict[str, Any] = {need: limit}
    is_larger: dict[str, Any] = {need: limit + 1}
    assert rule.judge(task(Requirement(**fits)), queue()) == 1.0
    assert rule.judge(task(Requirement(**is_larger)), queue()) == Rejection("q", rule.name, reason, limit, limit + 1)


@pytest.mark.parametrize(("wanted", "offered", "fits"), [("any", "x86_64", True), ("x86_64", "any", True), ("arm", "arm", True), ("arm", "x86_64", False)])
def test_an_architecture_must_be_the_same_unless_either_side_says_any(wanted: str, offered: str, fits: bool) -> None:
    found = ARCHITECTURE.judge(task(Requirement(architecture=wanted)), queue(architecture=offered))
    assert found == (1.0 if fits else Rejection("q", "architecture", "its nodes are x86_64, the task asks for arm", "x86_64", "arm"))


@pytest.mark.parametrize(
    ("wanted", "offered", "fits"),
    [
        ("any", "", True), ("any", "NVIDIA A100-SXM4-40GB", True), ("A100*", "A100-SXM4", True), ("*a100*", "NVIDIA A100-SXM4-40GB", True),
        ("A100*", "NVIDIA A100-SXM4-40GB", False), ("A100", "A1000", False), ("A[14]0*", "A40", True), ("*", "", False), ("A100*", "", False),
    ],
)  # fmt: skip
def test_a_model_must_fit_the_pattern_and_one_that_nobody_told_fits_none(wanted: str, offered: str, fits: bool) -> None:
    found = GPU_MODEL.judge(task(Requirement(gpus=1, gpu_model=wanted)), queue(gpus=1, gpu_model=offered))
    if fits:
        assert found == 1.0
    else:
        reason = f"its GPUs are {offered or 'of no known model'}, the task asks for {wanted}"
        assert found == Rejection("q", "gpu_model", reason, offered or "any", wanted)


def test_a_queue_of_another_community_is_rejected_and_one_of_none_serves_all() -> None:
    assert COMMUNITY.judge(task(), queue(community="local")) == COMMUNITY.judge(task(), queue()) == 1.0
    assert COMMUNITY.judge(task(), queue(community="other")) == Rejection("q", "community", "it serves other, the task belongs to local", "other", "local")


def test_a_task_with_a_list_goes_to_the_queues_in_it_only() -> None:
    assert LISTED.judge(task(), queue()) == 1.0
    assert LISTED.judge(task(allowed_queues=frozenset({"q", "r"})), queue()) == 1.0
    assert LISTED.judge(task(allowed_queues=frozenset({"s", "r"})), queue()) == Rejection("q", "listed", "the task allows only r, s", None, "q")


@pytest.mark.parametrize("status", QueueStatus)
def test_only_an_online_queue_takes_any_task_and_a_test_queue_takes_tests(status: QueueStatus) -> None:
    ordinary, test = (STATUS.judge(task(is_test=is_test), queue(status=status)) for is_test in (False, True))
    assert (ordinary == 1.0) == (status == QueueStatus.ONLINE)
    assert (test == 1.0) == (status in (QueueStatus.ONLINE, QueueStatus.TEST))
    assert ordinary == 1.0 or ordinary == Rejection("q", "status", f"it is {status}", "online", str(status))


def test_a_queue_that_reads_none_of_the_input_is_rejected_and_one_that_reads_more_is_preferred() -> None:
    reader = task(endpoints=frozenset({1, 2}))
    assert INPUT_DATA.judge(task(), queue()) == 1.0
    assert [INPUT_DATA.judge(reader, queue(endpoints=frozenset(e))) for e in ({1, 2, 3}, {2})] == [1.0, 0.5]
    assert isinstance(INPUT_DATA.judge(reader, queue(endpoints=frozenset({3}))), Rejection)


def test_an_emptier_queue_weighs_more_and_none_is_ever_rejected_for_its_backlog() -> None:
    assert BACKLOG.judge(task(), queue(slots=8)) == 8.0
    assert BACKLOG.judge(task(), queue(slots=8, waiting_jobs=2, running_jobs=1)) == 2.0
    assert BACKLOG.judge(task(), queue(slots=None, waiting_jobs=9)) == 0.1
    assert BACKLOG.judge(task(), queue(slots=0)) == 1.0


def test_every_rule_has_a_name_of_its_own_and_lasting_ones_come_first() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert RULES == LASTING + PASSING
