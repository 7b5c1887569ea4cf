"""Creations that may be repeated: the same Idempotency-Key with the same request gets the same answer, and nothing is done twice."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from pandawms.api.call import Call, header
from pandawms.domain.errors import Conflict
from pandawms.store import idempotency
from pandawms.store.database import Connection

HEADER = "Idempotency-Key"


@dataclass(frozen=True, slots=True)
class Once:
    """An answer, and whether it was made by this very call."""

    answer: dict[str, Any]
    is_new: bool


async def once(call: Call, work: Callable[[Connection], Awaitable[dict[str, Any]]]) -> Once:
    """Does the work and keeps its answer, in one transaction; a call with a key that was used before gets the answer of that time.

    Raises Conflict when the key was used for another request. Without a key the work is simply done.
    """
    key = header(call, HEADER)
    digest = sha256(f"{call.method} {call.scope['path']}\n".encode() + await call.body()).digest()
    async with call.core.pool.acquire() as connection, connection.transaction():
        if key is not None:
            given = await idempotency.answer(connection, call.who.user_id, key)
            if given is not None:
                return Once(_same(key, digest, given), False)
        answer = await work(connection)
        if key is not None:
            await idempotency.keep(connection, call.who.user_id, key, digest, answer)
    return Once(answer, True)


def _same(key: str, digest: bytes, given: tuple[bytes, dict[str, Any]]) -> dict[str, Any]:
    if given[0] == digest:
        return given[1]
    raise Conflict(
        "this key was used for another request", code="idempotency_key_reused", field=HEADER, value=key, allowed="a new key for each new request",
        hint="send the same request again, or take another key",
    )  # fmt: skip
