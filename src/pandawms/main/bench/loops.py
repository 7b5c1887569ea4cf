"""Runs coroutines between plain code that may be interrupted: a loop swallows what a signal's handler raises, so signals cancel what runs in it."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end. A signal that comes meanwhile cancels it, and then goes to the handler that was there before."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    came: list[signal.Signals] = []

    async def watched() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None, "this runs in a task"

        def asked(number: signal.Signals) -> None:
            came.append(number)
            task.cancel()

        for number in SIGNALS:
            loop.add_signal_handler(number, asked, number)
        return await work

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(watched())
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])
