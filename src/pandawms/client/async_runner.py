"""Carries out scripts in asyncio, over httpx."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

import httpx

from pandawms.client.attempts import RetryPolicy
from pandawms.client.script import Emit, Exchange, Lost, Open, Pause, Read, Reply, Request, Script

T = TypeVar("T")

PART_BYTES = 256 * 1024


class AsyncHttp:
    """Runs scripts against one server, many at a time."""

    def __init__(self, url: str, headers: dict[str, str], policy: RetryPolicy) -> None:
        self.policy = policy
        self.http = httpx.AsyncClient(base_url=url, headers=headers, trust_env=False)

    async def run(self, script: Script[T]) -> T:
        """The value that the script returns; raises what it raises."""
        value: list[T] = []
        async with aclosing(_steps(self.http, script, value)) as steps:
            async for _ in steps:
                pass
        return value[0]

    async def iterate(self, script: Script[None]) -> AsyncIterator[Any]:
        """The items that the script emits, one by one, as they come."""
        async with aclosing(_steps(self.http, script, [])) as steps:
            async for item in steps:
                yield item

    async def close(self) -> None:
        """Ends all connections."""
        await self.http.aclose()


async def _steps(http: httpx.AsyncClient, script: Script[T], value: list[T]) -> AsyncGenerator[Any, None]:
    """Yields what the script emits, and appends what it returns to `value`."""
    driver = _Driver(http)
    result: Any = None
    lost: Lost | None = None
    try:
        while True:
            step = script.throw(lost) if lost is not None else script.send(result)
            result, lost = None, None
            if isinstance(step, Emit):
                yield step.item
                continue
            try:
                result = await driver.done(step)
            except Lost as error:
                lost = error
    except StopIteration as stop:
        value.append(stop.value)
    finally:
        script.close()
        await driver.close()


class _Driver:
    """Carries out the steps of one script, and holds what it has open."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._response: httpx.Response | None = None
        self._parts: AsyncIterator[bytes] | None = None

    async def done(self, step: Exchange | Open | Read | Pause) -> Any:
        """The result of one step; raises Lost."""
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        try:
            if isinstance(step, Read):
                return await anext(self._parts, b"") if self._parts is not None else b""
            return await self._opened(step)
        except httpx.TransportError as error:
            raise Lost(str(error) or type(error).__name__) from error

    async def close(self) -> None:
        """Ends what is open."""
        if self._response is not None:
            await self._response.aclose()
        self._response = self._parts = None

    async def _opened(self, step: Exchange | Open) -> Reply:
        await self.close()
        self._response = await self._http.send(self._built(step.request), stream=True)
        status, headers = self._response.status_code, dict(self._response.headers)
        if isinstance(step, Exchange) or status >= 400:
            return Reply(status, headers, await self._response.aread())
        self._parts = self._response.aiter_bytes()
        return Reply(status, headers)

    def _built(self, request: Request) -> httpx.Request:
        headers = dict(request.headers)
        content: bytes | AsyncIterator[bytes] | None = None
        if isinstance(request.body, Path):
            headers["Content-Length"] = str(request.body.stat().st_size)
            content = _file_parts(request.body)
        else:
            content = request.body
        return self._http.build_request(
            request.method,
            request.path.lstrip("/"),
            params=httpx.QueryParams(request.query) if request.query else None,
            headers=headers,
            content=content,
            timeout=httpx.Timeout(request.read_seconds),
        )


async def _file_parts(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while part := await asyncio.to_thread(file.read, PART_BYTES):
            yield part
