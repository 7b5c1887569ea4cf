"""The fast decoder and encoder of pilots' calls agree with the pilot's own, which say what is wrong."""

import json
from dataclasses import is_dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandawms.api.pilot_checks import _decode_or_explain, checked_beats, decode_call
from pandawms.domain.errors import Invalid
from pandawms.domain.outcome import SUCCESS
from pandawms.wire.pilot import (
    ClaimAnswer,
    ClaimRequest,
    HeartbeatAnswer,
    HeartbeatRequest,
    JobBeat,
    JobReport,
    ReportAnswer,
    ReportRequest,
    WrittenFile,
    encode,
)  # fmt: skip

st.register_type_strategy(int, st.integers(-(2**62), 2**62))
st.register_type_strategy(float, st.floats(-1e100, 1e100))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**62), 2**62), st.floats(-1e100, 1e100), st.text(max_size=5))
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=5)


def calls() -> st.SearchStrategy[Any]:
    """Calls of the present protocol."""
    beats, reports = st.from_type(HeartbeatRequest), st.from_type(ReportRequest)
    return st.one_of(st.from_type(ClaimRequest), beats, reports).map(lambda call: type(call)(**{**vars(call), "protocol": 1}))


@given(st.one_of(st.from_type(ClaimAnswer), st.from_type(HeartbeatAnswer), st.from_type(ReportAnswer)))
def test_answers_are_encoded_as_the_pilots_codec_would(answer: ClaimAnswer | HeartbeatAnswer | ReportAnswer) -> None:
    assert is_dataclass(answer)
    assert json.loads(msgspec.json.encode(answer)) == json.loads(json.dumps(encode(answer)))


def outcome(decode: Any, kind: Any, body: bytes) -> Any:
    """The call, or what is said of it."""
    try:
        return decode(kind, body)
    except Invalid as error:
        return (error.code, error.field, error.value, error.detail, error.allowed, error.hint)


@given(calls(), st.dictionaries(st.text(max_size=5), JSON, max_size=2))
def test_calls_are_decoded_alike_and_unknown_keys_ignored(call: Any, more: dict[str, Any]) -> None:
    body = json.dumps({**more, **encode(call)}).encode()
    assert decode_call(type(call), body) == _decode_or_explain(type(call), body) == call


@given(calls(), st.data())
def test_whatever_is_wrong_with_a_call_is_said_in_the_same_words(call: Any, data: st.DataObject) -> None:
    tree = encode(call)
    place: Any = tree
    while isinstance(place.get("jobs"), list) and place["jobs"] and data.draw(st.booleans()):
        place = data.draw(st.sampled_from(place["jobs"]))
    key = data.draw(st.sampled_from(sorted(place)))
    if data.draw(st.booleans()):
        place[key] = data.draw(JSON)
    else:
        del place[key]
    body = json.dumps(tree).encode()
    assert outcome(decode_call, type(call), body) == outcome(_decode_or_explain, type(call), body)


@pytest.mark.parametrize("number", ["1e400", "9" * 30, "NaN", "1.0"])
def test_numbers_that_cannot_be_are_refused_by_field(number: str) -> None:
    text = json.dumps(encode(HeartbeatRequest(1, "t", None, (JobBeat(777, "0" * 32, 1, "running"),))))
    with pytest.raises(Invalid) as caught:
        checked_beats(decode_call(HeartbeatRequest, text.replace('"attempt": 1', f'"attempt": {number}').encode()))
    assert (caught.value.field or "").endswith(("attempt", "body"))


def test_a_report_keeps_its_outputs() -> None:
    report = ReportRequest(1, "t", None, (JobReport(1, "c", 1, outcome=SUCCESS, outputs=(WrittenFile("o", "n", 1, "00000000", "g", 5),)),))
    assert decode_call(ReportRequest, msgspec.json.encode(report)) == report
