"""Claims that found nothing wait in line: none sleeps through a bell, the oldest is served first, and those behind cost nothing."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pandawms.domain.errors import Unavailable
from pandawms.engine.dispatch.plan import Claim
from pandawms.engine.dispatch.waiting import WaitingRoom
from pandawms.wire.pilot.claim import ClaimRequest, JobSpec

QUEUE = 7
LONG = 1000.0


class Jobs:
    """Ready jobs of one queue, each of so many seconds; an attempt looks at them at one moment, with the world going on before and after."""

    def __init__(self, before: int = 1, after: int = 1) -> None:
        self.ready: deque[int] = deque()
        self.before, self.after = before, after
        self.tried: list[Claim] = []
        self.given: list[tuple[Claim, int]] = []
        self.failure: Exception | None = None

    async def attempt(self, claim: Claim) -> tuple[JobSpec, ...]:
        await turns(self.before)
        self.tried.append(claim)
        if self.failure is not None:
            raise self.failure
        found = self._take(claim)
        await turns(self.after)
        return found

    def _take(self, claim: Claim) -> tuple[JobSpec, ...]:
        left = claim.request.remaining_seconds
        for seconds in self.ready:
            if left is None or seconds <= left:
                self.ready.remove(seconds)
                self.given.append((claim, seconds))
                return (JobSpec(len(self.given), 1, 1, claim.request.claim_id, "true"),)
        return ()


async def turns(n: int) -> None:
    """Lets others run so many times."""
    for _ in range(n):
        await asyncio.sleep(0)


async def settled() -> None:
    """Lets everything run that can without a timer."""
    await turns(200)


def claim(**slot: Any) -> Claim:
    """A claim of a slot."""
    return Claim(QUEUE, ClaimRequest(1, "t", uuid4().hex, "q", "n", **slot))


class Pilots:
    """Claims in a room; `leave` makes the pilot of a claim go away."""

    def __init__(self, room: WaitingRoom) -> None:
        self.room = room
        self.calls: dict[str, asyncio.Task[tuple[JobSpec, ...]]] = {}
        self.gone: dict[str, asyncio.Event] = {}

    async def ask(self, each: Claim, seconds: float = LONG) -> asyncio.Task[tuple[JobSpec, ...]]:
        """Begins a claim and lets it come as far as it can."""
        name = each.request.claim_id
        self.gone[name] = asyncio.Event()
        self.calls[name] = asyncio.create_task(self.room.claim(each, seconds, lambda: self._gone(name)))
        await settled()
        return self.calls[name]

    async def _gone(self, name: str) -> None:
        await self.gone[name].wait()

    def leave(self, each: Claim) -> None:
        """The pilot hangs up."""
        self.gone[each.request.claim_id].set()


@asynccontextmanager
async def waiting(jobs: Jobs, claims: Iterable[Claim], look_seconds: float = LONG, limit: int = 1000) -> AsyncIterator[Pilots]:
    """A room in which these claims wait, in this order."""
    pilots = Pilots(WaitingRoom(jobs.attempt, asyncio.Event(), look_seconds, limit))
    for each in claims:
        await pilots.ask(each)
    try:
        yield pilots
    finally:
        pilots.room.stopping.set()
        await asyncio.wait_for(asyncio.gather(*pilots.calls.values(), return_exceptions=True), 5)


def ring(pilots: Pilots) -> None:
    """The bell of the queue."""
    pilots.room.ring(str(QUEUE))


async def test_the_oldest_are_served_first_and_the_others_go_on_waiting() -> None:
    jobs, claims = Jobs(), [claim() for _ in range(6)]
    async with waiting(jobs, claims) as pilots:
        jobs.ready.extend([1, 1, 1])
        ring(pilots)
        await settled()
        assert [each for each, _ in jobs.given] == claims[:3]
        assert [call.done() for call in pilots.calls.values()] == [True] * 3 + [False] * 3
        assert pilots.room.waiting == 3


async def test_a_bell_that_brings_nothing_costs_one_attempt_however_many_wait() -> None:
    jobs, claims = Jobs(), [claim() for _ in range(100)]
    async with waiting(jobs, claims) as pilots:
        before = len(jobs.tried)
        ring(pilots)
        await settled()
        assert jobs.tried[before:] == claims[:1]


async def test_attempts_grow_with_what_there_is() -> None:
    jobs, claims = Jobs(), [claim() for _ in range(40)]
    async with waiting(jobs, claims) as pilots:
        before = len(jobs.tried)
        jobs.ready.extend([1] * 5)
        ring(pilots)
        await settled()
        assert len(jobs.given) == 5
        assert len(jobs.tried) - before == 1 + 2 + 4


async def test_every_kind_of_slot_is_tried() -> None:
    jobs, claims = Jobs(), [claim(cores=1), claim(cores=8), claim(cores=1)]
    async with waiting(jobs, claims) as pilots:
        before = len(jobs.tried)
        ring(pilots)
        await settled()
        assert jobs.tried[before:] == claims[:2]


async def test_a_slot_with_more_time_is_tried_when_one_with_less_got_nothing() -> None:
    jobs, claims = Jobs(), [claim(remaining_seconds=10), claim(remaining_seconds=5), claim(remaining_seconds=100), claim()]
    async with waiting(jobs, claims) as pilots:
        jobs.ready.append(50)
        ring(pilots)
        await settled()
        assert jobs.given == [(claims[2], 50)]
        assert jobs.tried.count(claims[1]) == 1, "it can run no more than the first, which got nothing"


@pytest.mark.parametrize("turn", range(12))
async def test_no_claim_sleeps_through_a_bell_that_rings_while_it_sits_down(turn: int) -> None:
    jobs = Jobs(before=4, after=4)
    async with waiting(jobs, []) as pilots:
        first = asyncio.create_task(pilots.ask(claim()))
        await turns(turn)
        jobs.ready.append(1)
        ring(pilots)
        assert len(await asyncio.wait_for(await first, 5)) == 1


@pytest.mark.parametrize("turn", range(20))
async def test_a_bell_that_rings_while_the_line_is_served_is_heard(turn: int) -> None:
    jobs, claims = Jobs(before=3, after=3), [claim(), claim()]
    async with waiting(jobs, claims) as pilots:
        ring(pilots)
        await turns(turn)
        jobs.ready.extend([1, 1])
        ring(pilots)
        await settled()
        assert all(call.done() for call in pilots.calls.values())


async def test_without_a_bell_somebody_looks_now_and_then() -> None:
    jobs, claims = Jobs(), [claim()]
    async with waiting(jobs, claims, look_seconds=0.01) as pilots:
        jobs.ready.append(1)
        (call,) = pilots.calls.values()
        assert len(await asyncio.wait_for(call, 5)) == 1


async def test_who_has_gone_is_given_nothing() -> None:
    jobs, claims = Jobs(), [claim(), claim()]
    async with waiting(jobs, claims) as pilots:
        pilots.leave(claims[0])
        await settled()
        assert pilots.room.waiting == 1
        jobs.ready.append(1)
        ring(pilots)
        await settled()
        assert jobs.given == [(claims[1], 1)]


async def test_who_goes_before_its_attempt_reaches_the_database_is_given_nothing() -> None:
    jobs, claims = Jobs(before=50), [claim(), claim()]
    async with waiting(jobs, claims) as pilots:
        jobs.ready.append(1)
        ring(pilots)
        await turns(5)
        pilots.leave(claims[0])
        await turns(1000)
        assert jobs.given == [(claims[1], 1)]


async def test_a_claim_that_must_leave_while_it_is_tried_takes_what_this_gets() -> None:
    jobs, claims = Jobs(after=100), [claim()]
    async with waiting(jobs, claims) as pilots:
        jobs.ready.append(1)
        ring(pilots)
        await turns(20)
        (call,) = pilots.calls.values()
        assert (len(jobs.given), call.done()) == (1, False), "it is in the middle of it"
        pilots.room.stopping.set()
        assert len(await asyncio.wait_for(call, 5)) == 1


async def test_the_end_of_time_and_of_the_server_end_a_wait() -> None:
    jobs = Jobs()
    async with waiting(jobs, []) as pilots:
        assert await asyncio.wait_for(await pilots.ask(claim(), seconds=0.01), 5) == ()
        call = await pilots.ask(claim())
        pilots.room.stopping.set()
        assert await asyncio.wait_for(call, 5) == ()
        assert await asyncio.wait_for(await pilots.ask(claim()), 5) == (), "nobody waits any more"
        assert pilots.room.waiting == 0


async def test_a_failure_is_told_to_those_that_were_tried_only() -> None:
    jobs, claims = Jobs(), [claim(), claim()]
    async with waiting(jobs, claims) as pilots:
        jobs.failure = ConnectionError("away")
        ring(pilots)
        await settled()
        first, second = pilots.calls.values()
        assert isinstance(first.exception(), ConnectionError)
        assert not second.done()
        jobs.failure = None
        jobs.ready.append(1)
        ring(pilots)
        assert len(await asyncio.wait_for(second, 5)) == 1


async def test_beyond_the_limit_claims_are_told_to_come_again() -> None:
    async with waiting(Jobs(), [claim(), claim()], limit=2) as pilots:
        call = await pilots.ask(claim())
        assert isinstance(call.exception(), Unavailable)
        assert pilots.room.waiting == 2


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("come"), st.sampled_from([None, 10, 100])), st.tuples(st.just("add"), st.sampled_from([1, 50])),
        st.tuples(st.just("ring"), st.just(0)), st.tuples(st.just("leave"), st.integers(0, 5)), st.tuples(st.just("turn"), st.integers(1, 12)),
    ),
    max_size=40,
)  # fmt: skip


@given(steps=STEPS, before=st.integers(0, 4), after=st.integers(0, 4))
@settings(max_examples=200, deadline=None)
def test_whatever_happens_in_whatever_order_no_job_that_was_announced_lies_while_one_waits_that_could_run_it(
    steps: list[tuple[str, Any]], before: int, after: int
) -> None:
    asyncio.run(_play(steps, Jobs(before, after)))


async def _play(steps: list[tuple[str, Any]], jobs: Jobs) -> None:
    """Plays the steps, rings a last time, and looks at what was left undone."""
    async with waiting(jobs, []) as pilots:
        claims: list[Claim] = []
        for word, value in steps:
            if word == "come":
                claims.append(claim(remaining_seconds=value))
                pilots.gone[claims[-1].request.claim_id] = asyncio.Event()
                name = claims[-1].request.claim_id
                pilots.calls[name] = asyncio.create_task(pilots.room.claim(claims[-1], LONG, lambda name=name: pilots._gone(name)))  # type: ignore[misc]
            elif word == "add":
                jobs.ready.append(value)
            elif word == "ring":
                ring(pilots)
            elif word == "leave" and claims:
                pilots.leave(claims[value % len(claims)])
            else:
                await turns(value or 1)
        ring(pilots)
        await settled()
        idle = [each for each in claims if not pilots.calls[each.request.claim_id].done()]
        assert pilots.room.waiting == len(idle)
        assert not [(each, job) for each in idle for job in jobs.ready if each.request.remaining_seconds is None or job <= each.request.remaining_seconds]
        kept = [each.request.claim_id for each, _ in jobs.given]
        assert len(kept) == len(set(kept)), "no claim was given twice"
