"""A task that no queue can ever run is refused with the nearest queue and what would fit."""

from typing import Any

import pytest

from pandawms.domain.errors import Invalid
from pandawms.domain.queue import QueueStatus
from pandawms.domain.snapshot import QueueSnapshot, Requirement, TaskSnapshot
from pandawms.engine.submission import require_queue
from tests.unit.engine.pictures import queue, task


def refusal(wanted: TaskSnapshot, *queues: QueueSnapshot) -> Invalid:
    """The error that follows."""
    with pytest.raises(Invalid) as caught:
        require_queue(wanted, queues)
    return caught.value


def need(**changes: Any) -> TaskSnapshot:
    """A task that needs this."""
    return task(Requirement(**changes))


def test_a_task_that_some_queue_fits_is_taken_even_when_that_queue_is_shut_now() -> None:
    require_queue(task(), [queue("small", memory_mb=1), queue("good")])
    require_queue(task(), [queue("shut", status=QueueStatus.OFFLINE, waiting_jobs=10**6)])
    require_queue(task(endpoints=frozenset({5})), [queue("far")])


def test_the_nearest_queue_is_named_with_its_limit_and_what_would_fit() -> None:
    error = refusal(need(memory_mb=9000), queue("far", memory_mb=10, cores=0), queue("near"))
    assert (error.code, error.field, error.value) == ("task.impossible", "resources.memory_mb", 9000)
    assert error.detail == "no queue can ever run this: near is nearest, but a job needs 9000 MB of memory, a slot has 8000"
    assert (error.allowed, error.hint) == ("at most 8000 in near", "it would fit with memory_mb: 8000")


def test_all_that_would_have_to_change_for_the_nearest_queue_is_said() -> None:
    error = refusal(need(memory_mb=9000, cores=8, wall_seconds=100_000), queue("near"))
    assert error.hint == "it would fit with cores: 4, memory_mb: 8000, wall_seconds: 86400"


def test_a_wrong_architecture_names_the_right_one() -> None:
    error = refusal(need(architecture="aarch64"), queue("near"))
    assert (error.field, error.value, error.allowed, error.hint) == ("resources.architecture", "aarch64", "x86_64", "it would fit with architecture: x86_64")


def test_what_a_queue_lacks_in_nodes_and_gpus_is_named_with_what_would_fit() -> None:
    error = refusal(need(nodes=4, gpus=2, gpu_model="H100*", gpu_memory_mb=80_000), queue("near", nodes=2, gpus=2, gpu_model="A100", gpu_memory_mb=40_000))
    assert error.hint == "it would fit with gpu_model: A100, gpu_memory_mb: 40000, nodes: 2"
    assert refusal(need(nodes=4), queue("near")).field == "resources.nodes"
    assert refusal(need(gpus=1, gpu_memory_mb=9), queue("near", gpus=1)).field == "resources.gpu_memory_mb"
    assert refusal(need(gpus=1, gpu_model="H*"), queue("near", gpus=1)).hint == "it would fit with gpu_model: any"


def test_a_list_of_queues_that_do_not_exist_is_about_the_list() -> None:
    error = refusal(task(allowed_queues=frozenset({"nowhere"})), queue("near"))
    assert (error.field, error.allowed, error.hint) == ("queues", "near", "name another queue or community")
    assert "the task allows only nowhere" in error.detail


def test_a_queue_of_another_community_is_about_the_community() -> None:
    assert refusal(task(), queue("near", community="other")).field == "community"


def test_without_any_queue_an_operator_is_asked_for() -> None:
    error = refusal(task())
    assert (error.code, error.hint) == ("task.no_queue", "ask an operator to add one")
