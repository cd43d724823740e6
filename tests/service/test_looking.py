"""Looking without asking for candles: what a backfill brought, how long a ticker has lived, what an answer is made of."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest

from ohlcache.domain.coverage import SessionState
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.span import Span
from ohlcache.service.offers import adjustment_of, serves
from ohlcache.testing.fake_vendor import PRE_ADJUSTED_TRAITS, RAW_TRAITS

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.world import World

pytestmark = pytest.mark.asyncio


async def test_a_backfill_counts_what_it_was_asked_for(cache: Callable[..., World]) -> None:
    """Sessions and candles of the span, though a fetch reaches further; nothing the second time."""
    world = cache()
    may = Span(date(2024, 5, 1), date(2024, 5, 31))
    for calls in (1, 0):
        done = await world.clock.drive(world.first.cache.backfill("aapl", Resolution.DAY, may))
        assert (done.ticker, done.vendor_calls, done.sessions, done.candles) == ("AAPL", calls, 22, 22)
    minutes = await world.clock.drive(world.first.cache.backfill("AAPL", Resolution.HOUR, may))
    assert (minutes.sessions, minutes.candles) == (22, 22 * 7)


async def test_a_listing_is_the_sources(cache: Callable[..., World]) -> None:
    """The ticker's first and last date, in any spelling of it; None of one that nobody knows."""
    world = cache()
    assert await world.first.cache.listing("brk-b") == world.market.listing("BRK.B", world.clock.now())
    assert await world.first.cache.listing("NOPE") is None


async def test_the_status_says_what_is_derived(cache: Callable[..., World]) -> None:
    """Whoever offers choices learns which candles are no market's, and how each can be adjusted."""
    world = cache(traits=replace(RAW_TRAITS, synthetic=frozenset({Resolution.HOUR})))
    offered = world.first.cache.status().resolutions
    assert {resolution for resolution, facts in offered.items() if facts.synthetic} == {Resolution.HOUR}
    assert all(facts.adjustments == RAW_TRAITS.adjustments[resolution] for resolution, facts in offered.items())
    assert (await world.ask(range="1W", resolution="60")).answer.synthetic
    assert not (await world.ask(range="1W")).answer.synthetic


async def test_raw_candles_come_only_when_wanted(cache: Callable[..., World]) -> None:
    """An answer holds its candles once; it is new the moment it was fetched."""
    world = cache()
    served = await world.ask(range="1M")
    assert served.answer.raw is None
    assert served.age_seconds == (await world.ask(range="1M")).age_seconds == 0.0


async def test_closing_lets_everything_end(cache: Callable[..., World]) -> None:
    """F.6: hits that were not counted yet are, and store and vendors are released."""
    world = cache()
    await world.ask(range="1M")
    process = world.first
    await process.close()
    assert world.vendor.closed


async def test_what_a_vendor_offers(cache: Callable[..., World]) -> None:
    """A resolution that is absent is not served, whatever adjustment is asked for."""
    world = cache(traits=PRE_ADJUSTED_TRAITS)
    daily = world.first.request("AAPL", range="1M")
    assert serves(world.vendor, daily)
    assert adjustment_of(world.vendor, daily) == PRE_ADJUSTED_TRAITS.adjustments[Resolution.DAY][0]
    assert not serves(world.vendor, world.first.request("AAPL", range="1M", adjust="all"))
    world.vendor.traits = type(PRE_ADJUSTED_TRAITS)(limits={}, adjustments={})
    assert not serves(world.vendor, daily)


async def test_states_are_what_is_stored() -> None:
    """The numbers stand in every stored chunk: they never change."""
    assert {state.name: int(state) for state in SessionState} == {
        "FINAL": 1,
        "FORMING": 2,
        "KNOWN_EMPTY": 3,
        "UNLISTED": 4,
        "REJECTED": 5,
    }
