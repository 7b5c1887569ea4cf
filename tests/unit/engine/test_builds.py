"""What becomes of a build that failed, and what a library depends on."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandawms.domain.codes import Code
from pandawms.domain.outcome import outcome
from pandawms.domain.snapshot import JobKind, Requirement
from pandawms.engine.aggregate.builds import may_build_again, reason_of
from pandawms.engine.generate.building import made_from
from pandawms.engine.requirements import build_requirement, with_build
from pandawms.wire.checks import decode_document
from pandawms.wire.document import TaskDocument

TASK: dict[str, Any] = {
    "name": "t", "program": {"command": "run", "sandbox": "0" * 64}, "inputs": {"events": {"count": 10}}, "retry": {"max_attempts": 3},
    "build": {"command": "make", "output": "lib.tgz", "memory_mb": 3000, "wall_seconds": 7200}, "resources": {"cores": 4, "gpus": 1, "disk_mb": 5000},
}  # fmt: skip


def document(**changes: Any) -> TaskDocument:
    """The task with changes."""
    return decode_document(TASK | changes)


def test_a_build_is_tried_as_often_as_an_input_and_only_when_that_may_help() -> None:
    again, never = outcome(Code.PAYLOAD_FAILED), outcome(Code.COMMAND_NOT_FOUND)
    assert [may_build_again(again, n, document()) for n in (1, 2, 3, 4)] == [True, True, False, False]
    assert not may_build_again(never, 1, document())


def test_the_reason_names_a_queue_when_none_is_left_and_is_none_before() -> None:
    assert reason_of({"a": "no make", "b": "no g++"}, ["a", "b"]) == "no queue is left that could build it; in a, no make"
    assert reason_of({"a": "no make"}, ["a", "b"]) is None
    assert reason_of({"z": "x"}, []) is not None


@given(st.dictionaries(st.text(), st.text(), min_size=1), st.sets(st.text()))
def test_there_is_a_reason_exactly_when_every_usable_queue_was_given_up(given_up: dict[str, str], usable: set[str]) -> None:
    assert (reason_of(given_up, usable) is None) == bool(usable - given_up.keys())


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"retry": {"max_attempts": 9}}, True),
        ({"program": {"command": "run --fast", "sandbox": "0" * 64}}, True),
        ({"resources": {"memory_mb": 9000}}, True),
        ({"program": {"command": "run", "sandbox": "1" * 64}}, False),
        ({"environment": {"packages": ["numpy"]}}, False),
        ({"build": {"command": "make all", "output": "lib.tgz"}}, False),
        ({"resources": {"architecture": "aarch64"}}, False),
    ],
)
def test_a_library_depends_on_what_it_is_built_from_and_on_nothing_else(change: dict[str, Any], same: bool) -> None:
    assert (made_from(document(**change)) == made_from(document())) is same


def test_a_build_runs_in_a_slot_like_that_of_the_other_jobs_with_its_own_memory_and_time() -> None:
    assert build_requirement(document()) == Requirement(4, 3000, 5000, 7200, "any", 0, JobKind.BUILD)


def test_a_queue_must_be_large_enough_for_the_build_too() -> None:
    wanted = Requirement(1, 1000, 1000, 9000)
    assert with_build(wanted, document()) == Requirement(1, 3000, 1000, 9000)
    assert with_build(wanted, document(build=None)) is wanted
