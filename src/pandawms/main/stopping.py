"""Turns SIGTERM and SIGINT into an event or an exception, so that a process ends by itself and soon."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


def stop_event() -> asyncio.Event:
    """Returns an event that SIGTERM or SIGINT sets; a second signal ends the process at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked(number: int) -> None:
        stop.set()
        loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked, number)
    return stop


class Stop(BaseException):
    """A signal came that asks for the end: SIGTERM or SIGINT, or SIGHUP where this means the end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def stoppable(hung_up: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Within the block the first SIGTERM or SIGINT raises Stop; later ones are ignored, so that the tree is ended whole.

    So does SIGHUP when `hung_up()` says that it means the end.
    """

    def asked(asking: int, _frame: FrameType | None) -> None:
        if asking == signal.SIGHUP and not hung_up():
            return
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        raise Stop(asking)

    before = {number: signal.signal(number, asked) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
