"""The small values: errors, identity, snapshots, allocations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pandawms.domain.allocation import Allocation
from pandawms.domain.errors import KINDS, Invalid, PandaError, did_you_mean
from pandawms.domain.identity import Scope, Who
from pandawms.domain.queue import QueueStatus
from pandawms.domain.snapshot import QueueSnapshot, Rejection

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_an_error_carries_what_a_person_needs_to_mend_it() -> None:
    inner = Invalid("The key is unknown.", code="unknown_key", field="split.event_per_job")
    error = Invalid("The task file is wrong.", code="invalid_task", value=3, allowed="1 to 5", hint="Use 5.", errors=[inner])
    assert (str(error), error.kind, error.code, error.errors) == ("The task file is wrong.", "invalid", "invalid_task", (inner,))
    assert isinstance(error, PandaError)


def test_there_are_six_kinds_of_error() -> None:
    assert [kind.kind for kind in KINDS] == ["invalid", "denied", "not_found", "conflict", "limit", "unavailable"]


@pytest.mark.parametrize(("word", "near"), [("evnets", "events"), ("Events", "events"), ("xyz", None)])
def test_did_you_mean_finds_the_near_word_or_none(word: str, near: str | None) -> None:
    assert did_you_mean(word, ["events", "files"]) == near


def test_an_operator_may_what_a_user_may_and_a_pilot_may_not() -> None:
    operator = Who(1, "me", "local", scopes=frozenset({"operator"}))
    pilot = Who(2, "pilot", "local", scopes=frozenset({"pilot"}), queue="local")
    assert operator.has(Scope.USER)
    assert not operator.has(Scope.PILOT)
    assert not pilot.has(Scope.USER)


def test_an_allocation_is_open_until_it_expires_or_is_used_up() -> None:
    allocation = Allocation(10_000_001, 1, 5, 1.0, NOW, NOW + timedelta(minutes=5))
    assert allocation.is_open(NOW)
    assert not allocation.is_open(NOW + timedelta(minutes=5))
    assert not Allocation(10_000_001, 1, 0, 1.0, NOW, NOW + timedelta(minutes=5)).is_open(NOW)


@pytest.mark.parametrize(("quota", "minutes"), [(-1, 5), (1, 0)])
def test_an_allocation_that_makes_no_sense_is_refused(quota: int, minutes: int) -> None:
    with pytest.raises(ValueError, match="must"):
        Allocation(10_000_001, 1, quota, 1.0, NOW, NOW + timedelta(minutes=minutes))


def test_a_queue_that_works_off_what_it_has_is_not_brokered() -> None:
    queue = QueueSnapshot(1, "local", QueueStatus.BROKEROFF, 1, 2000, 10_000, 86_400)
    assert not queue.is_brokered
    assert Rejection(queue.name, "status", "The queue takes no new jobs.", value=str(queue.status)).limit is None
