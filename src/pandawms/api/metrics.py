"""Figures for Prometheus, kept by one server process."""

from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

BUCKETS_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0)


def _requests(registry: CollectorRegistry) -> Counter:
    return Counter("panda_requests", "Requests answered", ["method", "route", "status"], registry=registry)


def _seconds(registry: CollectorRegistry) -> Histogram:
    return Histogram(
        "panda_request_seconds", "Time to the head of the answer; long polls wait on purpose", ["method", "route"], buckets=BUCKETS_SECONDS, registry=registry
    )


@dataclass(slots=True)
class Metrics:
    """Counters of one process, in a registry of their own so that two servers can live in one test."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    requests: Counter = field(init=False)
    seconds: Histogram = field(init=False)
    claims: Counter = field(init=False)
    reports: Counter = field(init=False)
    beats: Counter = field(init=False)
    _answers: dict[tuple[str, str, int], tuple[Counter, Histogram]] = field(default_factory=dict)
    _words: dict[tuple[Counter, str], Counter] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.requests = _requests(self.registry)
        self.seconds = _seconds(self.registry)
        self.claims = Counter("panda_claims", "Claims answered, by whether they got jobs", ["answer"], registry=self.registry)
        self.reports = Counter("panda_reports", "Reported jobs, by verdict", ["verdict"], registry=self.registry)
        self.beats = Counter("panda_heartbeats", "Heartbeats of jobs, by verdict", ["verdict"], registry=self.registry)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts one answered request; `route` is the path's template, never the path, so that the number of series stays small."""
        found = self._answers.get((method, route, status))
        if found is None:
            found = self.requests.labels(method, route, str(status)), self.seconds.labels(method, route)
            self._answers[method, route, status] = found
        found[0].inc()
        found[1].observe(seconds)

    def count(self, counter: Counter, word: str) -> None:
        """Counts one in a counter with one label, whose child is looked up once."""
        child = self._words.get((counter, word))
        if child is None:
            child = self._words[counter, word] = counter.labels(word)
        child.inc()

    def text(self) -> bytes:
        """Returns all figures in Prometheus' text format."""
        return generate_latest(self.registry)
