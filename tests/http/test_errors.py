"""Errors as a caller sees them: the right status, what to do next, and nothing of our insides."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ohlcache.domain.errors import StoreError
from ohlcache.ports import Level, Metric
from ohlcache.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.asyncio(loop_scope="function")

AAPL = "/api/v2/tickers/AAPL/ohlc"


@pytest.mark.parametrize(
    ("target", "field", "words"),
    [
        (f"{AAPL}?range=2W", "range", "1M"),
        (f"{AAPL}?resolution=5m", "resolution", "1, 5, 15, 30, 60, D"),
        (f"{AAPL}?start_date=01/02/2024", "start_date", "YYYY-MM-DD"),
        (f"{AAPL}?end_date=2024-01-02", "start_date", "YYYY-MM-DD"),
        (f"{AAPL}?start_date=2024-02-02&end_date=2024-01-02", "start_date", "Swap"),
        (f"{AAPL}?start_date=2099-01-02", "start_date", "or earlier"),
        (f"{AAPL}?range=1M&start_date=2024-01-02", "range", "range=1M"),
        (f"{AAPL}?adjust=dividends", "adjust", "all"),
        (f"{AAPL}?partial=yes", "partial", "partial=true"),
        (f"{AAPL}?format=xml", "format", "csv"),
        (f"{AAPL}?range=1M&range=1Y", "range", "once"),
        (f"{AAPL}?rang=1M", "rang", "range"),
        (f"{AAPL}?range=", "range", "1M"),
        (f"{AAPL}?%72ange=1M&range=1M", "range", "once"),
        (f"{AAPL}?{'&'.join('a=1' for _ in range(100))}", "query", "range"),
        ("/api/v2/tickers/A%20B/ohlc", "ticker", "BRK.B"),
        ("/api/v2/tickers/%FF%FE/ohlc", "ticker", "BRK.B"),
        ("/api/v2/tickers/ABCDEFGHIJKLM/ohlc", "ticker", "BRK.B"),
        ("/api/v2/tickers/AAPL/coverage?format=csv", "format", "resolution"),
        ("/api/v2/tickers?limit=0", "limit", "limit=10"),
        ("/api/v2/tickers?limit=51", "limit", "limit=10"),
        ("/api/v2/tickers?limit=1e1", "limit", "limit=10"),
        (f"/api/v2/tickers?query={'A' * 41}", "query", "query=AA"),
        ("/api/v2/status?verbose=1", "verbose", "no parameters"),
    ],
)
async def test_an_impossible_field_is_named_with_an_example(world: Any, target: str, field: str, words: str) -> None:
    """E21: 400 names the field and shows how it is written."""
    reply = await world.driver.get(target)
    assert reply.status == 400
    assert reply.error["code"] == "invalid_request"
    assert reply.error["field"] == field
    assert words in reply.error["hint"]
    assert not world.vendor.asked


async def test_an_unknown_ticker_is_404_and_not_remembered(world: Any) -> None:
    """E4, E20, T5: the answer names the ticker and says to check it; seconds later it is asked for again."""
    for asked in (1, 2):
        reply = await world.driver.get("/api/v2/tickers/NOPE/ohlc")
        assert (reply.status, reply.error["code"]) == (404, "ticker_not_found")
        assert "NOPE" in reply.error["message"]
        assert "check" in reply.error["hint"]
        assert reply.headers["cache-control"] == "no-store"
        assert (await world.driver.get("/api/v2/tickers/NOPE/ohlc")).status == 404
        assert world.vendor.asked == asked
        await world.clock.advance(5)


async def test_an_outage_is_503_and_not_remembered(world: Any) -> None:
    """E3, E19, T5: the vendor's outage is passed on with a time to wait; its return is seen by then."""
    world.vendor.faults.then(Fault.SERVER_ERROR)
    reply = await world.driver.get(AAPL)
    assert (reply.status, reply.error["code"]) == (503, "vendor_unavailable")
    assert reply.headers["retry-after"] == str(reply.error["retry_after_seconds"]) == "5"
    assert "try again" in reply.error["hint"]
    await world.clock.advance(5)
    assert (await world.driver.get(AAPL)).status == 200


async def test_a_used_up_allowance_is_429_with_its_wait(world: Any) -> None:
    """E22, F4: Retry-After is the vendor's, in the header and in the body."""
    world.vendor.faults.then(Fault.TOO_MANY)
    reply = await world.driver.get(AAPL)
    assert (reply.status, reply.error["code"]) == (429, "quota_exceeded")
    assert int(reply.headers["retry-after"]) == reply.error["retry_after_seconds"] >= 1
    assert "Wait" in reply.error["hint"]


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Fault.UNAUTHORIZED, 503, "vendor_credentials"),
        (Fault.FORBIDDEN, 403, "not_entitled"),
        (Fault.CUT_JSON, 502, "vendor_bad_data"),
    ],
)
async def test_every_vendor_failure_has_its_status(world: Any, fault: Fault, status: int, code: str) -> None:
    """What the vendor did is told apart; an answer says what to do next."""
    world.vendor.faults.then(fault)
    reply = await world.driver.get(AAPL)
    assert (reply.status, reply.error["code"]) == (status, code)
    assert reply.error["hint"]


async def test_a_bug_shows_nothing_but_its_number(world: Any) -> None:
    """S3, S4: no trace, path or name reaches the caller; the log has the trace under the same request id."""

    async def broken(request: object, *, retry: bool) -> object:
        raise ZeroDivisionError("/etc/secret.py is broken")

    world.app.lifecycle.cache.get = broken
    reply = await world.driver.get(AAPL, x_request_id="trace-me")
    assert (reply.status, reply.error["code"]) == (500, "internal_error")
    assert reply.error["request_id"] == reply.headers["x-request-id"] == "trace-me"
    for inside in (b"ZeroDivision", b"secret", b".py", b"Traceback", b"/"):
        assert inside not in reply.body
    line = next(line for line in world.telemetry.lines if line.event == "request failed")
    assert line.level is Level.ERROR
    assert "ZeroDivisionError" in str(line.fields["traceback"])


async def test_a_failing_store_does_not_fail_and_is_told_apart_from_a_miss(world: Any) -> None:
    """T6, F2: the answer comes; the failure is logged at ERROR and counted."""

    async def broken(*args: object, **kwargs: object) -> object:
        raise StoreError("/var/lib/ohlcache.sqlite3: disk I/O error")

    world.store.read = broken
    assert (await world.driver.get(AAPL)).status == 200
    assert world.telemetry.total(Metric.CACHE_ERROR) >= 1
    assert world.telemetry.events(Level.ERROR)


async def test_what_was_worked_around_is_marked(world: Any) -> None:
    """T6: a degraded answer says so in its headers, and does not claim to be stored."""
    cache = world.app.lifecycle.cache
    real = cache.get

    async def degraded(request: Any, *, retry: bool) -> Any:
        return replace(await real(request, retry=retry), degraded=True)

    cache.get = degraded
    reply = await world.driver.get(AAPL)
    assert reply.headers["x-cache-degraded"] == "true"
    assert reply.headers["cache-status"].startswith("ohlcache; fwd=uri-miss; ttl=")


async def test_a_store_that_cannot_forget_says_so_without_details(world: Any) -> None:
    """S4: an invalidation that did not reach the store is an error, and the store's own words stay inside."""

    async def broken(ticker: str) -> int:
        raise StoreError("/var/lib/ohlcache.sqlite3: disk I/O error")

    world.store.delete_ticker = broken
    reply = await world.driver.ask("POST", "/api/v2/tickers/AAPL/invalidate")
    assert (reply.status, reply.error["code"]) == (503, "store_error")
    assert "could not be cleared of AAPL" in reply.error["message"]
    assert "memory is cleared" in reply.error["message"]
    assert b"sqlite" not in reply.body


async def test_stale_candles_are_marked(world: Any) -> None:
    """When the vendor is down and something newer is due, what is there is given with X-Cache-Stale."""
    await world.driver.get(f"{AAPL}?range=1M")
    await world.clock.advance(86_400)
    world.vendor.faults.set(Fault.SERVER_ERROR)
    reply = await world.driver.get(f"{AAPL}?range=1M")
    assert reply.status == 200
    assert reply.headers["x-cache-stale"] == reply.headers["x-cache-degraded"] == "true"
    assert reply.headers["x-cache-complete"] == "false"
    assert reply.json["stale"]
    assert reply.json["missing"] == ["2024-06-04"]


async def test_every_error_is_json_with_a_request_id(world: Any) -> None:
    """The envelope is the same everywhere, whatever Accept says."""
    for method, target in (("GET", "/no/where"), ("PUT", AAPL), ("GET", "/api/v2/nope"), ("GET", f"{AAPL}?range=x")):
        reply = await world.driver.ask(method, target, {"accept": "text/csv"})
        assert reply.headers["content-type"] == "application/json"
        assert set(reply.error) >= {"code", "message", "hint", "request_id"}
        assert reply.error["request_id"] == reply.headers["x-request-id"]


async def test_no_key_shows_in_answers_or_lines(make_world: Callable[..., Any]) -> None:
    """S1: neither the right key nor a wrong one is ever repeated."""
    world = await make_world(api_keys=("correct-horse-battery",))
    for headers in ({"x_api_key": "wrong-horse-battery"}, {"authorization": "Bearer correct-horse-battery"}):
        for target in (AAPL, f"{AAPL}?range=nope", "/metrics", "/api/v2/nope"):
            reply = await world.driver.get(target, **headers)
            assert b"horse" not in reply.body
            assert "horse" not in str(reply.headers)
    assert "horse" not in world.telemetry.text()
    assert "horse" not in repr(world.app.__dict__.get("_options", ""))
