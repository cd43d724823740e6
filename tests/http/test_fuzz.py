"""Whatever comes in, an answer goes out, and it is never our bug."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from http_world import World
from hypothesis import given, settings
from hypothesis import strategies as st

from ohlcache.http.conditional import is_held
from ohlcache.http.errors import NotAcceptable
from ohlcache.http.negotiation import Format, choose_coding, choose_format

ANY_BYTES = st.binary(max_size=40)
TOKENS = st.sampled_from([b"range", b"start_date", b"resolution", b"format", b"1Y", b"2024-01-02", b"5", b"D", b"csv",
                          b"=", b"&", b"%", b"%00", b"%ff", b"+", b";", b"#", b"?", b"/", b"..", b"\xc3\xa9", b"9" * 30])  # fmt: skip
QUERIES = st.lists(TOKENS | ANY_BYTES, max_size=8).map(b"".join)
PATHS = st.one_of(
    st.lists(st.sampled_from([b"/", b"api", b"v2", b"tickers", b"AAPL", b"ohlc", b"%2F", b"..", b"coverage", b"status"])
             | ANY_BYTES, max_size=8).map(lambda parts: b"/" + b"".join(parts)),
    ANY_BYTES.map(lambda ticker: b"/api/v2/tickers/" + ticker.replace(b"?", b"") + b"/ohlc"),
    st.just(b"/api/v2/tickers/AAPL/ohlc"),
)  # fmt: skip
HEADERS = st.lists(
    st.tuples(
        st.sampled_from([b"accept", b"accept-encoding", b"if-none-match", b"x-request-id", b"authorization", b"x-api-key",
                         b"origin", b"content-length", b"host", b"range"]),
        st.binary(max_size=60) | st.sampled_from([b"*/*;q=", b"gzip;q=1;q=0", b'W/"', b"Bearer", b"," * 50, b"q=0.5"]),
    ),
    max_size=6,
)  # fmt: skip
METHODS = st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "PUT", "BREW", ""])
EXPECTED = {200, 204, 304, 400, 401, 403, 404, 405, 406, 413, 414}


@pytest.fixture(scope="module")
def server() -> Any:
    """One server for all examples, on a loop of its own."""
    loop = asyncio.new_event_loop()
    world = World()
    loop.run_until_complete(world.driver.start())
    yield lambda *args: (world, loop.run_until_complete(world.driver.ask(*args)))
    loop.run_until_complete(world.driver.stop())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@settings(max_examples=300)
@given(METHODS, PATHS, QUERIES, HEADERS, st.binary(max_size=10))
def test_never_a_500(
    server: Any, method: str, path: bytes, query: bytes, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    """Any target, headers and body get a status that the contract knows, and a request id that can be logged."""
    world, reply = server(method, path + b"?" + query, headers, body)
    assert reply.status in EXPECTED
    assert reply.headers["x-request-id"].isascii()
    assert reply.headers["x-request-id"].isprintable()
    assert "request failed" not in world.telemetry.events()
    if reply.status >= 400 and method != "HEAD":
        assert reply.error["request_id"] == reply.headers["x-request-id"]
    for value in reply.headers.values():
        assert "\n" not in value
        assert "\r" not in value


@given(st.binary(max_size=80))
def test_negotiation_survives_any_header(header: bytes) -> None:
    """Garbage is passed over, and the outcome is always one we can give."""
    choose_coding(header)
    is_held(header, b'"tag"')
    with contextlib.suppress(NotAcceptable):
        assert choose_format(header) in Format
