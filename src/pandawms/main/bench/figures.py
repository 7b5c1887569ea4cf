"""The figures of the benchmark: what each is called, in which unit it is, and what it must reach. Pure."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pandawms.domain.errors import Invalid, did_you_mean


@dataclass(frozen=True, slots=True)
class Kind:
    """What a figure is, and its bar: a rate or ratio must be at least, a time or size at most so much; with neither it is only stated."""

    unit: str
    title: str
    at_least: float | None = None
    at_most: float | None = None


KINDS: Mapping[str, Kind] = {
    "lives_3_calls": Kind("lives/s", "whole lives over HTTP, 3 calls a job, 64 connections", at_least=1500),
    "lives_10_calls": Kind("lives/s", "the same with 10 calls a job", at_least=700),
    "share_of_limit": Kind("ratio", "lives_3_calls of what pgbench reaches with one job a transaction", at_least=0.6),
    "share_of_batched": Kind("ratio", "lives_3_calls of our own statements without HTTP, 200 jobs a batch"),
    "create": Kind("jobs/s", "jobs made from one task: spec, files, counters, events", at_least=25_000),
    "queue_depth_ratio": Kind("ratio", "lives with the deepest queue of those with 10,000 jobs", at_least=0.8),
    "archive_ratio": Kind("ratio", "lives with the largest archive of those with an empty one", at_least=0.8),
    "claim_p99_ms": Kind("ms", "p99 of a claim at half of full load", at_most=20),
    "server_mb": Kind("MB", "memory of the server process under load", at_most=150),
    "idle_pilots_mb": Kind("MB", "the same with 5,000 pilots that wait", at_most=400),
    "submit_to_start_ms": Kind("ms", "from the submit of a one-job task to its payload, a pilot waiting", at_most=300),
    "limit": Kind("lives/s", "pgbench: claim, start, finish of one job a transaction, 16 clients"),
    "batched": Kind("lives/s", "our own statements without HTTP, 200 jobs a batch"),
    "calls": Kind("calls/s", "HTTP calls of lives_3_calls"),
    "full_claim_p50_ms": Kind("ms", "p50 of a claim at full load"),
    "full_claim_p99_ms": Kind("ms", "p99 of a claim at full load"),
    "full_claim_p999_ms": Kind("ms", "p99.9 of a claim at full load"),
    "full_heartbeat_p50_ms": Kind("ms", "p50 of a heartbeat at full load"),
    "full_heartbeat_p99_ms": Kind("ms", "p99 of a heartbeat at full load"),
    "full_heartbeat_p999_ms": Kind("ms", "p99.9 of a heartbeat at full load"),
    "full_report_p50_ms": Kind("ms", "p50 of a report at full load"),
    "full_report_p99_ms": Kind("ms", "p99 of a report at full load"),
    "full_report_p999_ms": Kind("ms", "p99.9 of a report at full load"),
    "server_cpu_ms": Kind("ms/life", "CPU of the server"),
    "postgres_cpu_ms": Kind("ms/life", "CPU of PostgreSQL"),
    "engine_cpu_ms": Kind("ms/life", "CPU of the engine"),
    "load_cpu_ms": Kind("ms/life", "CPU of the load generator"),
    "wal_bytes": Kind("B/life", "write-ahead log"),
    "lives_16_connections": Kind("lives/s", "3 calls a job, 16 connections"),
    "lives_256_connections": Kind("lives/s", "3 calls a job, 256 connections"),
    "p99_16_connections_ms": Kind("ms", "p99 of a claim, 16 connections"),
    "p99_256_connections_ms": Kind("ms", "p99 of a claim, 256 connections"),
    "lives_depth_10000": Kind("lives/s", "with 10,000 jobs ready, in turn with the next"),
    "lives_depth_100000": Kind("lives/s", "with 100,000 jobs ready"),
    "lives_depth_1000000": Kind("lives/s", "with 1,000,000 jobs ready"),
    "lives_archive_0": Kind("lives/s", "with an empty archive, in turn with the next"),
    "lives_archive_1000000": Kind("lives/s", "with 1,000,000 jobs in the archive"),
    "lives_archive_10000000": Kind("lives/s", "with 10,000,000 jobs in the archive"),
    "lives_archive_100000000": Kind("lives/s", "with 100,000,000 jobs in the archive"),
    "activate": Kind("jobs/s", "the step after create: jobs made ready for pilots"),
    "submit_to_ready": Kind("jobs/s", "from the submit of one task until all its jobs are ready: listed, made, made ready"),
    "lives_50_queues": Kind("lives/s", "50 queues"),
    "lives_50_classes": Kind("lives/s", "20 shares, 50 classes of requirements, slots of 4 sizes"),
    "claims": Kind("claims/s", "claims alone"),
    "reports": Kind("reports/s", "reports alone"),
    "lives_20_a_call": Kind("lives/s", "20 jobs a call, 16 connections"),
    "idle_cpu_percent": Kind("%", "of a core, used by the server while 5,000 pilots wait"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that was measured, once or several times."""

    name: str
    values: tuple[float, ...]

    @property
    def kind(self) -> Kind:
        """What it is."""
        return KINDS[self.name]

    @property
    def median(self) -> float:
        """The middle of the values."""
        return statistics.median(self.values)

    @property
    def is_met(self) -> bool | None:
        """Whether the median reaches the bar; None where there is none."""
        if self.kind.at_least is not None:
            return self.median >= self.kind.at_least
        if self.kind.at_most is not None:
            return self.median <= self.kind.at_most
        return None

    def document(self) -> dict[str, object]:
        """Returns it as JSON's mapping."""
        kind = self.kind
        return {
            "name": self.name, "unit": kind.unit, "min": min(self.values), "median": self.median, "max": max(self.values), "values": list(self.values),
            "at_least": kind.at_least, "at_most": kind.at_most, "is_met": self.is_met, "title": kind.title,
        }  # fmt: skip


def bar_text(kind: Kind) -> str:
    """Returns the bar as a person reads it."""
    if kind.at_least is not None:
        return f"at least {number(kind.at_least)}"
    return f"at most {number(kind.at_most)}" if kind.at_most is not None else ""


def number(value: float) -> str:
    """Returns a number with about three digits that matter."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def rows(figures: Sequence[Figure]) -> list[tuple[str, ...]]:
    """Returns the lines of the table: name, what it is, min, median, max, unit, bar, and whether it is met."""
    said = {None: "", True: "yes", False: "no"}
    return [
        (f.name, f.kind.title, *(number(v) for v in (min(f.values), f.median, max(f.values))), f.kind.unit, bar_text(f.kind), said[f.is_met]) for f in figures
    ]


def known(name: str, scenarios: Sequence[str]) -> str:
    """Returns the name when it is a scenario's or a figure's. Raises Invalid with what may be given otherwise."""
    if name in scenarios or name in KINDS:
        return name
    near = did_you_mean(name, [*scenarios, *KINDS])
    raise Invalid(
        f"there is no figure or scenario {name}", code="bench.unknown", field="--only", value=name, allowed=f"a figure, or {', '.join(scenarios)}",
        hint=f"did you mean {near}?" if near else "`panda bench --list` shows them",
    )  # fmt: skip
