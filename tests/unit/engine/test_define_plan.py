"""How the input of a task is listed and counted."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandawms.domain.errors import Invalid
from pandawms.engine.define.plan import Chunks, Files, check_job_count, count_jobs, files_per_job, plan
from pandawms.wire.checks import decode_document
from pandawms.wire.document import MAX_JOBS_PER_TASK, TaskDocument
from pandawms.wire.selection import Counted


def document(inputs: dict[str, Any], split: dict[str, Any] | None = None) -> TaskDocument:
    """A document with this input."""
    return decode_document({"name": "t", "program": {"command": "true"}, "inputs": inputs, "split": split or {}})


def test_numbered_events_become_chunks_and_a_dataset_a_unit_for_each_file() -> None:
    assert plan(document({"events": {"count": 10, "first": 5}}, {"events_per_job": 3})) == Chunks("events", 5, 10, 3)
    assert plan(document({"events": {"count": 10}}, {"events_per_job": 3})) == Chunks("events", 1, 10, 3)
    assert plan(document({"in": {"dataset": "user.a:b"}})) == Files("in")
    assert plan(document({"in": {"task": "a", "output": "b"}}, {"files_per_job": 4})) == Files("in")


@given(st.integers(1, 10**9), st.integers(1, 10**6))
def test_the_number_of_jobs_covers_all_events_and_one_less_would_not(count: int, per_job: int) -> None:
    n_jobs = count_jobs(document({"events": {"count": count}}, {"events_per_job": per_job}), Counted(0, 0, 0))
    assert n_jobs * per_job >= count > (n_jobs - 1) * per_job


@given(st.integers(0, 10**6), st.integers(1, 1000))
def test_the_number_of_jobs_covers_all_files_and_one_less_would_not(n_files: int, per_job: int) -> None:
    n_jobs = count_jobs(document({"in": {"dataset": "user.a:b"}}, {"files_per_job": per_job}), Counted(n_files, 0, 0))
    assert n_jobs * per_job >= n_files > (n_jobs - 1) * per_job


def test_a_job_takes_one_chunk_or_as_many_files_as_it_says() -> None:
    assert files_per_job(document({"events": {"count": 10}}, {"events_per_job": 3})) == 1
    assert files_per_job(document({"in": {"dataset": "user.a:b"}}, {"files_per_job": 4})) == 4
    assert files_per_job(document({"in": {"dataset": "user.a:b"}})) == 1


def test_a_task_may_have_a_million_jobs_and_not_one_more() -> None:
    one_a_file = document({"in": {"dataset": "user.a:b"}})
    check_job_count(one_a_file, Counted(MAX_JOBS_PER_TASK, 0, 0))
    with pytest.raises(Invalid) as caught:
        check_job_count(one_a_file, Counted(MAX_JOBS_PER_TASK + 1, 0, 0))
    assert (caught.value.code, caught.value.field, caught.value.value) == ("split.too_many_jobs", "split", 1_000_001)
