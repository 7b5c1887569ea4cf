"""How long the client waits before it asks again."""

from __future__ import annotations

import pytest

from pandawms.client.attempts import RetryPolicy, exchanged
from pandawms.client.script import Pause, Reply, Request
from pandawms.domain.errors import Unavailable


def pauses(policy: RetryPolicy, *replies: Reply) -> list[float]:
    """The pauses between these replies."""
    script, found = exchanged(Request("GET", "/x"), policy), []
    next(script)
    for reply in replies:
        step = script.send(reply)
        assert isinstance(step, Pause)
        found.append(step.seconds)
        script.send(None)
    return found


def busy(seconds: str) -> Reply:
    """An answer that asks for patience."""
    return Reply(503, {"retry-after": seconds}, b"")


@pytest.mark.parametrize("drawn", [0.0, 0.5, 1.0])
def test_a_client_comes_no_earlier_than_it_was_told_and_not_all_clients_at_once(drawn: float) -> None:
    policy = RetryPolicy(jitter=lambda: drawn, clock=lambda: 0.0)
    assert pauses(policy, busy("2"), busy("0"), busy("soon")) == [2 * (1 + drawn / 5), 0.2 * (0.5 + drawn / 2), 0.4 * (0.5 + drawn / 2)]


def test_a_client_that_would_have_to_wait_for_longer_than_it_may_gives_up_at_once() -> None:
    script = exchanged(Request("GET", "/x"), RetryPolicy(total_seconds=15, clock=lambda: 0.0))
    next(script)
    with pytest.raises(Unavailable):
        script.send(busy("60"))
