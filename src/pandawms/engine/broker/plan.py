"""Decides which queues may take how much of a task, and why the others may not. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pandawms.domain.snapshot import QueueSnapshot, Rejection, TaskSnapshot
from pandawms.plugins.broker_rule import BrokerRule


@dataclass(frozen=True, slots=True)
class Candidate:
    """A queue that passed all rules, with the product of their weights (above 0)."""

    queue: QueueSnapshot
    weight: float


@dataclass(frozen=True, slots=True)
class Share:
    """How many units of the task a queue may take."""

    queue_id: int
    quota: int
    weight: float


@dataclass(frozen=True, slots=True)
class Plan:
    """Shares that together cover the open units exactly, or none; and a rejection for every other queue."""

    shares: tuple[Share, ...]
    candidates: tuple[Candidate, ...]
    rejections: tuple[Rejection, ...]


def open_units(n_ready: int, units_per_job: int, most_first: int | None, n_again: int) -> int:
    """Returns how many ready units may be given to queues now: all, or those of so many first attempts and those that are tried again."""
    return n_ready if most_first is None else min(n_ready, most_first * units_per_job + n_again)


def judge(task: TaskSnapshot, queue: QueueSnapshot, rules: Sequence[BrokerRule]) -> Candidate | Rejection:
    """Asks the rules in order about one queue; the first rejection ends the asking. A factor that is not finite and above 0 rejects the queue."""
    weight = 1.0
    for rule in rules:
        verdict = rule.judge(task, queue)
        if isinstance(verdict, Rejection):
            return verdict
        weight *= verdict
        if not (math.isfinite(weight) and weight > 0):
            return Rejection(queue.name, rule.name, f"the rule gave the factor {verdict}, which is no weight", None, None)
    return Candidate(queue, weight)


def plan(task: TaskSnapshot, queues: Sequence[QueueSnapshot], rules: Sequence[BrokerRule]) -> Plan:
    """Shares the open units of a task among the queues that pass, in proportion to their weights."""
    verdicts = [judge(task, queue, rules) for queue in queues]
    candidates = sorted((v for v in verdicts if isinstance(v, Candidate)), key=lambda c: (-c.weight, c.queue.queue_id))
    rejections = tuple(v for v in verdicts if isinstance(v, Rejection))
    return Plan(_share(task, candidates), tuple(candidates), rejections)


def _share(task: TaskSnapshot, candidates: Sequence[Candidate]) -> tuple[Share, ...]:
    """Cumulative rounding in multiples of a job's units: the parts add up to the whole, and each differs from its due by less than one job."""
    total = sum(candidate.weight for candidate in candidates)
    n_jobs = -(-task.open_units // task.units_per_job)
    shares, passed, given = [], 0.0, 0
    for candidate in candidates:
        passed += candidate.weight
        until = min(task.open_units, round(n_jobs * passed / total) * task.units_per_job)
        if until > given:
            shares.append(Share(candidate.queue.queue_id, until - given, candidate.weight))
        given = max(given, until)
    return tuple(shares)
