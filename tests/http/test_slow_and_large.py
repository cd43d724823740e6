"""One connection costs a bounded number of bytes and seconds, and nobody else notices it."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from http_process import end, get, launch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


AAPL = "/api/v2/tickers/AAPL/ohlc"
ENDLESS_BYTES = 200 << 20
MEGABYTE = b"a" * (1 << 20)
TURNS_MAX = 1000
REST = b"Host: localhost\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    server = launch(tmp_path_factory.mktemp("slow"), OHLCACHE_LOG_LEVEL="ERROR")
    yield server.ready()
    end(server)


def connected(port: int) -> Any:
    return closing(socket.create_connection(("127.0.0.1", port), timeout=20))


def everything(connection: socket.socket) -> bytes:
    """Return what arrives until the server hangs up, which it may do with a reset where it was still being sent to."""
    received = bytearray()
    try:
        while piece := connection.recv(65_536):
            received += piece
    except ConnectionResetError:
        pass
    return bytes(received)


def accepted(connection: socket.socket, piece: bytes, meanwhile: Callable[[], object] = bool) -> int:
    """Send pieces until no more is taken, or until it is clear that there is no end to it; return the bytes sent."""
    sent = 0
    while sent < ENDLESS_BYTES:
        try:
            sent += connection.send(piece)
        except (BlockingIOError, ConnectionResetError, BrokenPipeError):
            break
        meanwhile()
    return sent


@pytest.mark.parametrize(
    "head",
    [
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: ",
        b"GET /",
        b"GET /healthz HTTP/1.1\r\n" + b"X-Many: 1\r\n" * 10_000,
    ],
    ids=["one header", "the target", "many headers"],
)
def test_a_head_without_end_is_hung_up_on(port: int, head: bytes) -> None:
    """A client that would send forever can send less than a few megabytes, and others are answered meanwhile."""
    with connected(port) as connection:
        connection.sendall(head)
        assert accepted(connection, MEGABYTE, lambda: get(port, "/healthz")) < 50 * len(MEGABYTE)


def test_a_client_that_sends_byte_by_byte_is_answered(port: int) -> None:
    """However small the pieces are, they make a request."""
    with connected(port) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in f"GET {AAPL} HTTP/1.1\r\n".encode() + REST:
            connection.sendall(bytes([byte]))
        assert everything(connection).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_client_that_never_reads_holds_nobody_up(port: int) -> None:
    """Answers that nobody takes wait in their own connection: the server reads no more from it, others are served."""
    with connected(port) as connection:
        connection.setblocking(False)
        requests = f"GET {AAPL}?range=5Y HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 1000
        assert accepted(connection, requests) < ENDLESS_BYTES
        assert get(port, f"{AAPL}?range=1M")[0] == 200
