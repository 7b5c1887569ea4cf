"""The local issuer: makes bearer tokens, and knows who carries those that it made.

A token is a JWT signed with the system's own Ed25519 key (RFC 8037). Its signature says that we made it; the database says whether it is still good.
"""

import base64
import binascii
import json
import os
import secrets
import time
from collections.abc import Collection, Mapping, Sequence
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
from pandawms.store.kept import Kept

ISSUER = "local"
ALGORITHM = "Ed25519"
MOST_KEPT = 20_000
"""Tokens whose bearers are kept in memory; beyond, those that were asked for longest ago are looked up again."""


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
    await identity.add_token(connection, token_id, digest(text), user_id, label, list(scopes), queue_id, expires_at)
    return text


async def is_known(connection: Connection, key: OKPKey, text: str) -> bool:
    """Whether the token is ours and still good."""
    return _token_id(key, text) is not None and bool(await identity.bearers(connection, [digest(text)]))


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
    """The authenticator of our own tokens. A signature is verified once; the database is asked again about all tokens in use, in sets, every `renew_seconds`.

    A revocation, a disabled user or another role works after that. While the database cannot be asked, nobody is believed for longer than `believe_seconds`.
    """

    pool: Pool
    key: OKPKey
    renew_seconds: float = 2
    believe_seconds: float = 5
    _bearers: Kept[bytes, Who] = field(init=False)
    _verified: dict[bytes, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._bearers = Kept(self._read, self.renew_seconds, self.believe_seconds, MOST_KEPT)

    async def who(self, token: str) -> Who | None:
        """Returns who carries this token, None when another issuer made it. Raises Denied when it is wrong, expired or revoked."""
        known_by = digest(token)
        if known_by not in self._verified:
            if unverified_claims(token).get("iss") != ISSUER:
                return None
            self._verify(token, known_by)
        who = await self._bearers.get(known_by)
        if who is None:
            raise denied("the token has expired or was revoked", "make a new one with `panda token create`")
        return who

    def kept(self, known_by: bytes) -> Who | None:
        """Returns who carries the token with this digest when `who` would say so at once, without the database; None says nothing."""
        return self._bearers.fresh(known_by)

    def _verify(self, token: str, known_by: bytes) -> None:
        if _token_id(self.key, token) is None:
            raise denied("the token is not signed by this system", "take the token from tokens/user of the running system's data folder")
        self._verified[known_by] = None
        if len(self._verified) > MOST_KEPT:
            self._verified.pop(next(iter(self._verified)))

    async def _read(self, digests: Collection[bytes]) -> Mapping[bytes, Who]:
        async with self.pool.acquire() as connection:
            found = await identity.bearers(connection, digests)
        return {known_by: _who(bearer) for known_by, bearer in found.items()}


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


def digest(text: str) -> bytes:
    """Returns that by which a token is known."""
    return sha256(text.encode("utf-8", "surrogateescape")).digest()
