"""A replay speaks for one answer only: another answer under the same request needs headers of its own."""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ohlcache.http.replay import EXTENSION, Replay
from service.restless_clock import RestlessClock

if TYPE_CHECKING:
    from ohlcache.domain.observation import VendorAnswer

pytestmark = pytest.mark.asyncio(loop_scope="function")

AAPL = "/api/v2/tickers/AAPL/ohlc?range=1M"


async def replay_of(world: Any, target: str, **headers: str) -> Replay:
    """Return the replay that the server would keep for a memory hit."""
    kept: list[Replay] = []
    await world.driver.get(target, **headers)
    await world.driver.ask("GET", target, headers, extensions={EXTENSION: kept.append})
    assert len(kept) == 1
    return kept[0]


def dearer(answer: VendorAnswer) -> VendorAnswer:
    candles = answer.candles
    prices = {name: getattr(candles, name) * 2 for name in ("open", "high", "low", "close")}
    return replace(answer, candles=replace(candles, **prices))


async def test_a_replay_gives_the_answer_it_was_made_for(world: Any) -> None:
    """Head and body are those of the whole way."""
    replay = await replay_of(world, AAPL)
    rendered = replay.render()
    assert rendered is not None
    whole = await world.driver.get(AAPL)
    assert rendered[1] == whole.body
    assert f"etag: {whole.headers['etag']}\r\n".encode() in rendered[0]


async def test_an_answer_fetched_anew_is_not_given_under_the_old_validator(world: Any) -> None:
    """F7: another caller's request brought new candles within the same minute; the old answer is gone."""
    replay = await replay_of(world, AAPL)
    assert replay.render() is not None
    world.vendor.after = dearer
    await world.driver.ask("POST", "/api/v2/tickers/AAPL/invalidate")
    fresh = await world.driver.get(AAPL)
    gc.collect()
    rendered = replay.render()
    if rendered is not None:
        assert f"etag: {fresh.headers['etag']}\r\n".encode() in rendered[0]


async def test_a_replay_that_was_never_used_knows_its_answer_too(world: Any) -> None:
    """The same, for a request that came twice only."""
    replay = await replay_of(world, AAPL)
    world.vendor.after = dearer
    await world.driver.ask("POST", "/api/v2/tickers/AAPL/invalidate")
    fresh = await world.driver.get(AAPL)
    gc.collect()
    rendered = replay.render()
    if rendered is not None:
        assert f"etag: {fresh.headers['etag']}\r\n".encode() in rendered[0]


async def test_age_and_life_go_on(world: Any) -> None:
    """T7: a replay a moment later is a moment older; a minute later the request goes the whole way again."""
    replay = await replay_of(world, AAPL)
    first = replay.render()
    await world.clock.advance(7)
    second = replay.render()
    assert first is not None
    assert second is not None
    assert b"x-cache-age: 0\r\n" in first[0]
    assert b"x-cache-age: 7\r\n" in second[0]
    await world.clock.advance(60)
    assert replay.render() is None


@pytest.mark.parametrize("readings", range(6))
async def test_a_replay_made_over_midnight_is_of_the_day_before(make_world: Any, readings: int) -> None:
    """K4: wherever midnight falls while a request is answered, its replay is not the next day's answer."""
    clock = RestlessClock("2024-06-04T03:59:59Z")  # one second to midnight in New York
    world = await make_world(clock=clock)
    await world.driver.get(AAPL)
    clock.jump("2024-06-04T04:00:01Z", after_readings=readings)
    kept: list[Replay] = []
    whole = await world.driver.ask("GET", AAPL, {}, extensions={EXTENSION: kept.append})
    clock.set("2024-06-04T04:00:02Z")
    for replay in kept:
        assert whole.json["end_date"] == "2024-06-04" or replay.render() is None


async def test_what_memory_dropped_is_not_replayed(world: Any) -> None:
    """F2: a replay holds no candles of its own."""
    replay = await replay_of(world, AAPL)
    world.app.lifecycle.cache._memory.drop_ticker("AAPL")
    assert replay.render() is None
