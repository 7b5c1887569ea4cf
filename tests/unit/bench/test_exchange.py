"""A connection of the load generator: answers in pieces, a server that goes away, one that says it is busy."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from pandawms.main.bench.exchange import Exchange, Server

ANSWER = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{"jobs":[]}'
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"

Said = list[tuple[int, bytes]]


async def exchanged(answers: Callable[[int, asyncio.StreamWriter], None], patience_seconds: float = 5) -> tuple[Said, list[int]]:
    """Sends one request to a server that answers the n-th one as `answers(n, writer)` says; returns what came back and what was sent again for."""
    n = 0
    served: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal n
        served.append(asyncio.current_task())
        with suppress(ConnectionError):
            while await reader.read(1000):
                answers(n, writer)
                n += 1
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    again: list[int] = []
    said: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
    exchange = Exchange(Server("127.0.0.1", server.sockets[0].getsockname()[1], patience_seconds), again.append)
    exchange.send(b"POST / HTTP/1.1\r\n\r\n", lambda status, body: said.set_result((status, body)))
    try:
        return [await asyncio.wait_for(said, 10)], again
    finally:
        exchange.close()
        server.close()
        await server.wait_closed()
        await asyncio.gather(*(task for task in served if task is not None))


async def test_an_answer_that_comes_in_pieces_is_put_together() -> None:
    def answer(_n: int, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        for k, piece in enumerate((ANSWER[:20], ANSWER[20:70], ANSWER[70:])):
            loop.call_later(0.02 * k, writer.write, piece)

    assert await exchanged(answer) == ([(200, b'{"jobs":[]}')], [])


async def test_a_call_whose_connection_is_lost_is_sent_again_on_a_new_one() -> None:
    def answer(n: int, writer: asyncio.StreamWriter) -> None:
        if n == 0:
            writer.transport.abort()
        else:
            writer.write(ANSWER)

    assert await exchanged(answer) == ([(200, b'{"jobs":[]}')], [0])


async def test_a_server_that_is_busy_is_asked_again_as_it_says() -> None:
    assert await exchanged(lambda n, writer: writer.write(ANSWER if n else BUSY)) == ([(200, b'{"jobs":[]}')], [503])


async def test_a_call_that_stays_refused_ends_with_what_the_server_said_when_patience_is_over() -> None:
    said, again = await exchanged(lambda _n, writer: writer.write(BUSY), patience_seconds=0.05)
    assert said == [(503, b"")]
    assert again


async def test_after_the_word_to_leave_the_next_call_goes_out_once_on_a_new_connection() -> None:
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while asked := await reader.read(1000):
            heard.append(asked)
            writer.write(ANSWER.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") if len(heard) % 2 else BUSY)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    again: list[int] = []
    exchange = Exchange(Server("127.0.0.1", server.sockets[0].getsockname()[1]), again.append)
    over = asyncio.Event()
    exchange.send(b"first", lambda _status, _body: exchange.send(b"second", lambda _status, _body: over.set()))
    await asyncio.wait_for(over.wait(), 10)
    exchange.close()
    server.close()
    await server.wait_closed()
    assert (heard, again) == ([b"first", b"second", b"second"], [503])
