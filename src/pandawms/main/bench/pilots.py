"""Simulated pilots: each has a connection, and lives claim, heartbeats and report after the clock of its own answers, without a task of its own."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from pandawms.main.bench import calls
from pandawms.main.bench.calls import Caller, Job
from pandawms.main.bench.exchange import Exchange, Server
from pandawms.main.bench.tally import Tally

EMPTY_PAUSE_SECONDS = 0.02


@dataclass(slots=True)
class Play:
    """What all pilots of a run share. `beats` heartbeats come between claim and report; with `keeps` claimed jobs are put into `kept` and not reported,
    with `takes` they are taken from there and only reported. `life_seconds` paces a pilot: so long from one claim to the next, at least.
    `rest` is set when none of the `busy` pilots is left."""

    server: Server
    callers: Sequence[Caller]
    tally: Tally
    beats: int = 1
    keeps: bool = False
    takes: bool = False
    life_seconds: float = 0.0
    kept: deque[tuple[int, Sequence[Job]]] = field(default_factory=deque)
    is_over: bool = False
    busy: int = 0
    rest: asyncio.Event = field(default_factory=asyncio.Event)


class Pilot:
    """One pilot of the queue that `place` says in the order of the play's callers."""

    def __init__(self, play: Play, slot: bytes, place: int) -> None:
        self._play, self._slot, self._place = play, slot, place
        self._caller = play.callers[place]
        self._exchange = Exchange(play.server, self._again)
        self._jobs: Sequence[Job] = ()
        self._beats_left = 0
        self._sent = 0.0
        self._due = 0.0

    def start(self, delay_seconds: float) -> None:
        """Begins the first life after a delay."""
        self._due = time.perf_counter() + delay_seconds
        self._play.busy += 1
        self._exchange.open()
        self._later(delay_seconds)

    @property
    def is_waiting(self) -> bool:
        """Whether a call of its is with the server."""
        return self._exchange.is_waiting

    def close(self) -> None:
        """Closes the connection."""
        self._exchange.close()

    def _later(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self._live)

    def _live(self) -> None:
        """Begins a life, or ends it all when the run is over."""
        play = self._play
        if play.takes and play.kept:
            place, self._jobs = play.kept.popleft()
            self._caller = play.callers[place]
            self._report()
        elif play.takes or play.is_over:
            self._rest()
        else:
            self._sent = time.perf_counter()
            self._exchange.send(self._caller.claim(self._slot), self._claimed)

    def _rest(self) -> None:
        self._play.busy -= 1
        if not self._play.busy:
            self._play.rest.set()

    def _claimed(self, status: int, body: bytes) -> None:
        play, now = self._play, time.perf_counter()
        self._note("claim", status, now)
        jobs = calls.given(body).jobs if status == 200 else ()
        if not jobs:
            play.tally.verdicts["claim empty"] += 1
            self._later(EMPTY_PAUSE_SECONDS)
            return
        play.tally.claimed += len(jobs)
        if play.keeps:
            play.kept.append((self._place, jobs))
            self._next(now)
            return
        self._jobs, self._beats_left = jobs, play.beats
        self._go_on()

    def _go_on(self) -> None:
        if self._beats_left > 0:
            self._beats_left -= 1
            self._sent = time.perf_counter()
            self._exchange.send(self._caller.heartbeat(self._jobs), self._beaten)
        else:
            self._report()

    def _beaten(self, status: int, body: bytes) -> None:
        self._note("heartbeat", status, time.perf_counter())
        if status == 200:
            self._count("heartbeat", body)
        self._go_on()

    def _report(self) -> None:
        self._sent = time.perf_counter()
        self._exchange.send(self._caller.report(self._jobs), self._reported)

    def _reported(self, status: int, body: bytes) -> None:
        now = time.perf_counter()
        self._note("report", status, now)
        if status == 200:
            self._play.tally.lives += self._count("report", body)
        self._jobs = ()
        self._next(now)

    def _next(self, now: float) -> None:
        """The next life: at once, or when it is due. One that is late counts its claim from when it was due."""
        if not self._play.life_seconds:
            self._live()
            return
        self._due += self._play.life_seconds
        if self._due > now:
            self._later(self._due - now)
        else:
            self._live()
            self._sent = self._due

    def _count(self, call: str, body: bytes) -> int:
        """Counts the verdicts of an answer; returns how many jobs were taken as done (a report that had to be sent again is `repeated`)."""
        done = 0
        for each in calls.verdicts(body).jobs:
            self._play.tally.verdicts[f"{call} {each.verdict}"] += 1
            done += each.verdict in ("accepted", "repeated")
        return done

    def _note(self, call: str, status: int, now: float) -> None:
        tally = self._play.tally
        tally.times[call].append(now - self._sent)
        tally.answers[status] += 1
        if status != 200:
            tally.failed += 1

    def _again(self, status: int) -> None:
        self._play.tally.retries += 1
        self._play.tally.verdicts[f"again after {status or 'no answer'}"] += 1


class Kept(msgspec.Struct, frozen=True):
    """Claimed jobs of one queue (its number in the order of the targets), handed from one run to the next."""

    place: int
    jobs: tuple[Job, ...]
