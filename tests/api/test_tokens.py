"""What a token may do follows the database within seconds, though it is asked about in sets and between times believed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from pandawms.api import tokens
from pandawms.api.app import create_app
from pandawms.api.core import make_core
from pandawms.domain.errors import Denied
from pandawms.store import identity
from tests.api.conftest import OPTIONS, Api, client_of
from tests.waiting import until


async def whoami(client: httpx.AsyncClient) -> httpx.Response:
    """Who the server takes the caller for."""
    return await client.get("/system/whoami")


def becomes(client: httpx.AsyncClient, holds: Callable[[httpx.Response], bool]) -> Awaitable[None]:
    """Waits until the answer is right."""

    async def right() -> bool:
        return holds(await whoami(client))

    return until(right, "the answer is right")


async def change(api: Api, statement: str, *values: object) -> None:
    """What an operator does in the database."""
    async with api.core.pool.acquire() as connection:
        assert await connection.execute(statement, *values) != "UPDATE 0"


async def test_a_user_who_is_disabled_is_known_no_more_and_known_again_when_enabled(api: Api) -> None:
    assert (await whoami(api.bob)).status_code == 200
    await change(api, "UPDATE user_account SET disabled_at = now() WHERE name = 'bob'")
    await becomes(api.bob, lambda answer: answer.status_code == 401)
    await change(api, "UPDATE user_account SET disabled_at = NULL WHERE name = 'bob'")
    await becomes(api.bob, lambda answer: answer.status_code == 200)


async def test_a_role_that_is_given_or_taken_works_soon(api: Api) -> None:
    assert (await whoami(api.bob)).json()["roles"] == ["member"]
    await change(api, "UPDATE membership SET role = 'production' WHERE user_id = (SELECT user_id FROM user_account WHERE name = 'bob')")
    await becomes(api.bob, lambda answer: answer.json()["roles"] == ["production"])
    await change(api, "UPDATE membership SET role = 'member' WHERE user_id = (SELECT user_id FROM user_account WHERE name = 'bob')")
    await becomes(api.bob, lambda answer: answer.json()["roles"] == ["member"])


async def test_a_token_ends_when_it_says_so_whatever_is_kept_in_memory(api: Api) -> None:
    async with api.core.pool.acquire() as connection:
        text = await tokens.issue(connection, api.core.key, api.world.who.user_id, "short", ("user",), None, None, timedelta(seconds=1))
    async with client_of(api.app, text) as short:
        await becomes(short, lambda answer: answer.status_code == 401)


@asynccontextmanager
async def another_server(api: Api, belief_seconds: float) -> AsyncIterator[tuple[httpx.AsyncClient, tokens.LocalIssuer]]:
    """A server over a pool of its own that can be taken away; ada asks it."""
    core = make_core(api.core.pool, api.core.services, api.core.blobs, api.core.key, replace(OPTIONS, token_belief_seconds=belief_seconds))
    (issuer,) = core.authenticators
    assert isinstance(issuer, tokens.LocalIssuer)
    async with client_of(create_app(core), api.tokens["ada"]) as client:
        yield client, issuer


async def test_while_nobody_can_be_asked_a_token_is_believed_for_its_time_and_no_longer(api: Api) -> None:
    async with another_server(api, belief_seconds=1) as (client, _):
        assert (await whoami(client)).status_code == 200
        await api.core.pool.close()
        assert (await whoami(client)).status_code == 200
        await becomes(client, lambda answer: answer.status_code == 503)
        assert (await whoami(client)).json()["code"] == "database.unavailable"


async def test_a_token_that_was_believed_and_is_not_ours_any_more_is_refused(api: Api) -> None:
    async with another_server(api, belief_seconds=5) as (_, issuer):
        assert (await issuer.who(api.tokens["ada"])) is not None
        with pytest.raises(Denied):
            await issuer.who(api.tokens["ada"][:-8] + "AAAAAAAA")
        assert await issuer.who("not.a.token") is None


async def test_many_tokens_are_asked_about_in_one_statement(api: Api) -> None:
    async with api.core.pool.acquire() as connection:
        texts = [await tokens.issue(connection, api.core.key, api.world.who.user_id, f"t{n}", ("user",), None, None, timedelta(hours=1)) for n in range(20)]
        digests = {tokens.digest(text) for text in texts}
        assert set(await identity.bearers(connection, [*digests, bytes(32)])) == digests
    async with another_server(api, belief_seconds=5) as (_, issuer):
        who = await asyncio.gather(*(issuer.who(text) for text in texts))
        assert {each.name for each in who if each is not None} == {"ada"}
