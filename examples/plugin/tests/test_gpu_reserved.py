"""The tests of the plugin itself; they need it to be installed, since they find it as PanDA does."""

import pytest
from panda_gpu_reserved import RULE

from pandawms.domain.queue import QueueStatus
from pandawms.domain.snapshot import QueueSnapshot, Rejection, Requirement, TaskSnapshot
from pandawms.domain.task import TaskStatus
from pandawms.plugins.loading import broker_rules
from pandawms.testing.broker_rule import check


def task(gpus: int) -> TaskSnapshot:
    return TaskSnapshot(10_000_001, "train", TaskStatus.READY, "local", "ann", 1000, Requirement(gpus=gpus), open_units=1)


def queue(gpus: int) -> QueueSnapshot:
    return QueueSnapshot(1, "farm", QueueStatus.ONLINE, cores=8, memory_mb=64_000, disk_mb=100_000, max_wall_seconds=86_400, gpus=gpus)


def test_it_conforms() -> None:
    check(RULE)


def test_it_is_found_by_its_entry_point() -> None:
    assert RULE in broker_rules()


def test_a_job_without_gpus_is_kept_away_from_them() -> None:
    verdict = RULE.judge(task(0), queue(4))
    assert isinstance(verdict, Rejection)
    assert (verdict.queue, verdict.rule, verdict.limit, verdict.value) == ("farm", "gpu_reserved", 4, 0)


@pytest.mark.parametrize(("needed", "offered", "factor"), [(0, 0, 1.0), (1, 1, 1.0), (1, 4, 0.25), (4, 2, 1.0)])
def test_other_jobs_prefer_slots_that_they_fill(needed: int, offered: int, factor: float) -> None:
    assert RULE.judge(task(needed), queue(offered)) == factor
