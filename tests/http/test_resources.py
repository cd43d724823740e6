"""The smaller resources, and the life of the server behind all of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ohlcache.domain.errors import ConfigurationError
from ohlcache.http.app import HttpOptions, create_app
from ohlcache.ports import BreakerState

pytestmark = pytest.mark.asyncio(loop_scope="function")

AAPL = "/api/v2/tickers/AAPL/ohlc"


async def test_invalidating_clears_every_tier(world: Any) -> None:
    """T4, F1: afterwards the vendor is asked again."""
    await world.driver.get(AAPL)
    reply = await world.driver.ask("POST", "/api/v2/tickers/aapl/invalidate")
    assert reply.status == 200
    assert reply.json["ticker"] == "AAPL"
    assert reply.json["removed_answers"] == 1
    assert reply.json["removed_chunks"] >= 1
    assert (await world.driver.get(AAPL)).headers["x-cache-source"] == "tiingo"


async def test_suggestions(world: Any) -> None:
    """Tickers that match, at most as many as asked for; a name beside each."""
    reply = await world.driver.get("/api/v2/tickers?query=a&limit=5")
    assert reply.json == {"tickers": [{"ticker": "AAPL", "name": "Apple Inc."}]}
    assert len((await world.driver.get("/api/v2/tickers?limit=2")).json["tickers"]) == 2
    assert len((await world.driver.get("/api/v2/tickers")).json["tickers"]) == 10


async def test_coverage_is_shown_session_by_session(world: Any) -> None:
    """What is held has a state and the instant of the vendor's word; the rest is missing or not due."""
    target = "/api/v2/tickers/AAPL/coverage?start_date=2024-05-30&end_date=2024-06-03"
    before = (await world.driver.get(target)).json
    assert [session["state"] for session in before["sessions"]] == ["missing"] * 3
    await world.driver.get(AAPL)
    after = (await world.driver.get(target)).json
    assert list(after) == ["ticker", "resolution", "source", "sessions"]
    assert after["sessions"][-1] == {
        "date": "2024-06-03",
        "state": "final",
        "candles": 1,
        "observed_at": "2024-06-04T02:00:00Z",
    }


async def test_the_status_shows_the_cache_at_work(world: Any) -> None:
    """Tiers, breaker, allowance and what was saved."""
    await world.driver.get(AAPL)
    await world.driver.get(AAPL)
    status = (await world.driver.get("/api/v2/status")).json
    assert status["version"] == "9.9.9"
    assert status["source"] == status["vendor"]["name"] == "tiingo"
    assert status["market_date"] == "2024-06-03"
    assert status["data_until"] is None
    assert status["resolutions"]["D"] == {"adjustments": ["splits", "all", "none"], "synthetic": False}
    assert (status["memory"]["entries"], status["memory"]["hits"], status["memory"]["misses"]) == (1, 1, 1)
    assert status["store"] == {"name": "memory", "breaker": {"state": "closed", "failures": 0, "open_until": None}}
    assert status["vendor"]["calls"] == world.vendor.asked == 1
    assert status["vendor"]["calls_saved"] == 1


async def test_an_open_breaker_shows_until_when(world: Any) -> None:
    """E7: instants in the status are ISO, like everywhere."""
    cache = world.app.lifecycle.cache
    real = cache.status()
    from dataclasses import replace

    until = world.clock.now() + 60
    cache.status = lambda: replace(real, breaker=BreakerState("memory_cache", "open", 3, until))
    breaker = (await world.driver.get("/api/v2/status")).json["store"]["breaker"]
    assert breaker == {"state": "open", "failures": 3, "open_until": "2024-06-04T02:01:00Z"}


# --- life ------------------------------------------------------------------------------------------------------------


async def test_a_server_that_is_starting_is_alive_but_not_ready(world: Any) -> None:
    """Before the cache is open, data and readiness are 503 with a time to wait; health and page are there."""
    from http_world import World

    young = (await asyncio.to_thread(World)).driver
    assert (await young.get("/healthz")).status == 200
    assert (await young.get("/")).status == 200
    for target in ("/readyz", AAPL, "/api/v2/status"):
        reply = await young.get(target)
        assert (reply.status, reply.error["code"]) == (503, "not_ready")
        assert reply.headers["retry-after"] == "1"
        assert "starting" in reply.error["message"]


async def test_stopping_waits_for_the_requests_under_way(world: Any) -> None:
    """F6, F10: what is in flight is answered and written, readiness fails meanwhile, then the cache is closed."""
    gate = asyncio.Event()

    async def wait(*args: object) -> None:
        await gate.wait()

    world.vendor.before = wait
    slow = asyncio.ensure_future(world.driver.get(AAPL))
    while not world.vendor.asked:
        await asyncio.wait([slow], timeout=0.001)
    stopping = asyncio.ensure_future(world.app.lifecycle.close())
    await asyncio.wait([stopping], timeout=0.001)
    assert not stopping.done()
    assert (await world.driver.get("/readyz")).error["message"] == "This server is stopping."
    assert (await world.driver.get("/healthz")).status == 200
    assert not world.vendor.closed
    gate.set()
    assert (await slow).status == 200
    await stopping
    assert world.vendor.closed
    assert (await world.driver.get(AAPL)).error["code"] == "not_ready"


async def test_a_cache_that_cannot_open_ends_the_start() -> None:
    """E24: the server does not start, and its caller learns why."""
    from http_driver import Driver

    async def refuse() -> Any:
        raise ConfigurationError("OHLC_CACHE_TABLE is not set.")

    app = await asyncio.to_thread(create_app, refuse, HttpOptions("1"))
    driver = Driver(app)
    await driver.start()
    assert [message["type"] for message in driver.outbox] == ["lifespan.startup.failed"]
    assert "OHLC_CACHE_TABLE" not in str(driver.outbox)
    assert isinstance(app.start_failure, ConfigurationError)
