"""The local issuer: makes bearer tokens, and knows who carries those that it made.

A token is a JWT signed with the system's own Ed25519 key (RFC 8037). Its signature says that we made it; the database says whether it is still good.
"""

import base64
import binascii
import json
import os
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from pandawms.domain.errors import Denied
from pandawms.domain.identity import Who
from pandawms.store import identity
from pandawms.store.database import Connection, Pool
from pandawms.store.identity import Bearer

ISSUER = "local"
ALGORITHM = "Ed25519"
MOST_CACHED = 10_000


def load_or_create_key(path: Path) -> OKPKey:
    """Returns the issuer's key from `path`, made at first use: a JWK in a file that only its owner can read.

    Safe against two programs that start at once: the first file that is complete stays.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _put_once(path, json.dumps(OKPKey.generate_key("Ed25519").as_dict(private=True)).encode())
    return OKPKey.import_key(json.loads(path.read_bytes()))


def _put_once(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(part, path)
    except FileExistsError:
        pass  # another program was faster: its key is the key
    finally:
        part.unlink()


async def issue(connection: Connection, key: OKPKey, user_id: int, label: str, scopes: Sequence[str], queue_id: int | None, queue_name: str | None,
                lifetime: timedelta) -> str:  # fmt: skip
    """Makes a token, keeps its hash and returns its text, which nobody can be told again; the caller commits."""
    token_id, expires_at = uuid4(), datetime.now(UTC) + lifetime
    claims: dict[str, Any] = {
        "iss": ISSUER, "sub": str(user_id), "jti": str(token_id), "scope": " ".join(scopes), "iat": int(time.time()), "exp": int(expires_at.timestamp())
    }  # fmt: skip
    if queue_name is not None:
        claims["queue"] = queue_name
    text = jwt.encode({"alg": ALGORITHM}, claims, key, algorithms=[ALGORITHM])
    await identity.add_token(connection, token_id, _digest(text), user_id, label, list(scopes), queue_id, expires_at)
    return text


async def is_known(connection: Connection, key: OKPKey, text: str) -> bool:
    """Whether the token is ours and still good."""
    token_id = _token_id(key, text)
    return token_id is not None and await identity.bearer(connection, token_id, _digest(text)) is not None


def unverified_claims(text: str) -> dict[str, Any]:
    """Returns what a token says of itself, whoever made it; nothing may be decided by it. Empty for what is no JWT."""
    parts = text.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


@dataclass(slots=True)
class LocalIssuer:
    """The authenticator of our own tokens. Who was found is kept for at most `cache_seconds`, so a revocation works after that time at the latest."""

    pool: Pool
    key: OKPKey
    cache_seconds: float = 5
    _cache: dict[bytes, tuple[float, Who]] = field(default_factory=dict)

    async def who(self, token: str) -> Who | None:
        """Returns who carries this token, None when another issuer made it. Raises Denied when it is wrong, expired or revoked."""
        digest = _digest(token)
        kept = self._cache.get(digest)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        if unverified_claims(token).get("iss") != ISSUER:
            return None
        found = await self._look_up(token, digest)
        if len(self._cache) >= MOST_CACHED:
            self._cache.clear()
        self._cache[digest] = (time.monotonic() + self.cache_seconds, found)
        return found

    async def _look_up(self, token: str, digest: bytes) -> Who:
        token_id = _token_id(self.key, token)
        if token_id is None:
            raise denied("the token is not signed by this system", "take the token from tokens/user of the running system's data folder")
        async with self.pool.acquire() as connection:
            bearer = await identity.bearer(connection, token_id, digest)
        if bearer is None:
            raise denied("the token has expired or was revoked", "make a new one with `panda token create`")
        return _who(bearer)


def denied(detail: str, hint: str) -> Denied:
    """The error for a caller that is not known."""
    return Denied(detail, code="unauthenticated", field="Authorization", allowed="Bearer <token>", hint=hint)


def _who(bearer: Bearer) -> Who:
    return Who(
        user_id=bearer.user_id, name=bearer.name, community=bearer.communities[0] if bearer.communities else "", groups=frozenset(bearer.groups),
        roles=frozenset(bearer.roles), scopes=frozenset(bearer.scopes), queue=bearer.queue,
    )  # fmt: skip


def _token_id(key: OKPKey, text: str) -> UUID | None:
    """The id inside a token that our key signed."""
    try:
        return UUID(str(jwt.decode(text, key, algorithms=[ALGORITHM]).claims.get("jti")))
    except (JoseError, ValueError):
        return None


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogateescape")).digest()
