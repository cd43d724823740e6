"""Repeated requests are answered from their bytes, and nobody can tell but by the clock."""

from __future__ import annotations

import re
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Self

import pytest
from http_process import end, get, launch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AAPL = "/api/v2/tickers/AAPL/ohlc?range=1Y"
KEY = "X-API-Key: the-key-of-the-house"
CHANGING = {"x-request-id", "date", "x-cache-age", "cache-status"}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder: Path = tmp_path_factory.mktemp("replay")
    server = launch(folder, OHLCACHE_API_KEYS="the-key-of-the-house", OHLCACHE_LOG_LEVEL="ERROR")
    yield server.ready()
    end(server)


class Caller:
    """A connection on which bytes are sent exactly as given."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.stream = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stream.close()
        self.socket.close()

    def send(self, *lines: str, method: str = "GET", target: str = AAPL) -> None:
        self.socket.sendall(head(*lines, method=method, target=target))

    def reply(self, *, bodiless: bool = False) -> tuple[int, dict[str, str], bytes]:
        status = int(self.stream.readline().split()[1])
        headers: dict[str, str] = {}
        while line := self.stream.readline().strip().decode():
            name, _, value = line.partition(": ")
            assert name.lower() not in headers
            headers[name.lower()] = value
        length = 0 if bodiless or status == 304 else int(headers["content-length"])
        return status, headers, self.stream.read(length)

    def ask(self, *lines: str, method: str = "GET", target: str = AAPL) -> tuple[int, dict[str, str], bytes]:
        self.send(*lines, method=method, target=target)
        return self.reply(bodiless=method == "HEAD")


def head(*lines: str, method: str = "GET", target: str = AAPL) -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: x", *lines, "", ""]).encode()


def counted(port: int) -> tuple[int, int]:
    """Return how many requests the memory tier answered, and how many went the whole way through the app."""
    text = get(port, "/metrics", x_api_key="the-key-of-the-house")[2].decode()
    hits = re.search(r'ohlcache_requests_total\{tier="in-memory"\} (\d+)', text)
    whole = re.findall(r'ohlcache_http_seconds_count\{route="/api/v2/tickers/\{ticker\}/ohlc".*\} (\d+)', text)
    return int(hits.group(1)) if hits else 0, sum(map(int, whole))


@pytest.mark.parametrize(
    "lines",
    [
        (KEY,),
        (KEY, "Accept-Encoding: gzip"),
        (KEY, "Accept: text/csv", "Accept-Encoding: zstd"),
        (KEY, "If-None-Match: *"),
    ],
)
def test_the_third_answer_is_the_second_without_the_way(port: int, lines: tuple[str, ...]) -> None:
    """Status, headers and body of a replay are those of the whole way, and it is counted as a hit."""
    with Caller(port) as caller:
        caller.ask(*lines)
        status, headers, body = caller.ask(*lines)
        hits, whole = counted(port)
        again = [caller.ask(*lines) for _ in range(3)]
    assert counted(port) == (hits + 3, whole)
    assert headers["x-cache-source"] == "in-memory"
    ids = {headers["x-request-id"]}
    for replayed_status, replayed, replayed_body in again:
        assert (replayed_status, replayed_body) == (status, body)
        assert replayed.keys() == headers.keys()
        for name in headers.keys() - CHANGING:
            assert replayed[name] == headers[name]
        assert replayed["cache-status"].startswith("ohlcache; hit; ttl=")
        ids.add(replayed["x-request-id"])
    assert len(ids) == 4


def test_other_bytes_go_the_whole_way(port: int) -> None:
    """A key, a condition, a method or an order of headers that differs is another request."""
    with Caller(port) as caller:
        for _ in range(3):
            status, headers, _ = caller.ask(KEY)
            assert status == 200
        assert caller.ask()[0] == 401
        assert caller.ask("X-API-Key: another-key")[0] == 401
        assert caller.ask(KEY, f"If-None-Match: {headers['etag']}")[0] == 304
        for _ in range(3):
            status, bare, body = caller.ask(KEY, method="HEAD")
            assert (status, body, bare["content-length"]) == (200, b"", headers["content-length"])
        assert caller.ask(KEY)[0] == 200


def test_the_caller_s_request_id_is_always_its_own(port: int) -> None:
    """A request that names itself is never answered under another's name."""
    with Caller(port) as caller:
        for _ in range(4):
            assert caller.ask(KEY, "X-Request-Id: mine")[1]["x-request-id"] == "mine"


def test_requests_may_come_in_pieces_or_many_at_once(port: int) -> None:
    """Bytes split anywhere and pipelined requests are answered in order, each once."""
    with Caller(port) as caller:
        for _ in range(3):
            caller.ask(KEY)
        whole = head(KEY)
        for cut in (1, 10, len(whole) - 2):
            caller.socket.sendall(whole[:cut])
            with Caller(port) as other:  # its answer shows that the first piece was read
                other.ask(KEY)
            caller.socket.sendall(whole[cut:])
            assert caller.reply()[0] == 200
        status = head(KEY, target="/api/v2/status")
        caller.socket.sendall(whole + status + whole + whole)
        kinds = [caller.reply()[1].get("x-cache-source") for _ in range(4)]
        assert kinds == ["in-memory", None, "in-memory", "in-memory"]
        assert caller.ask(KEY)[0] == 200


def test_an_invalidated_ticker_is_not_replayed(port: int) -> None:
    """F1: what was cleared is fetched again, though the same bytes were answered before."""
    target = "/api/v2/tickers/MSFT/ohlc?range=1M"
    with Caller(port) as caller:
        for _ in range(4):
            source = caller.ask(KEY, target=target)[1]["x-cache-source"]
        assert source == "in-memory"
        assert caller.ask(KEY, method="POST", target="/api/v2/tickers/MSFT/invalidate")[0] == 200
        sources = [caller.ask(KEY, target=target)[1]["x-cache-source"] for _ in range(3)]
    assert sources == ["sample", "in-memory", "in-memory"]


def test_a_caller_that_says_goodbye_is_let_go(port: int) -> None:
    """``Connection: close`` is honoured every time."""
    for _ in range(3):
        with Caller(port) as caller, closing(caller.stream):
            assert caller.ask(KEY, "Connection: close")[0] == 200
            assert caller.stream.read() == b""
