"""Sending one request until it is answered: growing pauses with jitter, `Retry-After` obeyed (up to a fifth later), lost replies asked again.

Every call of this client may be repeated: reads by nature, changes because PUT, PATCH and DELETE set a state and every POST
carries an Idempotency-Key that stays the same over its repeats.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from pandawms.client.script import Exchange, Lost, Open, Pause, Reply, Request, Script
from pandawms.domain.errors import PandaError, Unavailable
from pandawms.wire.problem import Problem, error_of, kind_of_status

BUSY = frozenset({429, 502, 503, 504})
"""Statuses that say: not now, the same request may succeed later."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """For how long (seconds) a request is repeated in all, and how the pauses between grow (doubling, full jitter)."""

    total_seconds: float = 15.0
    first_seconds: float = 0.1
    longest_seconds: float = 5.0
    jitter: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic

    def pause_seconds(self, attempt: int) -> float:
        """The pause after the attempt with this number (from 0)."""
        full = min(self.longest_seconds, self.first_seconds * 2.0**attempt)
        return full * (0.5 + 0.5 * self.jitter())


def with_key(request: Request) -> Request:
    """The request, with a new Idempotency-Key if it is a POST without one."""
    if request.method != "POST" or any(name == "Idempotency-Key" for name, _ in request.headers):
        return request
    headers = (*request.headers, ("Idempotency-Key", uuid.uuid4().hex))
    return Request(request.method, request.path, request.query, headers, request.body, request.read_seconds)


def exchanged(request: Request, policy: RetryPolicy) -> Script[Reply]:
    """The whole answer to a request, a success; raises the error of the domain that the server answered, or Unavailable."""
    return (yield from _attempts(Exchange(with_key(request)), policy))


def opened(request: Request, policy: RetryPolicy) -> Script[Reply]:
    """Like `exchanged`, for an answer whose body is read in parts."""
    return (yield from _attempts(Open(with_key(request)), policy))


def _attempts(step: Exchange | Open, policy: RetryPolicy) -> Script[Reply]:
    until, attempt = policy.clock() + policy.total_seconds, 0
    while True:
        pause_seconds = policy.pause_seconds(attempt)
        try:
            reply: Reply = yield step
        except Lost as error:
            failure: PandaError = unreachable(str(error))
        else:
            if reply.status < 400:
                return reply
            failure = error_in(reply)
            if reply.status not in BUSY:
                raise failure
            pause_seconds = max(pause_seconds, _retry_after_seconds(reply) * (1 + policy.jitter() / 5))
        if policy.clock() + pause_seconds > until:
            raise failure
        yield Pause(pause_seconds)
        attempt += 1


def unreachable(reason: str) -> Unavailable:
    """The error for a server that gives no answer."""
    return Unavailable(
        f"the server does not answer: {reason}",
        code="unreachable",
        hint="start the system with `panda up`, or check --url",
    )


def error_in(reply: Reply) -> PandaError:
    """The error that an answer with a status from 400 up stands for, its own problem document if it has one."""
    try:
        return error_of(msgspec.json.decode(reply.body, type=Problem))
    except msgspec.DecodeError:
        kind = kind_of_status(reply.status)
        hint = "is this the address of a PandaWMS server?" if kind is not Unavailable else "try again in a while"
        return kind(f"the server answered {reply.status}", code=f"http_{reply.status}", hint=hint)


def _retry_after_seconds(reply: Reply) -> float:
    text = reply.headers.get("retry-after", "")
    return float(text) if text.isdigit() else 0.0
