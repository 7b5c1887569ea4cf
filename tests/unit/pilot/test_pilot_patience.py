"""How long a pilot waits when a server asks it to."""

from __future__ import annotations

import pytest

from pandawms.pilot.server import Backoff, _retry_after


@pytest.mark.parametrize(("text", "seconds"), [("2", 2.0), ("0", 0.0), (None, 0.0), ("soon", 0.0), ("-1", 0.0), ("99999999999", 300.0)])
def test_a_server_may_ask_for_patience_but_not_for_ever(text: str | None, seconds: float) -> None:
    assert _retry_after(text) == seconds


def test_pilots_that_were_sent_away_together_do_not_come_back_together() -> None:
    pauses = [Backoff().pause_seconds(2.0) for _ in range(50)]
    assert all(2.0 <= pause <= 2.4 for pause in pauses)
    assert len({round(pause, 2) for pause in pauses}) > 5
