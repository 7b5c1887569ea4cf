"""What the pilot's decoder cannot know: whether the numbers and words of a call fit into the database. Pure.

The pilot's codec checks types only, since the pilot uses it too; here a wrong value becomes Invalid with its field, before it meets the others in a batch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from pandawms.domain.errors import Invalid
from pandawms.domain.outcome import MESSAGE_CHARACTERS, Outcome
from pandawms.wire.pilot import (
    PROTOCOL,
    ClaimRequest,
    HeartbeatRequest,
    JobBeat,
    JobReport,
    PayloadReport,
    ReportRequest,
    WrittenFile,
    decode,
)

T = TypeVar("T", ClaimRequest, HeartbeatRequest, ReportRequest)

MOST_JOBS = 1000
"""Jobs that one call may name."""
MOST_PAYLOADS = 10_000
"""More than any job has."""
MOST_STEPS = 100
"""As many as a task file may have."""
INTEGER = 2**31 - 1
BIGINT = 2**63 - 1
REAL = 1e12
"""Far above every duration (30,000 years), far below what PostgreSQL's real can hold."""
_DECODERS: dict[type, msgspec.json.Decoder[Any]] = {kind: msgspec.json.Decoder(kind) for kind in (ClaimRequest, HeartbeatRequest, ReportRequest)}
_PLAIN_UUID = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_PARTS: tuple[tuple[str, ...], ...] = ((), ("jobs",), ("jobs", "outputs"), ("jobs", "payloads", "outputs"))
_ADLER32 = re.compile(r"[0-9a-fA-F]{8}")


def decode_call(kind: type[T], body: bytes) -> T:
    """Returns the call of a pilot. Raises Invalid for what is no JSON, misses a key, has a wrong type or another protocol; unknown keys are ignored.

    What the fast decoder cannot take is decoded again by the pilot's own, which says what is wrong with it.
    """
    try:
        asked: T = _DECODERS[kind].decode(body)
    except (msgspec.MsgspecError, RecursionError):
        return _decode_or_explain(kind, body)
    return asked if asked.protocol == PROTOCOL else _decode_or_explain(kind, body)


def _decode_or_explain(kind: type[T], body: bytes) -> T:
    try:
        tree: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid(f"the body is not JSON: {error}", code="malformed", field="body", hint="send one JSON object in UTF-8") from None
    protocol = tree.get("protocol") if isinstance(tree, dict) else None
    if isinstance(protocol, int) and protocol != PROTOCOL:
        raise Invalid(
            f"this server does not speak protocol {protocol}", code="protocol", field="protocol", value=protocol, allowed=str(PROTOCOL),
            hint="take the pilot of the server's release",
        )  # fmt: skip
    return decode(kind, tree)


def checked_claim(asked: ClaimRequest) -> ClaimRequest:
    """Returns the same claim when its numbers make sense. Raises Invalid otherwise."""
    _uuid("claim_id", asked.claim_id)
    _within("n_jobs", asked.n_jobs, 1, MOST_JOBS)
    for name in ("cores", "nodes"):
        _within(name, getattr(asked, name), 1, INTEGER)
    for name in ("memory_mb", "disk_mb", "gpus", "gpu_memory_mb"):
        _within(name, getattr(asked, name), 0, INTEGER)
    _within("remaining_seconds", asked.remaining_seconds, -INTEGER, INTEGER)
    _within("worker_id", asked.worker_id, 1, BIGINT)
    _within("wait_seconds", asked.wait_seconds, 0, REAL)
    for name in ("queue", "architecture", "node", "gpu_model"):
        _text(name, getattr(asked, name))
    return asked


def checked_beats(asked: HeartbeatRequest) -> HeartbeatRequest:
    """Returns the same heartbeats when they name jobs that can be. Raises Invalid otherwise."""
    _common(asked)
    tells = False
    for n, beat in enumerate(asked.jobs):
        if not (0 < beat.job_id <= BIGINT and -INTEGER <= beat.attempt <= INTEGER and _PLAIN_UUID.fullmatch(beat.claim_id)):
            _check_beat(n, beat)
        if beat.payloads:
            _check_payloads(n, beat.payloads)
            tells = True
    if tells:
        return replace(asked, jobs=tuple(replace(beat, payloads=_cleaned_payloads(beat.payloads)) for beat in asked.jobs))
    return asked


def _check_beat(n: int, beat: JobBeat) -> None:
    _within("job_id", beat.job_id, 1, BIGINT, n)
    _within("attempt", beat.attempt, -INTEGER, INTEGER, n)
    _uuid("claim_id", beat.claim_id, n)


def checked_reports(asked: ReportRequest) -> ReportRequest:
    """Returns the reports with NUL taken out of their messages (a payload may print anything). Raises Invalid for what cannot be kept."""
    _common(asked)
    for n, each in enumerate(asked.jobs):
        for name, value, low, high in _numbers(each):
            _within(name, value, low, high, n)
        _uuid("claim_id", each.claim_id, n)
        _text("outcome.domain", each.outcome.domain, n)
        _check_outputs((n,), each.outputs)
        _check_steps(n, each)
        _check_payloads(n, each.payloads)
    return asked if all(_is_clean(each) for each in asked.jobs) else replace(asked, jobs=tuple(_cleaned(each) for each in asked.jobs))


def _numbers(each: JobReport) -> Iterator[tuple[str, float | None, float, float]]:
    yield "job_id", each.job_id, 1, BIGINT
    yield "attempt", each.attempt, -INTEGER, INTEGER
    yield "outcome.code", each.outcome.code, 0, INTEGER
    yield "outcome.exit_code", each.outcome.exit_code, -INTEGER, INTEGER
    yield "outcome.signal", each.outcome.signal, 0, INTEGER
    yield "wall_seconds", each.wall_seconds, 0, 1e9
    yield "cpu_seconds", each.cpu_seconds, 0, REAL
    yield "max_rss_mb", each.max_rss_mb, 0, INTEGER
    yield "disk_mb", each.disk_mb, 0, INTEGER


def _check_outputs(at: tuple[int, ...], outputs: Sequence[WrittenFile]) -> None:
    """The outputs of a job, or of a payload of a job."""
    for n, file in enumerate(outputs):
        _text("name", file.name, *at, n)
        _within("size_bytes", file.size_bytes, 0, BIGINT, *at, n)
        _within("events", file.events, 0, BIGINT, *at, n)
        _uuid("guid", file.guid, *at, n)
        if not _ADLER32.fullmatch(file.adler32):
            raise _wrong(_path("adler32", (*at, n)), file.adler32, "8 hexadecimal digits")


def _check_steps(job: int, each: JobReport) -> None:
    if len(each.steps) > MOST_STEPS:
        raise _wrong(_path("steps", (job,)), len(each.steps), f"at most {MOST_STEPS}")
    for n, step in enumerate(each.steps):
        _text(f"steps[{n}].name", step.name, job)
        _within(f"steps[{n}].exit_code", step.exit_code, -INTEGER, INTEGER, job)
        for name in ("wall_seconds", "cpu_seconds", "max_rss_mb"):
            _within(f"steps[{n}].{name}", getattr(step, name), 0, REAL, job)


def _check_payloads(job: int, payloads: Sequence[PayloadReport]) -> None:
    if len(payloads) > MOST_PAYLOADS:
        raise _wrong(_path("payloads", (job,)), len(payloads), f"at most {MOST_PAYLOADS}")
    for m, each in enumerate(payloads):
        told, name = each.outcome, f"payloads[{m}]"
        _within(f"{name}.n", each.n, 0, INTEGER, job)
        _text(f"{name}.outcome.domain", told.domain, job)
        _within(f"{name}.outcome.code", told.code, 0, INTEGER, job)
        _within(f"{name}.outcome.exit_code", told.exit_code, -INTEGER, INTEGER, job)
        _within(f"{name}.outcome.signal", told.signal, 0, INTEGER, job)
        _within(f"{name}.wall_seconds", each.wall_seconds, 0, 1e9, job)
        _within(f"{name}.cpu_seconds", each.cpu_seconds, 0, REAL, job)
        _within(f"{name}.max_rss_mb", each.max_rss_mb, 0, INTEGER, job)
        _check_outputs((job, m), each.outputs)


def _is_clean(each: JobReport) -> bool:
    return not each.payloads and "\x00" not in each.outcome.message and len(each.outcome.message) <= MESSAGE_CHARACTERS


def _cleaned(each: JobReport) -> JobReport:
    return replace(each, outcome=_cleaned_outcome(each.outcome), payloads=_cleaned_payloads(each.payloads))


def _cleaned_payloads(payloads: Sequence[PayloadReport]) -> tuple[PayloadReport, ...]:
    return tuple([replace(each, outcome=_cleaned_outcome(each.outcome)) for each in payloads])


def _cleaned_outcome(told: Outcome) -> Outcome:
    return replace(told, message=told.message.replace("\x00", "\N{REPLACEMENT CHARACTER}")[:MESSAGE_CHARACTERS])


def claim_uuid(text: str, field: str) -> UUID:
    """Returns the UUID that a text is. Raises Invalid when it is none."""
    try:
        return UUID(text)
    except ValueError:
        raise _wrong(field, text, "a UUID in hexadecimal digits") from None


def _common(asked: HeartbeatRequest | ReportRequest) -> None:
    _within("worker_id", asked.worker_id, 1, BIGINT)
    if len(asked.jobs) > MOST_JOBS:
        raise _wrong("jobs", len(asked.jobs), f"at most {MOST_JOBS} jobs a call")


def _path(name: str, at: tuple[int, ...]) -> str:
    """The field as it is told: of the call, of its job, of an output of that, or of one of a payload of it. Put together only when something is wrong."""
    return "".join(f"{part}[{n}]." for part, n in zip(_PARTS[len(at)], at, strict=True)) + name


def _within(name: str, value: float | None, low: float, high: float, *at: int) -> None:
    if value is not None and not low <= value <= high:
        raise _wrong(_path(name, at), value, f"from {low:.15g} to {high:.15g}")


def _text(name: str, value: str, *at: int) -> None:
    if "\x00" in value or len(value) > 1000:
        raise _wrong(_path(name, at), value[:200].replace("\x00", "?"), "at most 1000 characters, none of them NUL")


def _uuid(name: str, value: str, *at: int) -> None:
    if not _PLAIN_UUID.fullmatch(value):
        claim_uuid(value, _path(name, at))


def _wrong(field: str, value: object, allowed: str) -> Invalid:
    return Invalid(f"{field} must be {allowed}", code="not_allowed", field=field, value=value, allowed=allowed, hint=f"send {field} as {allowed}")
