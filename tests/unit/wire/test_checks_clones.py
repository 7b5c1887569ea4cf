"""Copies of jobs: what a task document may ask for beside them, and what PanDA's parameters for them become."""

from typing import Any

import pytest

from pandawms.domain.errors import Invalid
from pandawms.wire.checks import decode_document, problems
from pandawms.wire.panda_params import imported

TASK: dict[str, Any] = {
    "name": "t",
    "program": {"command": "x"},
    "inputs": {"n": {"pieces": 10}},
    "outputs": {"out": "out.txt"},
    "cloning": {"mode": "run_once"},
}
PARAMS: dict[str, Any] = {"taskName": "t", "jobParameters": [{"type": "constant", "value": "-x"}], "noInput": True, "nEvents": 5, "nEventsPerJob": 1}


def found(**changes: Any) -> list[tuple[str | None, str, str]]:
    """The fields that are wrong, with their codes and the whole sentence."""
    return [(error.field, error.code, error.detail) for error in problems(decode_document(TASK | changes))]


def test_copies_go_with_scouts_merges_limits_and_as_many_queues() -> None:
    merge = {"inputs": "out", "command": "cat %IN > %OUT", "outputs": {"all": "all.txt"}}
    assert found(scouts={"jobs": 5}, merge=merge, split={"files_per_job": 2}, queues=["a", "b", "c"], cloning={"mode": "store_once", "copies": 3}) == []
    cloning = decode_document(TASK).cloning
    assert cloning is not None
    assert cloning.copies == 2


@pytest.mark.parametrize(
    ("changes", "field", "other"),
    [
        ({"build": {"command": "make", "output": "lib.tgz"}}, "cloning.mode", "build"),
        ({"program": {"command": "x %IN > %OUT", "each": {}}}, "cloning.mode", "program.each"),
        ({"queues": ["a"]}, "cloning.copies", "queues"),
        ({"queues": ["a", "b"], "cloning": {"mode": "run_once", "copies": 3}}, "cloning.copies", "queues"),
        ({"queues": ["a", "a"]}, "cloning.copies", "queues"),
    ],
)
def test_what_cannot_work_with_copies_is_refused_with_both_fields_named(changes: dict[str, Any], field: str, other: str) -> None:
    told = [(name, sentence) for name, _, sentence in found(**changes) if name is not None and name.startswith("cloning")]
    assert [name for name, _ in told] == [field]
    assert f"{field} contradicts {other}:" in told[0][1]


@pytest.mark.parametrize("cloning", [{"mode": "twice"}, {"mode": "run_once", "copies": 1}, {"mode": "run_once", "copies": 11}, {"copies": 2}])
def test_a_mode_and_a_number_of_copies_have_limits(cloning: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as caught:
        decode_document(TASK | {"cloning": cloning})
    assert (caught.value.field or "").startswith("cloning")


@pytest.mark.parametrize(
    ("params", "cloning", "unmapped"),
    [
        ({"useJobCloning": "runonce"}, {"mode": "run_once"}, set()),
        ({"useJobCloning": "storeonce", "nSitesPerJob": 3, "nEsConsumers": 3}, {"mode": "store_once", "copies": 3}, set()),
        ({"useJobCloning": 2, "nEsConsumers": 30}, {"mode": "store_once", "copies": 10}, set()),
        ({"useJobCloning": "runonce", "nSitesPerJob": 4, "nEsConsumers": 2}, {"mode": "run_once", "copies": 2}, set()),
        ({"useJobCloning": "runonce", "nSitesPerJob": 1}, None, {"useJobCloning", "nSitesPerJob"}),
        ({"useJobCloning": "sometimes"}, None, {"useJobCloning"}),
        ({"nSitesPerJob": 3, "nEsConsumers": 2}, None, {"nSitesPerJob", "nEsConsumers"}),
        ({"useJobCloning": "runonce", "site": "one"}, None, {"useJobCloning"}),
    ],
)
def test_the_cloning_of_panda_is_mapped_or_said_not_to_be(params: dict[str, Any], cloning: dict[str, Any] | None, unmapped: set[str]) -> None:
    result = imported(PARAMS | params)
    assert result.document.get("cloning") == cloning
    assert unmapped <= result.unmapped.keys()
    assert params.keys() <= result.mapped.keys() | result.unmapped.keys()
    assert not problems(decode_document(result.document))
