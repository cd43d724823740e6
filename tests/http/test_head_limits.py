"""Heads that do not end: refused by size, and let go after a time; over real sockets, in this process."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from ohlcache.http.head_limits import HEAD_BYTES_MAX
from ohlcache.http.replay_protocol import replaying

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from http_world import World

pytestmark = pytest.mark.asyncio

PIECE = b"x-filler: " + b"a" * 16_000 + b"\r\n"
WHOLE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@asynccontextmanager
async def listening(world: World, *, idle_seconds: float) -> AsyncIterator[int]:
    """Serve the app of ``world`` with the server's own protocol; yield the port."""
    config = uvicorn.Config(world.app, timeout_keep_alive=idle_seconds, log_config=None, ws="none")  # type: ignore[arg-type]
    await asyncio.to_thread(config.load)
    protocol = replaying(world.app.replays, world.app.ids)
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: protocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    async with server:
        yield server.sockets[0].getsockname()[1]
        for connection in list(state.connections):
            connection.shutdown()  # type: ignore[union-attr]


async def reply_to(reader: asyncio.StreamReader) -> tuple[int, dict[str, Any]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = int(head.lower().partition("content-length: ")[2].split("\r\n")[0])
    return int(head.split()[1]), json.loads(await reader.readexactly(length))


async def test_headers_without_end_are_refused(world: World) -> None:
    """A head is gathered up to a size; beyond it the caller is told and let go, and others are served on."""
    async with listening(world, idle_seconds=60) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /healthz HTTP/1.1\r\n")
        sent = 0
        try:
            while sent < 8 * HEAD_BYTES_MAX:
                writer.write(PIECE)
                await writer.drain()
                sent += len(PIECE)
        except ConnectionError:
            pass
        status, answer = await reply_to(reader)
        assert (status, answer["error"]["code"]) == (431, "headers_too_large")
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(WHOLE)
        assert (await reply_to(reader))[0] == 200
        writer.close()


async def test_long_headers_that_end_are_served(world: World) -> None:
    """Cookies and tokens of a few ten thousand bytes are nobody's attack, in however many pieces they come."""
    async with listening(world, idle_seconds=60) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for piece in (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n", PIECE, PIECE, b"\r\n", WHOLE):
            writer.write(piece)
            await writer.drain()
        assert (await reply_to(reader))[0] == 200
        assert (await reply_to(reader))[0] == 200
        writer.close()


@pytest.mark.parametrize(
    "said", [b"", b"\r\n", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n", WHOLE, WHOLE + WHOLE[:20]],
    ids=["nothing", "a line end", "half a request", "a request", "one and a half"],
)  # fmt: skip
async def test_who_says_no_more_is_let_go(world: World, said: bytes) -> None:
    """A connection that owes the rest of a request is closed after the time that an idle one is kept."""
    async with listening(world, idle_seconds=0.05) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        answered = await asyncio.wait_for(reader.read(), timeout=20)
        assert answered.count(b"HTTP/1.1 200") == said.count(WHOLE)
        writer.close()


async def test_a_slow_answer_is_not_cut_off(world: World) -> None:
    """The time is for the caller's part only: an answer may take longer."""
    async with listening(world, idle_seconds=0.01) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        world.vendor.latency_seconds = 5
        writer.write(b"GET /api/v2/tickers/AAPL/ohlc?range=1W HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while not world.clock.sleepers:
            await asyncio.wait([asyncio.ensure_future(asyncio.to_thread(int))], timeout=0.02)
        await world.clock.advance(5)
        assert (await reply_to(reader))[0] == 200
        writer.close()


async def test_a_body_that_does_not_arrive_is_hung_up_on(world: World) -> None:
    """The app is told that its caller has gone, and nothing of it stays."""
    async with listening(world, idle_seconds=0.05) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"POST /api/v2/tickers/AAPL/invalidate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nab"
        )
        await asyncio.wait_for(reader.read(), 20)
        writer.close()
    assert "request failed" not in world.telemetry.events()
