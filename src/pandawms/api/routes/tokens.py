"""Tokens: make, list, revoke. The text of a token is told once."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from litestar import delete, get, post
from litestar.params import FromPath, RequestBody

from pandawms.api import policies
from pandawms.api import tokens as issuing
from pandawms.api.call import Call
from pandawms.api.paging import whole
from pandawms.api.policies import Action
from pandawms.domain.errors import Invalid, NotFound
from pandawms.domain.identity import Scope
from pandawms.store import identity, places
from pandawms.store.database import Connection
from pandawms.store.identity import TokenRow
from pandawms.wire.page import Page
from pandawms.wire.token import TokenCreated, TokenRequest, TokenView

MANAGE = {"policy": Action.MANAGE_TOKENS}


@post("/tokens", opt=MANAGE, status_code=201)
async def create(request: Call, data: RequestBody[TokenRequest]) -> TokenCreated:
    """Makes a token: for yourself with scope user; operators make any."""
    user = data.user or request.who.name
    policies.give_scopes(request.who, data.scopes, user)
    lifetime = timedelta(seconds=data.lifetime_seconds)
    async with request.core.pool.acquire() as connection, connection.transaction():
        user_id = await _user_id(connection, user)
        queue_id = await _queue_id(connection, data)
        text = await issuing.issue(connection, request.core.key, user_id, data.name, data.scopes, queue_id, data.queue, lifetime)
    token_id = str(issuing.unverified_claims(text)["jti"])
    return TokenCreated(token_id=token_id, token=text, scopes=data.scopes, user=user, expires_at=datetime.now(UTC) + lifetime, queue=data.queue, name=data.name)


async def _user_id(connection: Connection, name: str) -> int:
    user_id = await identity.user_id(connection, name)
    if user_id is None:
        raise Invalid(f"there is no user {name}", code="user.unknown", field="user", value=name, allowed="a user that was seen before", hint="leave it out")
    return user_id


async def _queue_id(connection: Connection, asked: TokenRequest) -> int | None:
    is_pilots = str(Scope.PILOT) in asked.scopes
    if is_pilots != (asked.queue is not None):
        raise Invalid(
            "a pilot's token names its queue, and only a pilot's", code="token.queue", field="queue", value=asked.queue,
            allowed="a queue, with scope pilot" if is_pilots else "nothing, without scope pilot", hint="add --queue" if is_pilots else "leave it out",
        )  # fmt: skip
    if asked.queue is None:
        return None
    queue = await places.queue_by_name(connection, asked.queue)
    if queue is None:
        known = ", ".join(row.name for row in await places.queues(connection))
        raise Invalid(f"there is no queue {asked.queue}", code="queue.unknown", field="queue", value=asked.queue, allowed=known, hint="choose one of those")
    return queue.queue_id


@get("/tokens", opt=MANAGE)
async def page(request: Call) -> Page[TokenView]:
    """Lists your newest 200 tokens; never their texts."""
    async with request.core.pool.acquire() as connection:
        return whole([_view(row) for row in await identity.tokens(connection, request.who.user_id)])


def _view(row: TokenRow) -> TokenView:
    return TokenView(
        token_id=str(row.token_id), name=row.label, scopes=row.scopes, created_at=row.created_at, expires_at=row.expires_at, queue=row.queue,
        revoked_at=row.revoked_at,
    )  # fmt: skip


@delete("/tokens/{token_id:uuid}", opt=MANAGE, status_code=204)
async def revoke(request: Call, token_id: FromPath[UUID]) -> None:
    """Makes a token worthless within seconds: your own, or any for an operator."""
    async with request.core.pool.acquire() as connection:
        owner_id = await identity.token_owner(connection, token_id)
        if owner_id is None or not (policies.is_operator(request.who) or owner_id == request.who.user_id):
            raise NotFound(f"there is no token {token_id}", code="token.unknown", field="token_id", value=str(token_id), hint="GET /tokens lists yours")
        await identity.revoke_token(connection, token_id)


ROUTES = (create, page, revoke)
