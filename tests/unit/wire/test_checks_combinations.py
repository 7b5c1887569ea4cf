"""Options that cannot both be right: each pair is refused, and both fields are named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pandawms.domain.errors import Invalid
from pandawms.wire.checks import decode_document, problems
from tests.unit.wire.documents import documents

DATA = {"dataset": "user.me:x"}
EACH = {"command": "x", "each": {}}
FEW = {"inputs": "o", "command": "m %IN %OUT", "outputs": {"all": "all.txt"}, "files_per_job": 4}
RATES = {"wall_seconds_per_event": 10.0, "output_mb_per_event": 2.0}


def document(first: dict[str, Any], *, more: dict[str, Any] | None = None, **changes: Any) -> Any:
    inputs = {"data": first} | ({"more": more} if more is not None else {})
    return decode_document({"name": "t", "program": {"command": "x"}, "inputs": inputs} | changes)


RIGHT = [
    document({"datasets": ["user.me:x", "user.me:y"], "include": ["*.root"], "exclude": ["*.log.*"], "skip": 2, "max_files": 10, "order": "name"}),
    document(DATA | {"names": ["a", "b"], "skip": 1, "grow": False}),
    document(DATA | {"if_missing": "wait"}, more={"dataset": "user.me:p", "ratio": 0.5, "reuse": True}, split={"files_per_job": 5}),
    document(DATA | {"if_missing": "ignore", "may_be_empty": True}, more={"task": "z", "output": "o", "whole": True}),
    document({"pieces": 1000}, split={"files_per_job": 10}),
    document({"pieces": 1000}, split={"n_jobs": 10}, more=DATA | {"per_job": 1}),
    document({"count": 1000}, split={"wall_seconds_per_job": 600}, resources=RATES),
    document({"pieces": 99}, split={"files_per_job": 50}, program={"command": "x", "each": {"at_once": 4, "wall_seconds": 60}}, resources={"cores": 8}),
    document(DATA, more=DATA | {"whole": True}, split={"files_per_job": 50}, program={"command": "x %IN %{more}", "each": {"stop_after_failures": 3}}),
    document({"pieces": 100}, split={"n_jobs": 2}, program={"command": "x", "each": {}}),
    document(DATA, program=EACH, outputs={"o": "o.txt"}, merge=FEW),
    document({"pieces": 8}, split={"n_jobs": 2}, program=EACH, outputs={"o": "o.txt"}, merge=FEW),
    document(DATA, split={"max_files_per_job": 9}, program=EACH, outputs={"o": "o.txt"}, merge=FEW),
    document(DATA, split={"mb_per_job": 9, "max_files_per_job": 4}, program=EACH, outputs={"o": "o.txt"}, merge=FEW),
    document(DATA, split={"files_per_job": 4}, program={"command": "x", "each": {"at_once": 2}}, resources={"cores": 2, "gpus": 4}),
    document(DATA, split={"files_per_job": 1000}, program=EACH, outputs={f"o{n}": f"o{n}.txt" for n in range(34)}),
    document(DATA, resources={"nodes": 4, "gpus": 2, "gpu_model": "NVIDIA A[14]0* (PCIe)", "gpu_memory_mb": 40_000}),
    document({"count": 1000}, split={"events_per_job": 10, "output_mb_per_job": 20}, resources=RATES),
    document(DATA, split={"events_per_job": 10, "max_files_per_job": 3, "mb_per_job": 900}, program={"command": "x %IN %FIRST_EVENT %EVENTS"}),
    document(DATA, split={"boundary": {"name_field": 2}, "files_per_job": 3}),
    document(DATA, split={"boundary": {"attribute": "boundary", "one_job_per_group": True}}),
    document(DATA, split={"output_mb_per_job": 100}),
    document(DATA, outputs={"out": {"file": "o.root", "optional": True}, "log": {"file": "l.txt", "transient": True}}),
    document(DATA, retry={"max_failures": 2, "memory_step_mb": 500, "max_memory_mb": 4000}, queues=["a"], exclude_queues=["b"]),
    document({"count": 10}, split={"events_per_job": 1, "max_jobs": 5}, goal={"percent": 50, "on_miss": "fail"}),
]


@pytest.mark.parametrize("right", RIGHT)
def test_options_that_agree_are_taken(right: Any) -> None:
    assert [error.detail for error in problems(right)] == []


PAIRS: list[tuple[Any, str, str]] = [
    (document({"dataset": "user.me:x", "datasets": ["user.me:y"]}), "inputs.data.dataset", "inputs.data.datasets"),
    *((document({"count": 5, name: value}, split={"events_per_job": 1}), f"inputs.data.{name}", "inputs.data.count") for name, value in {
        "include": ["x"], "exclude": ["x"], "names": ["x"], "skip": 1, "max_files": 1, "max_events": 1, "order": "name", "events_per_file": 1, "grow": False,
        "may_be_empty": True, "if_missing": "wait"}.items()),
    (document({"pieces": 5, "skip": 1}), "inputs.data.skip", "inputs.data.pieces"),
    (document(DATA | {"names": ["x"], "include": ["*"]}), "inputs.data.include", "inputs.data.names"),
    (document(DATA | {"names": ["x.log"], "exclude": ["*.log"]}), "inputs.data.names", "inputs.data.exclude"),
    (document(DATA | {"names": ["x"], "skip": 1}), "inputs.data.skip", "inputs.data.names"),
    (document(DATA | {"include": ["a*"], "exclude": ["a*"]}), "inputs.data.include", "inputs.data.exclude"),
    (document({"files": ["x"], "if_missing": "wait"}), "inputs.data.if_missing", "inputs.data.files"),
    (document(DATA | {"if_missing": "ignore"}), "inputs.data.if_missing", "inputs.data.may_be_empty"),
    (document(DATA | {"per_job": 1}), "inputs.data.per_job", "split"),
    (document(DATA | {"reuse": True}), "inputs.data.reuse", "split"),
    (document(DATA, more={"count": 1}), "inputs.more.count", "inputs"),
    (document(DATA, more=DATA | {"per_job": 1, "ratio": 1}), "inputs.more.ratio", "inputs.more.per_job"),
    (document(DATA, more=DATA | {"per_job": 1, "whole": True}), "inputs.more.whole", "inputs.more.per_job"),
    (document(DATA, more=DATA | {"whole": True, "reuse": True}), "inputs.more.reuse", "inputs.more.whole"),
    (document({"pieces": 3}, more=DATA | {"ratio": 1}), "inputs.more.ratio", "inputs.data.pieces"),
    (document(DATA, more=DATA | {"per_job": 3, "max_files": 2}), "inputs.more.max_files", "inputs.more.per_job"),
    (document(DATA, split={"events_per_job": 1, "files_per_job": 1}), "split.files_per_job", "split.events_per_job"),
    (document(DATA, split={"n_jobs": 1, "files_per_job": 1}), "split.n_jobs", "split.files_per_job"),
    *((document(DATA, split={"n_jobs": 1, name: value}, resources=RATES), f"split.{name}", "split.n_jobs") for name, value in {
        "max_files_per_job": 1, "mb_per_job": 1, "output_mb_per_job": 10, "wall_seconds_per_job": 10, "boundary": {"name_field": 1}}.items()),
    *((document(DATA, split={"boundary": {"name_field": 1, "one_job_per_group": True}, name: 10}, resources=RATES), f"split.{name}",
       "split.boundary.one_job_per_group") for name in ("events_per_job", "files_per_job", "max_files_per_job", "mb_per_job", "output_mb_per_job",
                                                        "wall_seconds_per_job")),
    *((document({"count": 9}, split={"events_per_job": 1, name: value}), f"split.{name}", "inputs.data.count") for name, value in {
        "files_per_job": 1, "max_files_per_job": 1, "mb_per_job": 1, "boundary": {"name_field": 1}}.items()),
    *((document({"pieces": 9}, split={name: value}, resources=RATES), f"split.{name}", "inputs.data.pieces") for name, value in {
        "events_per_job": 1, "max_files_per_job": 1, "mb_per_job": 1, "boundary": {"name_field": 1}, "output_mb_per_job": 10,
        "wall_seconds_per_job": 10}.items()),
    (document(DATA, split={"boundary": {"name_field": 1, "attribute": "boundary"}}), "split.boundary.name_field", "split.boundary.attribute"),
    (document(DATA, split={"boundary": {"separator": "_", "attribute": "boundary"}}), "split.boundary.separator", "split.boundary.attribute"),
    (document(DATA, split={"files_per_job": 3, "max_files_per_job": 2}), "split.files_per_job", "split.max_files_per_job"),
    (document(DATA, split={"n_jobs": 3, "max_jobs": 2}), "split.n_jobs", "split.max_jobs"),
    (document({"count": 2}, split={"n_jobs": 3}), "split.n_jobs", "inputs.data.count"),
    (document({"pieces": 2}, split={"n_jobs": 3}), "split.n_jobs", "inputs.data.pieces"),
    (document(DATA | {"max_files": 2}, split={"n_jobs": 3}), "split.n_jobs", "inputs.data.max_files"),
    (document(DATA | {"names": ["a", "b"]}, split={"n_jobs": 3}), "split.n_jobs", "inputs.data.names"),
    (document(DATA, resources={"gpu_model": "A100*"}), "resources.gpu_model", "resources.gpus"),
    (document(DATA, resources={"gpu_memory_mb": 40_000}), "resources.gpu_memory_mb", "resources.gpus"),
    (document(DATA, split={"wall_seconds_per_job": 7200}), "split.wall_seconds_per_job", "resources.wall_seconds"),
    (document(DATA, split={"mb_per_job": 5000}), "split.mb_per_job", "resources.disk_mb"),
    (document(DATA, split={"output_mb_per_job": 5000}), "split.output_mb_per_job", "resources.disk_mb"),
    (document({"count": 9}, split={"output_mb_per_job": 5}), "resources.output_mb_per_event", "split.output_mb_per_job"),
    (document({"count": 9}, split={"wall_seconds_per_job": 5}), "resources.wall_seconds_per_event", "split.wall_seconds_per_job"),
    (document(DATA, split={"output_mb_per_job": 5}, scouts={"jobs": 0}), "resources.output_mb_per_input_mb", "split.output_mb_per_job"),
    (document(DATA, split={"wall_seconds_per_job": 5}, resources={"is_fixed": True}), "resources.wall_seconds_per_mb", "split.wall_seconds_per_job"),
    (document({"count": 9}, split={"wall_seconds_per_job": 9}, resources=RATES), "split.wall_seconds_per_job", "resources.wall_seconds_per_event"),
    (document(DATA, split={"events_per_job": 6, "output_mb_per_job": 11}, resources=RATES), "split.output_mb_per_job", "split.events_per_job"),
    (document({"count": 999}, split={"events_per_job": 361}, resources=RATES), "resources.wall_seconds", "split.events_per_job"),
    (document({"files": ["x"]}, split={"events_per_job": 1}), "inputs.data.events_per_file", "split.events_per_job"),
    (document({"files": ["x"], "max_events": 1}), "inputs.data.events_per_file", "inputs.data.max_events"),
    (document(DATA, resources={"base_memory_mb": 2000}), "resources.base_memory_mb", "resources.memory_mb"),
    (document(DATA, resources={"work_mb": 2000}), "resources.work_mb", "resources.disk_mb"),
    (document(DATA, resources={"base_seconds": 4000}), "resources.base_seconds", "resources.wall_seconds"),
    (document(DATA, retry={"max_failures": 4}), "retry.max_failures", "retry.max_attempts"),
    (document(DATA, retry={"max_memory_mb": 10}), "retry.max_memory_mb", "resources.memory_mb"),
    (document(DATA, retry={"memory_step_mb": 10}, resources={"is_fixed": True}), "retry.memory_step_mb", "resources.is_fixed"),
    (document(DATA, retry={"max_memory_mb": 5000}, resources={"is_fixed": True}), "retry.max_memory_mb", "resources.is_fixed"),
    (document(DATA, retry={"memory_step_mb": 10, "max_attempts": 1}), "retry.memory_step_mb", "retry.max_attempts"),
    (document(DATA, scouts={"jobs": 10, "from_jobs": 1}, split={"max_jobs": 5}), "scouts.jobs", "split.max_jobs"),
    (document(DATA, scouts={"jobs": 10, "from_jobs": 1}, split={"n_jobs": 5}), "scouts.jobs", "split.n_jobs"),
    (document(DATA, queues=["a", "b"], exclude_queues=["b"]), "queues[1]", "exclude_queues[0]"),
    (document({"count": 9}, split={"events_per_job": 1}, program=EACH), "program.each", "inputs.data.count"),
    (document(DATA, program={"steps": [{"name": "a", "command": "x"}], "each": {}}), "program.each", "program.steps"),
    (document(DATA, more=DATA | {"ratio": 1}, program=EACH), "program.each", "inputs.more.ratio"),
    (document(DATA, split={"n_jobs": 5}, program=EACH), "program.each", "split.n_jobs"),
    (document({"pieces": 5000}, split={"n_jobs": 4}, program=EACH), "program.each", "split.n_jobs"),
    (document(DATA, split={"boundary": {"name_field": 1, "one_job_per_group": True}}, program=EACH), "program.each", "split.boundary.one_job_per_group"),
    (document(DATA, split={"files_per_job": 1001}, program=EACH), "split.files_per_job", "program.each"),
    (document(DATA, split={"max_files_per_job": 1001}, program=EACH), "split.max_files_per_job", "program.each"),
    (document(DATA, program={"command": "x", "each": {"at_once": 2}}), "program.each.at_once", "resources.cores"),
    (document(DATA, program={"command": "x", "each": {"wall_seconds": 4000}}), "program.each.wall_seconds", "resources.wall_seconds"),
    (document(DATA, program=EACH, resources={"nodes": 2}), "program.each", "resources.nodes"),
    (document(DATA, split={"files_per_job": 5}, program=EACH, outputs={"o": "o.txt"}, merge=FEW), "split.files_per_job", "merge.files_per_job"),
    (document({"pieces": 10}, split={"n_jobs": 2}, program=EACH, outputs={"o": "o.txt"}, merge=FEW), "merge.files_per_job", "split.n_jobs"),
    (document(DATA, split={"mb_per_job": 9}, program=EACH, outputs={"o": "o.txt"}, merge=FEW), "merge.files_per_job", "split.mb_per_job"),
    (document(DATA, split={"boundary": {"name_field": 1}, "max_files_per_job": 5}, program=EACH, outputs={"o": "o.txt"}, merge=FEW),
     "merge.files_per_job", "split.max_files_per_job"),
    (document(DATA, split={"files_per_job": 8}, program={"command": "x", "each": {"at_once": 4}}, resources={"cores": 4, "gpus": 2}),
     "program.each.at_once", "resources.gpus"),
    (document(DATA, split={"files_per_job": 3}, program={"command": "x", "each": {"at_once": 4}}, resources={"cores": 4}),
     "program.each.at_once", "split.files_per_job"),
    (document(DATA, program={"command": "x", "each": {"at_once": 2}}, resources={"cores": 2}), "program.each.at_once", "split.files_per_job"),
    (document({"pieces": 4}, split={"n_jobs": 2}, program={"command": "x", "each": {"at_once": 3}}, resources={"cores": 3}),
     "program.each.at_once", "split.n_jobs"),
    (document(DATA, split={"files_per_job": 1000}, program=EACH, outputs={f"o{n}": f"o{n}.txt" for n in range(35)}), "outputs", "split.files_per_job"),
    (document(DATA, split={"mb_per_job": 9, "max_files_per_job": 400}, program=EACH, outputs={f"o{n}": f"o{n}.txt" for n in range(90)}),
     "outputs", "split.max_files_per_job"),
    (document(DATA, expires_after_seconds=60, resources={"base_seconds": 60}), "expires_after_seconds", "resources.base_seconds"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "field", "other"), PAIRS, ids=[f"{field}-{other}-{n}" for n, (_, field, other) in enumerate(PAIRS)])
def test_options_that_contradict_are_refused_with_both_named(wrong: Any, field: str, other: str) -> None:
    found = [error for error in problems(wrong) if error.field == field]
    assert any(other in error.detail for error in found), [error.detail for error in problems(wrong)]
    assert all(error.allowed and error.hint for error in found)


@pytest.mark.parametrize(
    ("wrong", "field", "code"),
    [
        (document({"datasets": ["user.me:x", "user.me:x"]}), "inputs.data.datasets", "repeated"),
        (document(DATA | {"names": ["x", "x"]}), "inputs.data.names", "repeated"),
        (document(DATA | {"exclude": ["*"]}), "inputs.data.exclude", "impossible"),
        (document(DATA, more=DATA), "inputs.more", "missing_field"),
        (document(DATA, split={"boundary": {}}), "split.boundary", "missing_field"),
        (document({"count": 5_000_000}, split={"wall_seconds_per_job": 10}, resources=RATES), "split.events_per_job", "too_many_jobs"),
    ],
)
def test_what_is_wrong_alone_is_refused(wrong: Any, field: str, code: str) -> None:
    assert (field, code) in [(error.field, error.code) for error in problems(wrong)]


@settings(max_examples=400, deadline=None)
@given(documents(), st.booleans())
def test_any_document_is_taken_or_refused_with_field_allowed_and_hint(tree: dict[str, Any], packed: bool) -> None:
    try:
        found = problems(decode_document(tree), packed=packed)
    except Invalid as error:
        found = [error]
    for each in found:
        assert each.field
        assert each.allowed or each.hint
        assert each.code
        assert each.detail
