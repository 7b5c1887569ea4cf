"""Asked before every handler: is the request well-formed, who asks, and may a token of these scopes do this at all."""

from collections.abc import Collection, Iterable, Iterator
from ipaddress import ip_address
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.params import QueryParameter

from pandawms.api.core import Core
from pandawms.api.policies import Action, require
from pandawms.api.tokens import denied
from pandawms.domain.errors import Denied, Invalid, did_you_mean
from pandawms.domain.identity import Who

Connection = ASGIConnection[Any, Any, Any, Any]

FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")
"""Headers of a proxy: behind one, the address of the peer says nothing about the caller."""


async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
    """Raises Denied or Invalid, or leaves who asks as the connection's user."""
    action = handler.opt.get("policy")
    if not isinstance(action, Action):
        raise Denied("nobody may do this", code="no_policy", hint="see /api/v2/docs")
    core: Core = connection.app.state.core
    if action is not Action.PUBLIC and not (action is Action.MEASURE and is_local(connection)):
        connection.scope["user"] = await admit(core, action, connection.headers.get("Authorization"))
    check_text(connection.scope["path"], connection.query_params.multi_items())
    check_query(connection.query_params.multi_items(), frozenset(query_names(handler)))


async def admit(core: Core, action: Action, header: str | None) -> Who:
    """Returns who carries the token of an Authorization header. Raises Denied unless the token may do this at all."""
    who = await authenticate(core, header)
    require(who, action)
    return who


async def authenticate(core: Core, header: str | None) -> Who:
    """Returns who carries the bearer token of an Authorization header. Raises Denied when there is none, or nobody knows it."""
    token = bearer_token(header)
    if not token:
        raise denied("this needs a token", "panda finds it by itself on the machine of `panda up`; elsewhere set PANDA_TOKEN")
    for authenticator in core.authenticators:
        who = await authenticator.who(token)
        if who is not None:
            return who
    raise denied("no issuer that is known here made this token", "take the token from tokens/user of the running system's data folder")


def bearer_token(header: str | None) -> str:
    """Returns the token of an Authorization header, an empty one when there is none."""
    scheme, _, token = (header or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def is_local(connection: Connection) -> bool:
    """Whether the caller is on this machine and not behind a proxy."""
    if connection.client is None or any(name in connection.headers for name in FORWARDED):
        return False
    try:
        return ip_address(connection.client.host).is_loopback
    except ValueError:
        return False


def check_text(path: str, query: Iterable[tuple[str, str]]) -> None:
    """Raises Invalid for NUL, which no text of PostgreSQL can hold."""
    if "\x00" in path:
        raise Invalid("a path holds no NUL", code="not_allowed", field="path", hint="remove %00")
    for name, value in query:
        if "\x00" in f"{name}{value}":
            raise Invalid("text must not hold the character NUL", code="not_allowed", field=name.replace("\x00", ""), hint="remove %00")


def check_query(query: Iterable[tuple[str, str]], known: Collection[str]) -> None:
    """Raises Invalid for a parameter that the route does not know."""
    for name, value in query:
        if name not in known:
            near = did_you_mean(name, known)
            raise Invalid(
                f"{name[:100]} is not known here", code="unknown_field", field=name[:100], value=value[:200], allowed=", ".join(sorted(known)) or "nothing",
                hint=f"did you mean {near}?" if near else "leave it out",
            )  # fmt: skip


def query_names(handler: BaseRouteHandler) -> Iterator[str]:
    """Yields the query parameters of a handler."""
    for name, field in handler.parsed_fn_signature.parameters.items():
        definition = field.kwarg_definition
        if isinstance(definition, QueryParameter):
            yield definition.name or name
