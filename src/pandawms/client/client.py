"""The two clients: the same resources, in plain code and in asyncio."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pandawms.client.attempts import RetryPolicy
from pandawms.client.context import checked_url, find_context
from pandawms.client.datasets import Datasets, Files
from pandawms.client.events import Events
from pandawms.client.jobs import Jobs
from pandawms.client.operations import Queues, Sites, System, Tokens, Workers
from pandawms.client.prepare import prepared, uploaded
from pandawms.client.resource import AsyncRunner, Resource, Runner, SyncRunner, scripted
from pandawms.client.retry_rules import RetryRules
from pandawms.client.sandbox import Sandboxes
from pandawms.client.script import Script
from pandawms.client.sync_runner import SyncHttp
from pandawms.client.tasks import Tasks, submit_call
from pandawms.wire.document import TaskDocument
from pandawms.wire.task import SubmitAnswer

if TYPE_CHECKING:
    from ssl import SSLContext

    from pandawms.client.async_runner import AsyncHttp


def _submit(policy: RetryPolicy, document: TaskDocument, folder: Path) -> Script[SubmitAnswer]:
    """Uploads the program and local inputs of a document, found in `folder`, and submits it."""
    ready = yield from prepared(policy, document, folder)
    return (yield from submit_call(ready).script(policy))


class _Api(Resource[Runner]):
    """All resources, and what takes several of them."""

    submit = scripted(_submit)
    prepare = scripted(prepared)
    upload = scripted(uploaded)

    def __init__(self, runner: Runner) -> None:
        super().__init__(runner)
        self.tasks: Tasks[Runner] = Tasks(runner)
        self.jobs: Jobs[Runner] = Jobs(runner)
        self.datasets: Datasets[Runner] = Datasets(runner)
        self.files: Files[Runner] = Files(runner)
        self.queues: Queues[Runner] = Queues(runner)
        self.sites: Sites[Runner] = Sites(runner)
        self.workers: Workers[Runner] = Workers(runner)
        self.tokens: Tokens[Runner] = Tokens(runner)
        self.retry_rules: RetryRules[Runner] = RetryRules(runner)
        self.sandboxes: Sandboxes[Runner] = Sandboxes(runner)
        self.system: System[Runner] = System(runner)
        self.events: Events[Runner] = Events(runner)


class Client(_Api[SyncRunner]):
    """The API in plain code. Without an address it finds the system as the command line does (see `context`).

    Errors are those of `pandawms.domain.errors`: Invalid, Denied, NotFound, Conflict, Limit, Unavailable. `trust` is for certificates that the system does
    not vouch for.
    """

    def __init__(self, url: str | None = None, token: str | None = None, *, retry: RetryPolicy | None = None, trust: SSLContext | None = None) -> None:
        self.url, token = _address(url, token)
        self._http = SyncHttp(f"{self.url}/api/v2", _headers(token), retry or RetryPolicy(), trust)
        super().__init__(self._http)

    def close(self) -> None:
        """Ends all connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class AsyncClient(_Api[AsyncRunner]):
    """The API in asyncio: the same methods, awaited; lists and streams are asynchronous iterators."""

    def __init__(self, url: str | None = None, token: str | None = None, *, retry: RetryPolicy | None = None) -> None:
        from pandawms.client.async_runner import AsyncHttp

        self.url, token = _address(url, token)
        self._http: AsyncHttp = AsyncHttp(f"{self.url}/api/v2", _headers(token), retry or RetryPolicy())
        super().__init__(self._http)

    async def close(self) -> None:
        """Ends all connections."""
        await self._http.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()


def _address(url: str | None, token: str | None) -> tuple[str, str | None]:
    if url is not None and token is not None:
        return checked_url(url), token
    context = find_context(url, token)
    return context.url, context.token


def _headers(token: str | None) -> dict[str, str]:
    return {"Accept": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
