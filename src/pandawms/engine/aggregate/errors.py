"""Groups what went wrong by what it says, without the names of this time: ids, numbers, hosts, paths, hashes and times are taken out. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

SAMPLES = 5
"""Jobs named as examples of a kind of failure, the newest."""
PLACES = 20
"""Queues told of a kind of failure."""
MOST_GROUPS = 100
"""Kinds of failure in one summary; the rest is counted as `others`."""

_NAME = r"[\w.%+@=~-]+"
_LABEL = r"[a-z0-9]++(?:-++[a-z0-9]++)*+"
"""Possessive, so that a message made to be slow takes no longer than another."""
_PATH = (
    rf"(?<![\w/<>.])(?:[A-Za-z]:\\(?:{_NAME}\\)*(?:{_NAME})?|~?(?:/{_NAME})+/?|\.{{1,2}}/(?:{_NAME}/)*(?:{_NAME})?"
    rf"|(?:{_NAME}/){{2,}}(?:{_NAME})?|{_NAME}/[\w-]+\.\w+)"
)
"""Absolute, from here (./x), of three parts, or of two when the last one has a suffix: read/write is no path."""
_ADDRESS = r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d{1,5})?\b|(?<![\w.-])[\w-]++(?:\.[\w-]+)*\.[a-z]{2,12}:\d{4,5}\b"
_DIGITS = tuple("0123456789")
_DOMAINS = "com|org|net|edu|gov|int|info|local|internal|cern|cloud|lan|localdomain"
TAKEN_OUT: tuple[tuple[str, tuple[str, ...], re.Pattern[str]], ...] = (
    ("<url>", ("://",), re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s'\"<>,;)\]]+", re.IGNORECASE)),
    ("<time>", ("-", ":"), re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)?(?:Z|[+-]\d\d:?\d\d)?|\b\d\d?:\d\d:\d\d(?:[.,]\d+)?\b")),
    ("<id>", ("-",), re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE)),
    ("<path>", ("/", "\\"), re.compile(_PATH)),
    ("<host>", (".",), re.compile(_ADDRESS, re.IGNORECASE)),
    ("<host>", (".",), re.compile(rf"(?<![\w.-])(?:{_LABEL}\.){{2,}}(?!py|sh|so|cc|hh|pl|md|rs|js|ts|gz|xz|go|db|in|id|is|to)[a-z]{{2}}\b", re.IGNORECASE)),
    ("<host>", (".",), re.compile(rf"(?<![\w.-])(?:{_LABEL}\.)+(?:{_DOMAINS})\b(?!\.\w)", re.IGNORECASE)),
    ("<hash>", _DIGITS, re.compile(r"\b0x[0-9a-f]+\b|\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,}\b", re.IGNORECASE)),
    ("<n>", ("",), re.compile(r"\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?")),
)
"""What is taken out, in this order: a url holds a host, a path holds numbers, a time is not three numbers. Each has one of the signs beside it: a message
without is not searched."""
_SPACES = re.compile(r"\s+")
_REPEATED = re.compile(r"(<\w+>)(?:[\s,;]+(?:and )?\1)+")
_INSIDE = re.compile(r"[A-Za-z0-9_.-]*<n>[A-Za-z0-9_.<>-]*")


@dataclass(frozen=True, slots=True)
class Failed:
    """Jobs that failed with one outcome and one message in one queue: how many, the first and the last of them by time, the newest job."""

    domain: str
    code: int
    message: str
    queue: str
    n: int
    first_at: datetime
    last_at: datetime
    job_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """A kind of failure: what its messages have in common, how many jobs, where (most first), when, and the newest jobs as samples."""

    fingerprint: str
    domain: str
    code: int
    pattern: str
    message: str
    n: int
    queues: tuple[tuple[str, int], ...]
    first_at: datetime
    last_at: datetime
    job_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """All failures of a task: the groups, most frequent first, and how many jobs are not in one of them."""

    n: int
    groups: tuple[ErrorGroup, ...]
    n_others: int = 0


@dataclass(slots=True)
class _Growing:
    """A group while it is filled."""

    newest: Failed
    n: int = 0
    queues: dict[str, int] = field(default_factory=dict)
    first_at: datetime = field(default=datetime.max)
    job_ids: set[int] = field(default_factory=set)


def pattern(message: str) -> str:
    """Returns a message without what names one time of it."""
    found = message
    for word, signs, taken_out in TAKEN_OUT:
        if any(sign in found for sign in signs):
            found = taken_out.sub(word, found)
    if "<n>" in found:
        found = _INSIDE.sub("<n>", found)
    return _REPEATED.sub(r"\1", _SPACES.sub(" ", found)).strip()


def fingerprint(domain: str, code: int, message: str) -> str:
    """Returns 16 hexadecimal digits that failures of one kind share: same domain, same code, same pattern of the message."""
    return _of_pattern(domain, code, pattern(message))


def _of_pattern(domain: str, code: int, text: str) -> str:
    return sha256(f"{domain}\0{code}\0{text}".encode()).hexdigest()[:16]


def summary(failures: Iterable[Failed], n_all: int = 0) -> Summary:
    """Groups failures by fingerprint, most frequent first. Every job is counted once: in a group, or among the others.

    `n_all` is the number of all failed jobs, where that is more than those of `failures`.
    """
    growing: dict[tuple[str, int, str], _Growing] = {}
    for failed in failures:
        _add(growing.setdefault((failed.domain, failed.code, pattern(failed.message)), _Growing(failed, first_at=failed.first_at)), failed)
    groups = sorted((_group(text, grown) for (_, _, text), grown in growing.items()), key=lambda group: (-group.n, group.fingerprint))
    total = max(n_all, sum(group.n for group in groups))
    told = groups[:MOST_GROUPS]
    return Summary(total, tuple(told), total - sum(group.n for group in told))


def as_kept(found: Summary, most: int = 10) -> list[dict[str, object]]:
    """Returns the most frequent groups in the form in which a round's verdict keeps them."""
    return [
        {
            "fingerprint": group.fingerprint, "domain": group.domain, "code": group.code, "pattern": group.pattern, "message": group.message, "n": group.n,
            "queues": dict(group.queues), "first_at": group.first_at.isoformat(), "last_at": group.last_at.isoformat(), "job_ids": list(group.job_ids),
        }
        for group in found.groups[:most]
    ]  # fmt: skip


def _add(grown: _Growing, failed: Failed) -> None:
    grown.n += failed.n
    grown.queues[failed.queue] = grown.queues.get(failed.queue, 0) + failed.n
    grown.first_at = min(grown.first_at, failed.first_at)
    if failed.last_at > grown.newest.last_at:
        grown.newest = failed
    grown.job_ids.update(failed.job_ids)


def _group(text: str, grown: _Growing) -> ErrorGroup:
    newest = grown.newest
    return ErrorGroup(
        _of_pattern(newest.domain, newest.code, text), newest.domain, newest.code, text, newest.message, grown.n, _most(grown.queues),
        grown.first_at, newest.last_at, tuple(sorted(grown.job_ids, reverse=True)[:SAMPLES]),
    )  # fmt: skip


def _most(queues: dict[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(queues.items(), key=lambda item: (-item[1], item[0]))[:PLACES])
