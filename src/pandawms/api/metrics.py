"""Figures for Prometheus, kept by one server process.

Plain numbers that one thread counts, made into Prometheus' families when they are asked for: the library's own counters take a lock each, and four of
them for every call of a pilot were 7 % of a server's CPU.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

BUCKETS_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0)

Words = dict[str, int]
"""How often each word was said."""


@dataclass(slots=True)
class Series:
    """How many requests of one route were answered how, and how long they took; the last bucket holds those above all bounds."""

    statuses: dict[int, int] = field(default_factory=dict)
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_SECONDS) + 1))
    seconds: float = 0.0

    def answered(self, status: int, seconds: float) -> None:
        """Counts one answered request."""
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.buckets[bisect_left(BUCKETS_SECONDS, seconds)] += 1
        self.seconds += seconds


@dataclass(slots=True, eq=False)
class Metrics(Collector):
    """Counters of one process, in a registry of their own so that two servers can live in one test."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    claims: Words = field(default_factory=dict)
    reports: Words = field(default_factory=dict)
    beats: Words = field(default_factory=dict)
    _series: dict[tuple[str, str], Series] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.registry.register(self)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts one answered request; `route` is the path's template, never the path, so that the number of series stays small."""
        self.series(method, route).answered(status, seconds)

    def series(self, method: str, route: str) -> Series:
        """Returns the figures of one route, for who counts in them often."""
        found = self._series.get((method, route))
        if found is None:
            found = self._series[method, route] = Series()
        return found

    def count(self, words: Words, word: str) -> None:
        """Counts one in a counter with one label."""
        words[word] = words.get(word, 0) + 1

    def text(self) -> bytes:
        """Returns all figures in Prometheus' text format."""
        return generate_latest(self.registry)

    def collect(self) -> Iterator[Metric]:
        """Yields the figures as Prometheus' families."""
        requests = CounterMetricFamily("panda_requests", "Requests answered", labels=["method", "route", "status"])
        seconds = HistogramMetricFamily("panda_request_seconds", "Time to the head of the answer; long polls wait on purpose", labels=["method", "route"])
        for labels, series in self._series.items():
            for status, n in series.statuses.items():
                requests.add_metric([*labels, str(status)], n)
            counts = accumulate(series.buckets)
            buckets = [(str(bound), float(n)) for bound, n in zip((*BUCKETS_SECONDS, "+Inf"), counts, strict=True)]
            seconds.add_metric(list(labels), buckets, series.seconds)
        yield requests
        yield seconds
        yield _words("panda_claims", "Claims answered, by whether they got jobs", "answer", self.claims)
        yield _words("panda_reports", "Reported jobs, by verdict", "verdict", self.reports)
        yield _words("panda_heartbeats", "Heartbeats of jobs, by verdict", "verdict", self.beats)


def _words(name: str, help_: str, label: str, words: Words) -> CounterMetricFamily:
    family = CounterMetricFamily(name, help_, labels=[label])
    for word, n in words.items():
        family.add_metric([word], n)
    return family
