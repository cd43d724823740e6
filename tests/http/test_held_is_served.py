"""W1: whatever the vendor replies, at whatever hour and by whatever door, what is held is served and says what it is worth."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from http_driver import Driver

import ohlcache
from ohlcache.adapters.clock import SystemClock
from ohlcache.http.app import HttpOptions, create_app
from ohlcache.testing import FakeVendors
from ohlcache.testing.clock import instant_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from ohlcache.library.cache import Cache

pytestmark = pytest.mark.asyncio

FILLED_AT = "2024-06-03T22:00:00-04:00"
HOURS = [
    "2024-06-04T17:29:00-04:00",
    "2024-06-04T17:31:00-04:00",
    "2024-06-04T21:00:00-04:00",
    "2024-06-05T11:02:00-04:00",
]
OHLC = "/api/v2/tickers/AAPL/ohlc"


class Refusal(NamedTuple):
    """What a vendor replies to every call, and the code of the error that it is."""

    status: int
    body: bytes
    code: str
    headers: tuple[tuple[str, str], ...] = ()


REFUSALS = {
    "404": Refusal(404, b'{"detail":"Not found."}', "ticker_not_found"),
    "429": Refusal(429, b'{"detail":"You have run over your hourly request allocation."}', "quota_exceeded"),
    "429 as 200": Refusal(200, b"You have run over your 500 symbol look up for this month.", "quota_exceeded"),
    "401": Refusal(401, b'{"detail":"Invalid token."}', "vendor_credentials"),
    "403": Refusal(403, b'{"detail":"You do not have permission to access this."}', "not_entitled"),
    "400": Refusal(400, b'{"detail":"Error: bad request"}', "vendor_error"),
    "500": Refusal(500, b"Internal Server Error", "vendor_unavailable"),
    "login page": Refusal(200, b"<!doctype html><html><form>Sign in, token</form></html>" + b" " * 9000, "vendor_bad_data"),
    "nested brackets": Refusal(200, b"[" * 100_000, "vendor_bad_data"),
    "an odd Retry-After": Refusal(429, b"{}", "quota_exceeded", (("Retry-After", "1.5, soon"),)),
}  # fmt: skip


@contextmanager
def vendor_that_replies(refusal: Refusal) -> Iterator[str]:
    """Serve one reply to every request on a local socket; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(refusal.status)
            for name, value in (("Content-Length", str(len(refusal.body))), *refusal.headers):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(refusal.body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@asynccontextmanager
async def doors(folder: Path, url: str, clock: str) -> AsyncIterator[tuple[Cache, Driver]]:
    """Open one cache on ``folder``, with the library and the HTTP API in front of it."""
    opened = ohlcache.connect(
        source="tiingo", tiingo_api_key="k", tiingo_base_url=url, data_dir=folder, clock=clock, log_level="ERROR"
    )
    async with opened as cache:

        async def open_it() -> Any:
            return cache.read_through

        driver = Driver(await asyncio.to_thread(create_app, open_it, HttpOptions(version="1")))
        await driver.start()
        try:
            yield cache, driver
        finally:
            await driver.stop()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which a year of days, a closed year and a week of five-minute bars of AAPL are held."""
    folder = tmp_path_factory.mktemp("held")
    with (
        FakeVendors(clock=SystemClock(instant_of(FILLED_AT))) as fake,
        ohlcache.connect_sync(
            source="tiingo", tiingo_api_key="k", tiingo_base_url=fake.tiingo_url, data_dir=folder, clock=FILLED_AT
        ) as cache,
    ):
        cache.get("AAPL", "1Y")
        cache.get("AAPL", start="2022-01-01", end="2022-12-31")
        cache.get("AAPL", "1W", resolution="5")
    return folder


@pytest.fixture
def recovered() -> Iterator[str]:
    """Return the address of a vendor that answers, on the evening after ``filled``."""
    with FakeVendors(clock=SystemClock(instant_of(HOURS[2]))) as fake:
        yield fake.tiingo_url


QUESTIONS = [
    *(f"{OHLC}?range={name}&adjust={how}{partial}" for name in ("1W", "1M", "1Y") for how in ("none", "all")
      for partial in ("", "&partial=true")),
    f"{OHLC}?range=1D",
    f"{OHLC}?start_date=2022-01-01&end_date=2022-12-31",
    f"{OHLC}?start_date=2022-01-01&end_date=2024-06-04",
    f"{OHLC}?range=1W&resolution=5",
    f"{OHLC}?range=1D&resolution=5&adjust=none",
]  # fmt: skip


@pytest.mark.parametrize("clock", HOURS)
@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
async def test_what_is_held_is_served(filled: Path, tmp_path: Path, refusal: Refusal, clock: str) -> None:
    """W1, L2: every span of which anything is held, by the own API, Tiingo's paths and the library; minutes as minutes."""
    folder = shutil.copytree(filled, tmp_path / "data")
    with vendor_that_replies(refusal) as url:
        async with doors(folder, url, clock) as (cache, driver):
            stale = 0
            for question in QUESTIONS:
                reply = await driver.get(question)
                assert reply.status == 200, (question, reply.body)
                answer = reply.json
                assert answer["count"] == len(answer["candles"]) > 0, question
                assert answer["resolution"] == ("5" if "resolution=5" in question else "D"), question
                assert not answer["resolution_fallback"], question
                assert answer["complete"] == (not answer["missing"]), question
                assert answer["stale"] == (answer["stale_reason"] is not None), question
                assert bool(answer["missing"]) == (answer["missing_reason"] is not None), question
                if answer["stale"]:
                    stale += 1
                    assert reply.headers["x-cache-stale"] == "true", question
                    assert reply.headers["x-cache-reason"] == refusal.code, question
                if answer["missing"]:
                    first, last = answer["missing"][0], answer["missing"][-1]
                    expected = f"{len(answer['missing'])}; first={first}; last={last}"
                    assert reply.headers["x-cache-missing"] == expected, question
            assert stale >= 2, "something was due in each of these hours"
            rows = await driver.get("/tiingo/daily/AAPL/prices?startDate=2023-06-05&endDate=2024-06-04")
            assert (rows.status, len(rows.json)) == (200, 251)
            bars = await driver.get("/iex/AAPL/prices?startDate=2024-05-30&endDate=2024-06-04&resampleFreq=5min")
            assert (bars.status, len(bars.json)) == (200, 3 * 78)
            assert bars.headers["x-cache-reason"] == refusal.code
            with pytest.warns(ohlcache.IncompleteDataWarning):
                table = await cache.get("AAPL", start="2019-01-02", end="2024-06-03")
            assert (len(table) > 600, table.complete, table.provenance.stale) == (True, False, True)


async def test_nothing_held_is_the_vendors_error(filled: Path, tmp_path: Path) -> None:
    """W1, F4: of a ticker, and of a span, of which nothing is held, the answer is the failure."""
    folder = shutil.copytree(filled, tmp_path / "data")
    with vendor_that_replies(REFUSALS["429"]) as url:
        async with doors(folder, url, HOURS[1]) as (_, driver):
            for question in (
                f"{OHLC.replace('AAPL', 'IBM')}?range=1M",
                f"{OHLC}?start_date=2015-01-02&end_date=2015-02-02",
            ):
                reply = await driver.get(question)
                assert (reply.status, reply.error["code"]) == (429, "quota_exceeded")
                assert "retry-after" in reply.headers


async def test_a_persons_retry_over_http(filled: Path, tmp_path: Path) -> None:
    """W2, H27d: ``Cache-Control: no-cache`` asks the vendor again; other requests do not."""
    folder = shutil.copytree(filled, tmp_path / "data")
    calls = []

    class Counting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            calls.append(self.path)
            self.send_response(500)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Counting) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        async with doors(folder, url, HOURS[1]) as (cache, driver):
            target = f"{OHLC}?range=1M&adjust=none"
            for _ in range(5):
                assert (await driver.get(target)).json["stale"]
            assert len(calls) == 1
            clock = cache.read_through.clock
            await clock.sleep(1.05)
            assert (await driver.get(target, cache_control="no-cache")).json["stale"]
            assert len(calls) == 2
        server.shutdown()
        thread.join()
    assert json.loads(json.dumps(calls[0])).startswith("/tiingo/daily/AAPL/prices")


@pytest.mark.parametrize(
    "question",
    [
        f"{OHLC}?start_date=2022-01-01&end_date=2022-12-31&format=csv",
        "/tiingo/daily/AAPL/prices?startDate=2022-01-03&endDate=2022-12-30",
        "/tiingo/daily/AAPL/prices?startDate=2022-01-03&endDate=2022-12-30&columns=close",
    ],
)
async def test_no_304_hides_a_recovery(filled: Path, recovered: str, tmp_path: Path, question: str) -> None:
    """L4: a cache in between keeps the headers that a 304 does not replace, so the same candles have another tag."""
    folder = shutil.copytree(filled, tmp_path / "data")
    with vendor_that_replies(REFUSALS["429"]) as url:
        async with doors(folder, url, HOURS[2]) as (_, driver):
            stale = await driver.get(question)
            assert stale.headers["x-cache-stale"] == "true"
            held = {"if_none_match": stale.headers["etag"]}
            assert (await driver.get(question, **held)).status == 304
    async with doors(folder, recovered, HOURS[2]) as (_, driver):
        fresh = await driver.get(question, **held)
        assert "x-cache-stale" not in fresh.headers
        assert fresh.body == stale.body
        assert fresh.status == 200
