"""What a load generator counts, and the percentiles of what it timed. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

import msgspec


class Latency(msgspec.Struct, frozen=True):
    """How long the calls of one kind took, in milliseconds."""

    calls: int
    mean: float
    p50: float
    p99: float
    p999: float
    max: float


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of the generator saw in its measured seconds; `answers` counts HTTP statuses, `verdicts` what was said of jobs (`claim empty` too).

    `retries` are calls that were sent again, `failed` those that failed for good; `left` is how many jobs are
    still leased to its pilots (of idle ones: how many wait).
    """

    seconds: float
    lives: int
    calls: int
    lives_per_second: float
    calls_per_second: float
    claims_per_second: float
    cpu_seconds: float
    latency_ms: dict[str, Latency]
    answers: dict[str, int]
    verdicts: dict[str, int]
    retries: int
    failed: int
    left: int = 0

    @property
    def cpu_us_a_call(self) -> float:
        """What a call cost the generator itself, in microseconds."""
        return self.cpu_seconds / self.calls * 1e6 if self.calls else 0.0


@dataclass(slots=True)
class Tally:
    """Counts of one run; `clear` forgets what was warm-up."""

    times: dict[str, list[float]] = field(default_factory=lambda: {"claim": [], "heartbeat": [], "report": []})
    answers: Counter[int] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    lives: int = 0
    claimed: int = 0
    retries: int = 0
    failed: int = 0

    def clear(self) -> None:
        """Starts anew; failures and retries of the warm-up stay counted."""
        for times in self.times.values():
            times.clear()
        self.answers.clear()
        self.verdicts.clear()
        self.lives = self.claimed = 0

    def result(self, seconds: float, cpu_seconds: float, left: int = 0) -> Load:
        """Returns the counts as rates over the seconds that were measured."""
        calls = sum(len(times) for times in self.times.values())
        return Load(
            seconds=seconds, lives=self.lives, calls=calls, lives_per_second=self.lives / seconds, calls_per_second=calls / seconds,
            claims_per_second=self.claimed / seconds, cpu_seconds=cpu_seconds,
            latency_ms={name: latency(times) for name, times in self.times.items() if times}, answers={str(k): n for k, n in sorted(self.answers.items())},
            verdicts=dict(sorted(self.verdicts.items())), retries=self.retries, failed=self.failed, left=left,
        )  # fmt: skip


def latency(seconds: Sequence[float]) -> Latency:
    """Returns the summary of durations given in seconds, of which there is at least one."""
    ordered = sorted(seconds)
    p50, p99, p999 = (percentile(ordered, share) * 1000 for share in (0.5, 0.99, 0.999))
    return Latency(len(ordered), sum(ordered) / len(ordered) * 1000, p50, p99, p999, ordered[-1] * 1000)


def percentile(ordered: Sequence[float], share: float) -> float:
    """Returns the smallest of the ordered values that at least this share of them does not exceed (nearest rank)."""
    return ordered[max(0, ceil(share * len(ordered) - 1e-9) - 1)]
