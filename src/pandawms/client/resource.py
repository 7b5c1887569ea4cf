"""Resources of the client, declared once for both colours.

A call is built by a plain function; `endpoint`, `paged`, `scripted` and `streamed` turn such functions into methods that
block in a `Client` and are awaited in an `AsyncClient`. The type checker knows the difference by the resource's parameter.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

from pandawms.client.attempts import RetryPolicy
from pandawms.client.calls import Call
from pandawms.client.script import Emit, Script
from pandawms.wire.page import Page

T = TypeVar("T")
P = ParamSpec("P")
Runner = TypeVar("Runner", bound="SyncRunner | AsyncRunner")


class SyncRunner(Protocol):
    """Carries out scripts in plain code."""

    policy: RetryPolicy

    def run(self, script: Script[T]) -> T:
        """The value that the script returns."""

    def iterate(self, script: Script[None]) -> Iterator[Any]:
        """The items that the script emits."""


class AsyncRunner(Protocol):
    """Carries out scripts in asyncio."""

    policy: RetryPolicy

    def run(self, script: Script[T]) -> Awaitable[T]:
        """The value that the script returns."""

    def iterate(self, script: Script[None]) -> AsyncIterator[Any]:
        """The items that the script emits."""


class Resource(Generic[Runner]):
    """A group of calls, bound to the runner that carries them out."""

    def __init__(self, runner: Runner) -> None:
        self.runner: Runner = runner


def all_pages(first: Call[Page[Any]], policy: RetryPolicy) -> Script[None]:
    """Emits the items of a list, page after page."""
    call = first
    while True:
        page = yield from call.script(policy)
        for item in page.items:
            yield Emit(item)
        if page.next_cursor is None:
            return
        query = (*(pair for pair in first.request.query if pair[0] != "cursor"), ("cursor", page.next_cursor))
        call = replace(first, request=replace(first.request, query=query))


class endpoint(Generic[P, T]):  # noqa: N801 - used like a function
    """A method that makes one call."""

    def __init__(self, build: Callable[P, Call[T]]) -> None:
        self.build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, instance: Resource[SyncRunner], owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, instance: Resource[AsyncRunner], owner: type) -> Callable[P, Awaitable[T]]: ...
    def __get__(self, instance: Resource[Any], owner: type) -> Callable[P, Any]:
        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return instance.runner.run(self.build(*args, **kwargs).script(instance.runner.policy))

        return method


class paged(Generic[P, T]):  # noqa: N801 - used like a function
    """A method that iterates over a whole list, fetching page after page as needed."""

    def __init__(self, build: Callable[P, Call[Page[T]]]) -> None:
        self.build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, instance: Resource[SyncRunner], owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, instance: Resource[AsyncRunner], owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, instance: Resource[Any], owner: type) -> Callable[P, Any]:
        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return instance.runner.iterate(all_pages(self.build(*args, **kwargs), instance.runner.policy))

        return method


class scripted(Generic[P, T]):  # noqa: N801 - used like a function
    """A method of several calls: the function gets the retry policy first and returns a script."""

    def __init__(self, build: Callable[Concatenate[RetryPolicy, P], Script[T]]) -> None:
        self.build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, instance: Resource[SyncRunner], owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, instance: Resource[AsyncRunner], owner: type) -> Callable[P, Awaitable[T]]: ...
    def __get__(self, instance: Resource[Any], owner: type) -> Callable[P, Any]:
        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return instance.runner.run(self.build(instance.runner.policy, *args, **kwargs))

        return method


@dataclass(frozen=True, slots=True)
class Items(Generic[T]):
    """A script whose emitted items are of type T."""

    script: Script[None]


class streamed(Generic[P, T]):  # noqa: N801 - used like a function
    """A method that iterates over what a script emits; the function gets the retry policy first."""

    def __init__(self, build: Callable[Concatenate[RetryPolicy, P], Items[T]]) -> None:
        self.build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, instance: Resource[SyncRunner], owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, instance: Resource[AsyncRunner], owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, instance: Resource[Any], owner: type) -> Callable[P, Any]:
        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return instance.runner.iterate(self.build(instance.runner.policy, *args, **kwargs).script)

        return method
