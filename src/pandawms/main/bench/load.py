"""The load generator, a process of its own: `python -m pandawms.main.bench.load --url … --token … --queue …`.

Plays pilots over HTTP and writes what it saw as JSON. On its output it says `begin` and `end` around the seconds that are measured, so that who started it
can look at the other processes at the same moments.
"""

import argparse
import asyncio
import resource
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import uvloop

from pandawms.main.bench import calls
from pandawms.main.bench.exchange import Server
from pandawms.main.bench.pilots import Kept, Pilot, Play
from pandawms.main.bench.tally import Load, Tally

MODES = ("lives", "claim", "finish", "idle")
DRAIN_SECONDS = 30.0


class Target(msgspec.Struct, frozen=True):
    """A queue, and a pilot's token for it."""

    queue: str
    token: str


@dataclass(frozen=True, slots=True)
class Order:
    """What to play. `memory_mb` has the memory of the slots, given to the pilots in turn; `lives_per_second` 0 is as fast as it goes."""

    url: str
    targets: Sequence[Target]
    mode: str = "lives"
    connections: int = 64
    calls: int = 3
    jobs: int = 1
    seconds: float = 5.0
    warm_seconds: float = 1.0
    wait_seconds: float = 0.0
    lives_per_second: float = 0.0
    memory_mb: Sequence[int] = (64_000,)
    kept: Path | None = None


async def play(order: Order) -> Load:
    """Plays the pilots and returns what was measured; `mode` is one of MODES.

    lives: claim, `calls` - 2 heartbeats, report, and again. claim: claims only, the jobs go into the file `kept`. finish: reports what is in that file.
    idle: every pilot waits in a claim of an empty queue.
    """
    address = urlsplit(order.url)
    server = Server(address.hostname or "127.0.0.1", address.port or 80)
    shared = Play(
        server, [calls.Caller(address.netloc, target.token) for target in order.targets], Tally(), beats=order.calls - 2, keeps=order.mode == "claim",
        takes=order.mode == "finish", life_seconds=order.connections / order.lives_per_second if order.lives_per_second else 0.0,
    )  # fmt: skip
    if shared.takes and order.kept is not None:
        shared.kept.extend((each.place, each.jobs) for each in msgspec.json.decode(order.kept.read_bytes(), type=list[Kept]))
    spread = order.warm_seconds / 2 if order.mode == "idle" else min(0.2, order.warm_seconds)
    pilots = [_pilot(order, shared, n) for n in range(order.connections)]
    for n, pilot in enumerate(pilots):
        pilot.start(n * (shared.life_seconds or spread) / order.connections)
    begin, cpu, end, cpu_end = await _measure(order, shared)
    result = shared.tally.result(end - begin, cpu_end - cpu)
    shared.is_over = True
    left = await _drain(order, shared, pilots)
    if shared.keeps and order.kept is not None:
        order.kept.write_bytes(msgspec.json.encode([Kept(place, tuple(jobs)) for place, jobs in shared.kept]))
    return msgspec.structs.replace(result, left=left + sum(len(jobs) for _, jobs in shared.kept), failed=shared.tally.failed, retries=shared.tally.retries)


def _pilot(order: Order, shared: Play, n: int) -> Pilot:
    place = n % len(order.targets)
    memory_mb = order.memory_mb[n % len(order.memory_mb)]
    wait_seconds = 50.0 if order.mode == "idle" else order.wait_seconds
    return Pilot(shared, calls.slot(order.targets[place].queue, jobs=order.jobs, wait_seconds=wait_seconds, memory_mb=memory_mb), place)


async def _measure(order: Order, shared: Play) -> tuple[float, float, float, float]:
    """Waits for the warm-up and the measured seconds (or, when only reporting, until there is nothing left); returns time and CPU time at both ends."""
    await asyncio.sleep(order.warm_seconds)
    shared.tally.clear()
    _say("begin")
    begin, cpu = time.perf_counter(), time.process_time()
    with suppress(TimeoutError):
        await asyncio.wait_for(shared.rest.wait(), order.seconds)
    end, cpu_end = time.perf_counter(), time.process_time()
    _say("end")
    return begin, cpu, end, cpu_end


async def _drain(order: Order, shared: Play, pilots: Sequence[Pilot]) -> int:
    """Lets every life end, so that no job stays leased; returns how many pilots were not done in time (of idle ones: how many wait)."""
    if order.mode != "idle":
        with suppress(TimeoutError):
            await asyncio.wait_for(shared.rest.wait(), DRAIN_SECONDS)
    left = shared.busy if order.mode != "idle" else sum(pilot.is_waiting for pilot in pilots)
    for pilot in pilots:
        pilot.close()
    return left


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="load", description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--token", action="append", default=[], help="of a pilot; one for each --queue")
    parser.add_argument("--queue", action="append", default=[])
    parser.add_argument("--targets", type=Path, help="JSON: a list of {queue, token}, instead of --queue and --token")
    parser.add_argument("--mode", choices=MODES, default="lives")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--calls", type=int, default=3, help="calls a life: claim, heartbeats, report")
    parser.add_argument("--jobs", type=int, default=1, help="jobs a call")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--warm-seconds", type=float, default=1.0)
    parser.add_argument("--wait-seconds", type=float, default=0.0)
    parser.add_argument("--lives-per-second", type=float, default=0.0, help="0: as many as it goes")
    parser.add_argument("--memory-mb", type=int, action="append", help="of the pilots' slots, in turn")
    parser.add_argument("--kept", type=Path, help="where `--mode claim` leaves the jobs and `--mode finish` finds them")
    parser.add_argument("--json", type=Path)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Plays what the arguments say, writes JSON and one line of summary."""
    given = _parser().parse_args(arguments)
    if given.targets:
        targets = msgspec.json.decode(given.targets.read_bytes(), type=list[Target])
    else:
        targets = [Target(queue, token) for queue, token in zip(given.queue, given.token, strict=True)]
    if not targets or given.calls < 2 or given.connections < 1:
        _parser().error("give a --queue with its --token, at least 2 --calls and 1 of --connections")
    order = Order(
        given.url, targets, given.mode, given.connections, given.calls, given.jobs, given.seconds, given.warm_seconds, given.wait_seconds,
        given.lives_per_second, given.memory_mb or (64_000,), given.kept,
    )  # fmt: skip
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        load = runner.run(play(order))
    if given.json:
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(load), indent=2))
    _say(_summary(load))
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _summary(load: Load) -> str:
    times = "  ".join(f"{name} p50 {each.p50:.1f} p99 {each.p99:.1f} ms" for name, each in load.latency_ms.items())
    return (
        f"{load.lives_per_second:.0f} lives/s  {load.calls_per_second:.0f} calls/s  {times}  "
        f"{load.cpu_us_a_call:.0f} us CPU/call  retries {load.retries}  failed {load.failed}  left {load.left}"
    )


if __name__ == "__main__":
    sys.exit(main())
