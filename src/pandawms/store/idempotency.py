"""Answers already given to creations, so that a repeated call gets the same answer and does nothing."""

from typing import Any

from pandawms.store.database import Connection
from pandawms.store.sql import load

sql = load("idempotency")


async def answer(connection: Connection, user_id: int, key: str) -> tuple[bytes, dict[str, Any]] | None:
    """Waits for a call with the same key that is under way, and returns the hash of its request and its answer, or None when there was none."""
    await sql.lock(connection, user_id=user_id, key=key)
    row = await sql.answer(connection, user_id=user_id, key=key)
    return row and (row["request_hash"], row["answer"])


async def keep(connection: Connection, user_id: int, key: str, request_hash: bytes, given: dict[str, Any]) -> None:
    """Keeps the answer of a call, in the transaction of what it created."""
    await sql.keep(connection, user_id=user_id, key=key, request_hash=request_hash, answer=given)


async def drop_old(connection: Connection, days: int) -> int:
    """Forgets answers older than so many days; returns how many."""
    return int(await sql.drop_old(connection, days=days))
