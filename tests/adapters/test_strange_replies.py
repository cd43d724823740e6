"""Whatever comes back over a real socket, a vendor's client raises one of our errors or returns candles that can be true."""

from __future__ import annotations

import asyncio
import gzip
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from adapters.vendor_rig import EVENING, JUNE, KEY, RECORDED, series
from ohlcache.adapters.vendors.finnhub import FinnhubVendor
from ohlcache.adapters.vendors.tiingo import TiingoVendor
from ohlcache.adapters.vendors.vendor_key import FixedKey
from ohlcache.domain.errors import (
    BadVendorCredentials,
    QuotaExceeded,
    VendorError,
    VendorGarbage,
    VendorUnavailable,
)
from ohlcache.domain.resolution import Resolution
from ohlcache.testing import FakeClock, RecordingTelemetry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio

DAILY = (RECORDED / "tiingo" / "daily_GOOGL_2018-01-05_2018-01-19.json").read_bytes()
JSON = ("Content-Type: application/json",)
PAGE = b"<!DOCTYPE html><html><body>Sign in to this network to get your token.</body></html>"
KINDS = pytest.mark.parametrize("kind", [TiingoVendor, FinnhubVendor])


def reply(body: bytes = b"", *headers: str, status: str = "200 OK") -> bytes:
    head = [f"HTTP/1.1 {status}", *(headers or JSON), f"Content-Length: {len(body)}", "Connection: close"]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


@asynccontextmanager
async def talking_to(
    raw: bytes, kind: type[TiingoVendor | FinnhubVendor]
) -> AsyncIterator[TiingoVendor | FinnhubVendor]:
    """Make a vendor whose other side sends ``raw``, whatever it is asked."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    vendor = kind(
        base_url=f"http://127.0.0.1:{port}",
        key=FixedKey(KEY),
        clock=FakeClock(EVENING),
        telemetry=RecordingTelemetry(),
        timeout_seconds=5.0,
    )
    try:
        yield vendor
    finally:
        await vendor.close()
        server.close()
        await server.wait_closed()


UNREADABLE = {
    "a login page": reply(PAGE, "Content-Type: text/html"),
    "a login page called JSON": reply(PAGE),
    "a long login page": reply(PAGE + b"<!-- -->" * 10_000, "Content-Type: text/html"),
    "a page in an unheard-of charset": reply(PAGE, "Content-Type: text/html; charset=klingon"),
    "nothing": reply(),
    "null": reply(b"null"),
    "a text": reply(b'"text"'),
    "a number": reply(b"7"),
    "an object": reply(b"{}"),
    "an error object": reply(b'{"detail":"Something else."}'),
    "half of it": reply(DAILY[:700]),
    "brackets": reply(b"[" * 100_000),
    "brackets, closed": reply(b"[" * 100_000 + b"]" * 100_000),
    "objects": reply(b'{"a":' * 100_000),
    "a deep detail": reply(b'{"detail":' + b"[" * 4_000),
    "a deep detail, closed": reply(b'{"detail":' + b"[" * 2_000 + b"]" * 2_000 + b"}"),
    "no text": reply(bytes(range(256)) * 4),
    "zipped without saying so": reply(gzip.compress(DAILY)),
    "a zipped body that is none": reply(b"\x1f\x8b\x08\x00broken", *JSON, "Content-Encoding: gzip"),
    "half of a zipped body": reply(gzip.compress(DAILY)[:200], *JSON, "Content-Encoding: gzip"),
}


@KINDS
@pytest.mark.parametrize("name", UNREADABLE)
async def test_what_cannot_be_read_is_bad_data(kind: type[TiingoVendor | FinnhubVendor], name: str) -> None:
    """B8, E3: days, minutes and a sign of life alike; suggestions and a listing are then unknown."""
    async with talking_to(UNREADABLE[name], kind) as vendor:
        for resolution in (Resolution.DAY, Resolution.MINUTE, Resolution.HOUR):
            with pytest.raises(VendorGarbage) as raised:
                await vendor.fetch(series("AAPL", vendor.name, resolution), JUNE)
            assert type(raised.value) is VendorGarbage
        with pytest.raises(VendorGarbage):
            await vendor.check()
        assert await vendor.suggest("AAPL", 5) == ()
        assert await vendor.listing(series("AAPL", vendor.name), JUNE) is None


BROKEN = {
    "plain text called zipped": reply(DAILY, *JSON, "Content-Encoding: gzip"),
    "deflated nonsense": reply(b"nonsense", *JSON, "Content-Encoding: deflate"),
    "less than announced": b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n[]",
    "broken chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n[]\r\n",
    "no HTTP": b"\x16\x03\x01 this is not the protocol you are looking for\r\n\r\n",
    "a closed door": b"",
    "a wrong status": b"HTTP/1.1 abc OK\r\nContent-Length: 2\r\n\r\n[]",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n[]",
    "a header without end": b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n",
    "a gateway's page": reply(PAGE, status="502 Bad Gateway"),
    "a portal's status": reply(PAGE, status="511 Network Authentication Required"),
    **{
        f"a redirect to {place!r}": reply(PAGE, f"Location: {place}", status="302 Found")
        for place in (
            "http://[::1",
            "http://x:99999/",
            "mailto:a@b.c",
            "//",
            "",
            "http://",
            "https://127.0.0.1/",
            "ht!tp:",
            "\xff",
        )
    },
    "a redirect to nowhere": reply(PAGE, status="302 Found"),
}


@KINDS
@pytest.mark.parametrize("name", BROKEN)
async def test_what_does_not_arrive_is_unavailable(kind: type[TiingoVendor | FinnhubVendor], name: str) -> None:
    """E3, E5: broken encodings, broken HTTP and odd redirects are the connection's fault, not the key's."""
    async with talking_to(BROKEN[name], kind) as vendor:
        with pytest.raises(VendorUnavailable) as raised:
            await vendor.fetch(series("AAPL", vendor.name), JUNE)
        assert raised.value.__cause__ is None
        assert KEY not in str(raised.value)


@KINDS
@pytest.mark.parametrize(
    "status", ["204 No Content", "206 Partial", "300 Choices", "304 Not Modified", "400 Bad", "405 No", "418 T"]
)
async def test_any_other_status_is_an_error_of_its_own(kind: type[TiingoVendor | FinnhubVendor], status: str) -> None:
    """E3: neither data nor an unhandled exception."""
    async with talking_to(reply(b"", status=status), kind) as vendor:
        with pytest.raises(VendorError) as raised:
            await vendor.fetch(series("AAPL", vendor.name), JUNE)
        assert status[:3] in raised.value.message


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (["1.5"], 1.5),
        (["120, 300"], 300),
        (["120", "300"], 300),
        (["Fri, 14 Jun 2024 22:01:00 GMT"], 60),
        (["soon", "7"], 7),
    ],
)
async def test_a_wait_in_any_form_is_read(headers: list[str], seconds: float) -> None:
    """F4: one line or several."""
    lines = [f"Retry-After: {line}" for line in headers]
    async with talking_to(reply(b'{"detail":"hourly"}', *JSON, *lines, status="429 Too Many"), TiingoVendor) as vendor:
        with pytest.raises(QuotaExceeded) as raised:
            await vendor.fetch(series("AAPL", "tiingo"), JUNE)
        assert raised.value.retry_after_seconds == seconds


async def test_a_reply_with_a_mark_or_zipped_is_read() -> None:
    """B1: a byte order mark and a right encoding change nothing."""
    for raw in (reply(b"\xef\xbb\xbf" + DAILY), reply(gzip.compress(DAILY), *JSON, "Content-Encoding: gzip")):
        async with talking_to(raw, TiingoVendor) as vendor:
            answer = await vendor.fetch(series("GOOGL", "tiingo"), JUNE)
            assert len(answer.candles) == len(json.loads(DAILY))


async def test_a_key_with_line_ends_is_the_key_s_fault() -> None:
    """S1: nothing is sent, and the message does not repeat it."""
    async with talking_to(reply(DAILY), TiingoVendor) as vendor:
        vendor._http._key = FixedKey("a\r\nX-Evil: 1")
        with pytest.raises(BadVendorCredentials) as raised:
            await vendor.fetch(series("AAPL", "tiingo"), JUNE)
        assert "Evil" not in str(raised.value)
        assert vendor.quota().calls == 0
