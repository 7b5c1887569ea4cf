"""A benchmark is interrupted while a loop runs in it."""

import asyncio
import os
import signal

import pytest

from pandawms.main.bench import loops
from pandawms.main.stopping import Stop, stoppable


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_work_of_a_loop_and_is_then_raised(number: signal.Signals) -> None:
    async def work() -> None:
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), number)
        await asyncio.sleep(30)

    with pytest.raises(Stop), stoppable():
        loops.run(work())


def test_without_a_signal_the_result_comes_back_and_the_handlers_are_as_before() -> None:
    async def work() -> int:
        return 7

    before = signal.getsignal(signal.SIGTERM)
    assert loops.run(work()) == 7
    assert signal.getsignal(signal.SIGTERM) is before
