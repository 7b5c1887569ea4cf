"""Communities, people and their tokens."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pandawms.store.database import Connection
from pandawms.store.sql import load, made_or_found

sql = load("identity")


@dataclass(frozen=True, slots=True)
class Bearer:
    """The person behind a valid token; `queue_id` and `queue` are set when the token is a pilot's."""

    user_id: int
    name: str
    scopes: tuple[str, ...]
    queue_id: int | None
    queue: str | None
    expires_at: datetime
    communities: tuple[str, ...]
    groups: tuple[str, ...]
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TokenRow:
    """What is kept of a token: never the token itself."""

    token_id: UUID
    label: str
    scopes: tuple[str, ...]
    queue: str | None
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


async def ensure_community(connection: Connection, name: str) -> int:
    """Returns the id of the community, made when missing."""
    return await made_or_found(sql.ensure_community, connection, name=name)


async def community_id(connection: Connection, name: str) -> int | None:
    """Returns the id of the community, or None."""
    found: int | None = await sql.community_by_name(connection, name=name)
    return found


async def ensure_user(connection: Connection, issuer: str, subject: str, name: str) -> int:
    """Returns the id of the person, made at first sight."""
    return await made_or_found(sql.ensure_user, connection, issuer=issuer, subject=subject, name=name)


async def ensure_membership(connection: Connection, user_id: int, community_id: int, role: str) -> None:
    """Gives a person a role in a community; nothing changes when it has it."""
    await sql.ensure_membership(connection, user_id=user_id, community_id=community_id, role=role)


async def user_id(connection: Connection, name: str) -> int | None:
    """Returns the id of the user of this name, or None."""
    row = await sql.user_by_name(connection, name=name)
    return row and int(row["user_id"])


async def add_token(
    connection: Connection, token_id: UUID, digest: bytes, user_id: int, label: str, scopes: Sequence[str], queue_id: int | None, expires_at: datetime
) -> None:
    """Keeps the sha256 of a new token."""
    await sql.add_token(connection, token_id=token_id, hash=digest, user_id=user_id, label=label, scopes=list(scopes), queue_id=queue_id, expires_at=expires_at)


async def revoke_token(connection: Connection, token_id: UUID) -> bool:
    """Revokes a token; False when there is none of this id."""
    return await sql.revoke_token(connection, token_id=token_id) is not None


async def token_owner(connection: Connection, token_id: UUID) -> int | None:
    """Returns the user whose token it is, or None."""
    found: int | None = await sql.token_owner(connection, token_id=token_id)
    return found


async def tokens(connection: Connection, user_id: int) -> tuple[TokenRow, ...]:
    """Returns the newest 200 tokens of a user."""
    return tuple([TokenRow(**{**row, "scopes": tuple(row["scopes"])}) async for row in sql.tokens(connection, user_id=user_id)])


async def bearers(connection: Connection, digests: Collection[bytes]) -> dict[bytes, Bearer]:
    """Returns who carries these tokens, by the token's sha256; those that are unknown, revoked, expired or of a disabled owner are left out."""
    return {row["hash"]: _bearer(row) async for row in sql.bearers(connection, hashes=list(digests))}


def _bearer(row: Any) -> Bearer:
    lists = {name: tuple(row[name]) for name in ("scopes", "communities", "groups", "roles")}
    return Bearer(row["user_id"], row["name"], lists["scopes"], row["queue_id"], row["queue"], row["expires_at"], *list(lists.values())[1:])
