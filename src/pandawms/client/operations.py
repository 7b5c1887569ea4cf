"""Queues, sites, workers, tokens and the system itself."""

from __future__ import annotations

from pandawms.client.calls import Call, get, segment, send
from pandawms.client.resource import Resource, Runner, endpoint, paged
from pandawms.client.script import Request
from pandawms.wire.page import MAX_PAGE_SIZE, Page
from pandawms.wire.queue import Queue, QueueDemand, Site
from pandawms.wire.system import Health, Version, WhoAmI
from pandawms.wire.token import TokenCreated, TokenRequest, TokenView
from pandawms.wire.worker import Worker, WorkerPatch, WorkerRequest


def _get_queue(name: str) -> Call[Queue]:
    """One queue."""
    return get(Queue, f"/queues/{segment(name)}")


def _queues(*, limit: int = MAX_PAGE_SIZE) -> Call[Page[Queue]]:
    """All queues."""
    return get(Page[Queue], "/queues", {"limit": limit})


def _demand(name: str) -> Call[QueueDemand]:
    """How much work waits for a queue (operators)."""
    return get(QueueDemand, f"/queues/{segment(name)}/demand")


class Queues(Resource[Runner]):
    """The queues of the API."""

    get = endpoint(_get_queue)
    list = paged(_queues)
    demand = endpoint(_demand)


def _sites(*, limit: int = MAX_PAGE_SIZE) -> Call[Page[Site]]:
    """All sites."""
    return get(Page[Site], "/sites", {"limit": limit})


class Sites(Resource[Runner]):
    """The sites of the API."""

    list = paged(_sites)


def _workers(*, queue: str | None = None, status: str | None = None, limit: int = 100) -> Call[Page[Worker]]:
    """Workers, newest first."""
    return get(Page[Worker], "/workers", {"queue": queue, "status": status, "limit": limit})


def _create_worker(request: WorkerRequest) -> Call[Worker]:
    """A new worker (operators); the answer carries its token."""
    return send("POST", Worker, "/workers", request)


def _update_worker(worker_id: int, patch: WorkerPatch) -> Call[Worker]:
    """Tells what became of a worker (operators)."""
    return send("PATCH", Worker, f"/workers/{worker_id}", patch)


class Workers(Resource[Runner]):
    """The workers of the API."""

    list = paged(_workers)
    create = endpoint(_create_worker)
    update = endpoint(_update_worker)


def _create_token(request: TokenRequest) -> Call[TokenCreated]:
    """A new token; its text is told this once."""
    return send("POST", TokenCreated, "/tokens", request)


def _tokens() -> Call[Page[TokenView]]:
    """Your newest 200 tokens; never their texts."""
    return get(Page[TokenView], "/tokens")


def _revoke_token(token_id: str) -> Call[None]:
    """Makes a token worthless."""
    return Call(Request("DELETE", f"/tokens/{segment(token_id)}"), lambda reply: None)


class Tokens(Resource[Runner]):
    """The tokens of the API."""

    create = endpoint(_create_token)
    list = paged(_tokens)
    revoke = endpoint(_revoke_token)


def _health() -> Call[Health]:
    """Whether the parts of the system do their duty."""
    return get(Health, "/system/health")


def _version() -> Call[Version]:
    """Versions of the server."""
    return get(Version, "/system/version")


def _who_am_i() -> Call[WhoAmI]:
    """The caller as the server sees it."""
    return get(WhoAmI, "/system/whoami")


class System(Resource[Runner]):
    """The system about itself."""

    health = endpoint(_health)
    version = endpoint(_version)
    whoami = endpoint(_who_am_i)
