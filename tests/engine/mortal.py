"""Work that dies at a place that a test chooses: at any of the points where it awaits something."""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any


class Mortal:
    """Awaits a coroutine, and cancels its task when it awaits something for the `life`-th time: what a killed process has done is what it had done there."""

    def __init__(self, work: Coroutine[Any, Any, None], life: int) -> None:
        self.work, self.life, self.n_awaits = work, life, 0

    def __await__(self) -> Generator[Any, Any, None]:
        error: BaseException | None = None
        while True:
            try:
                waits = self.work.throw(error) if error is not None else self.work.send(None)
            except StopIteration:
                return
            self.n_awaits += 1
            task = asyncio.current_task()
            if self.n_awaits == self.life and task is not None:
                task.cancel()
            error = None
            try:
                yield waits
            except BaseException as thrown:  # noqa: BLE001  # whatever it is, it is passed on to where the work waits
                error = thrown


async def live(work: Coroutine[Any, Any, None], life: int) -> bool:
    """Lets work go on until it ends, or dies at its `life`-th await; returns whether it died. Raises what it fails with."""

    async def run() -> None:
        await Mortal(work, life)

    task = asyncio.create_task(run())
    try:
        await asyncio.wait([task])
    finally:
        task.cancel()
    if not task.cancelled():
        task.result()
    return task.cancelled()
