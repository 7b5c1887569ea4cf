"""What every handler is given: the database, the engine's doors, the blobs and the limits. Made once in the composition root."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from joserfc.jwk import OKPKey

from pandawms.api.feed import Feed
from pandawms.api.metrics import Metrics
from pandawms.api.tokens import LocalIssuer
from pandawms.data.blobs import Blobs
from pandawms.engine.dispatch.gather import Dispatcher
from pandawms.engine.dispatch.plan import Claim
from pandawms.engine.dispatch.presence import Presence
from pandawms.engine.dispatch.waiting import WaitingRoom
from pandawms.engine.job_facts import JobFacts
from pandawms.engine.report.gather import Reporter
from pandawms.engine.services import Services
from pandawms.plugins.authenticator import Authenticator
from pandawms.store.database import Connection, Pool
from pandawms.wire.pilot.claim import JobSpec

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Options:
    """Limits of the API; sizes in bytes, times in seconds.

    `longest_wait_seconds` caps a pilot's long poll (a proxy often gives up after 60 s), `claim_poll_seconds` is how often the claims that wait for
    a queue are looked at when no bell was heard, `list_seconds` limits the query of a list, `event_silence_seconds` is how often a silent stream says that
    it lives. `presence_seconds` is how long a pilot's queue and worker are believed to be as they were, `token_seconds` how often a token in use is asked
    about again, `token_belief_seconds` how long it is believed when nobody can be asked. `most_calls` calls of pilots are worked on at once and
    `most_waiting` claims wait; whoever comes beyond is told to come later.
    """

    max_body_bytes: int = 16 * MIB
    max_sandbox_bytes: int = 100 * MIB
    max_log_bytes: int = 10 * MIB
    max_upload_bytes: int = 10_240 * MIB
    max_log_member_bytes: int = 16 * MIB
    longest_wait_seconds: float = 50
    claim_poll_seconds: float = 5
    list_seconds: float = 10
    event_poll_seconds: float = 0.5
    event_silence_seconds: float = 15
    presence_seconds: float = 2
    token_seconds: float = 2
    token_belief_seconds: float = 5
    pilot_token_days: int = 30
    most_calls: int = 8_000
    most_waiting: int = 20_000


@dataclass(frozen=True, slots=True)
class Core:
    """The parts of one server process. `stopping` is set when the process is to end: long polls and streams then end at once.

    `read_pool` is for lists and reports, which may lag behind (it may be a replica's); whoever must see what was just written asks `pool`.
    """

    pool: Pool
    read_pool: Pool
    services: Services
    blobs: Blobs
    dispatcher: Dispatcher
    reporter: Reporter
    room: WaitingRoom
    presence: Presence
    feed: Feed
    key: OKPKey
    issuer: LocalIssuer
    authenticators: tuple[Authenticator, ...]
    options: Options
    stopping: asyncio.Event
    metrics: Metrics = field(default_factory=Metrics)

    def reading(self) -> AbstractAsyncContextManager[Connection]:
        """Lends a connection of `read_pool` for a block. One that does not answer, such as that of a replica that hangs, is given up after `list_seconds`."""
        connection: AbstractAsyncContextManager[Connection] = self.read_pool.acquire(timeout=self.options.list_seconds)
        return connection


def make_core(pool: Pool, services: Services, blobs: Blobs, key: OKPKey, options: Options | None = None, others: tuple[Authenticator, ...] = (), *,
              hot_pool: Pool | None = None, read_pool: Pool | None = None) -> Core:  # fmt: skip
    """Makes the core of a server over these parts; `others` are asked for tokens that are not our own.

    Claims, heartbeats and reports use `hot_pool`, lists and reports `read_pool`; `pool` where one of them is not given.
    """
    hot, options, stopping = hot_pool or pool, options or Options(), asyncio.Event()
    facts = JobFacts()
    dispatcher = Dispatcher(hot, services, facts)
    issuer = LocalIssuer(pool, key, options.token_seconds, options.token_belief_seconds)
    presence = Presence(pool, options.presence_seconds)

    async def attempt(claim: Claim) -> tuple[JobSpec, ...]:
        return await dispatcher.claim(claim) if await presence.gives(claim) else ()

    room = WaitingRoom(attempt, stopping, options.claim_poll_seconds, options.most_waiting)
    return Core(
        pool=pool, read_pool=read_pool or pool, services=services, blobs=blobs, dispatcher=dispatcher, reporter=Reporter(hot, services, facts), room=room,
        presence=presence, feed=Feed(pool, stopping, options.event_poll_seconds), key=key,
        issuer=issuer, authenticators=(issuer, *others), options=options, stopping=stopping,
    )  # fmt: skip
