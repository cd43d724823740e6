"""The close before an answer's candles: right, the same from every tier, and never worth a vendor call of its own."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ohlcache.domain.adjustment import Adjustment
from ohlcache.domain.baseline import Baseline, Split
from ohlcache.testing import FakeVendor, Fault, Market
from ohlcache.testing.fake_vendor import PRE_ADJUSTED_TRAITS
from ohlcache.testing.market import Stock
from service.world import CALENDAR, MARKET

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.world import World

pytestmark = pytest.mark.asyncio

LONG_AFTER = "2020-11-01T01:00:00Z"
SPLIT = date(2020, 8, 31)
"""AAPL, 4 for 1."""
IN_SESSION = "2024-06-04T15:00:00Z"


async def baseline(world: World, ticker: str = "AAPL", **wishes: Any) -> Baseline:
    return (await world.ask(ticker, **wishes)).answer.baseline


async def close_before(world: World, start: date, **wishes: Any) -> float:
    """Return the last close before ``start`` in a wider answer."""
    wide = (await world.ask(start_date=start - timedelta(days=10), end_date=start, **wishes)).answer
    return float(wide.candles.close[wide.days < start.toordinal()][-1])


@pytest.mark.parametrize("adjust", list(Adjustment))
@pytest.mark.parametrize("resolution", ["D", "60", "1"])
@pytest.mark.parametrize("start", [SPLIT, date(2020, 8, 30), date(2020, 9, 8), date(2020, 10, 1)])
async def test_it_is_the_last_close_of_a_wider_answer(
    cache: Callable[..., World], start: date, resolution: str, adjust: str
) -> None:
    """Fetched, held, in memory, or left by a wider request: on the scale of the candles, with one call at most."""
    wishes = {"start_date": start, "end_date": start + timedelta(days=9), "resolution": resolution, "adjust": adjust}
    other = cache(LONG_AFTER)
    expected = await close_before(other, start, resolution=resolution, adjust=adjust)
    assert (await baseline(other, **wishes)).previous_close == expected
    world = cache(LONG_AFTER)
    fetched = await baseline(world, **wishes)
    assert fetched.previous_close == expected
    calls = world.calls
    assert calls == (1 if resolution == "D" or adjust == "none" else 2)
    assert await baseline(world, **wishes) == fetched
    await world.restart()
    assert await baseline(world, **wishes) == fetched
    assert world.calls == calls


@pytest.mark.parametrize("name", ["1D", "1W", "1M", "3M", "6M", "1Y", "5Y", "YTD"])
async def test_every_range_has_it_whatever_was_asked_first(cache: Callable[..., World], name: str) -> None:
    """After any other range of the day, its store gives what an empty one gives."""
    fresh = await baseline(cache(), range=name)
    assert fresh.previous_close is not None
    for earlier in ("1D", "1Y", "5Y"):
        world = cache()
        await world.ask(range=earlier)
        assert await baseline(world, range=name) == fresh


async def test_no_call_is_made_for_it_alone(cache: Callable[..., World]) -> None:
    """Before the first session that is held it is not known, and the answer is a hit all the same."""
    world = cache()
    week = await world.ask(range="1W")
    first = date.fromordinal(int((await world.chunks())[0].holding.coverage.days[0]))
    calls = world.calls
    held = await world.ask(start_date=first, end_date=week.answer.request.span.end)
    assert (held.tier, world.calls) == ("memory", calls)
    assert held.answer.certificate.complete
    assert held.answer.baseline.previous_close is None
    after = CALENDAR.next_after(first)
    assert after is not None
    assert (await baseline(world, start_date=after)).previous_close == held.answer.candles.close[0]
    assert world.calls == calls


@pytest.mark.parametrize("resolution", ["D", "60"])
async def test_a_halt_is_looked_across(cache: Callable[..., World], resolution: str) -> None:
    """HALT did not trade from 6 to 8 May 2024: what Thursday is compared with is Friday's close."""
    world = cache()
    wishes = {"end_date": "2024-05-10", "resolution": resolution}
    assert (await world.ask("HALT", start_date="2024-05-02", **wishes)).answer.certificate.known_empty == 3
    friday = (await world.ask("HALT", start_date="2024-05-03", **wishes)).answer
    thursday = await baseline(world, "HALT", start_date="2024-05-09", **wishes)
    assert thursday.previous_close == friday.candles.close[friday.days == friday.days[0]][-1]


async def test_within_a_session_it_is_the_last_bar_of_the_one_before(cache: Callable[..., World]) -> None:
    """One call, as without it; whether the stock was split today is not known before today's row is out."""
    world = cache(IN_SESSION)
    today = await baseline(world, range="1D", resolution="5")
    assert world.calls == 1
    week = (await world.ask(range="1W", resolution="5")).answer
    monday = week.days == date(2024, 6, 3).toordinal()
    assert today == Baseline(previous_close=float(week.candles.close[monday][-1]), unadjusted_splits=None)
    world.clock.set("2024-06-04T21:45:00Z")
    assert await baseline(world, range="1D", resolution="5") == Baseline(today.previous_close, unadjusted_splits=())


async def test_splits_that_prices_are_not_adjusted_for_are_named(cache: Callable[..., World]) -> None:
    """G12: those after the session before and through the last one; none of prices that are adjusted."""
    world = cache(LONG_AFTER)

    async def splits(start: str, end: str, adjust: str = "none", resolution: str = "D") -> tuple[Split, ...] | None:
        wishes = {"start_date": start, "end_date": end, "adjust": adjust, "resolution": resolution}
        return (await baseline(world, **wishes)).unadjusted_splits

    assert await splits("2020-08-31", "2020-09-04") == (Split(SPLIT, 4.0),)
    assert await splits("2020-08-03", "2020-08-31") == (Split(SPLIT, 4.0),)
    assert await splits("2020-08-03", "2020-08-28") == ()
    assert await splits("2020-09-01", "2020-09-04") == ()
    assert await splits("2020-08-31", "2020-09-04", "splits") == ()
    assert await splits("2020-08-31", "2020-09-04", "all", "60") == ()
    assert await splits("2020-09-08", "2020-09-11", "none", "60") is None, "raw minutes have no ledger"


@pytest.mark.parametrize("resolution", ["D", "60"])
async def test_before_a_listing_there_is_none(cache: Callable[..., World], resolution: str) -> None:
    """G11: the first session is named where nothing was before it; the day after has a close before it."""
    world = cache()
    listed = date(2024, 3, 21)
    for wishes in ({"start_date": "2024-03-01"}, {"start_date": listed}, {"range": "YTD"}):
        expected = Baseline(previous_close=None, listed_on=listed, unadjusted_splits=())
        assert await baseline(world, "NEWCO", resolution=resolution, **wishes) == expected
    after = await baseline(world, "NEWCO", start_date="2024-03-22", resolution=resolution)
    assert after.previous_close is not None
    assert after.listed_on is None
    assert (await baseline(world, "AAPL", range="YTD", resolution=resolution)).listed_on is None


@pytest.mark.parametrize("start", ["2004-08-19", "2004-08-20"])
async def test_everything_since_a_listing_is_one_call(cache: Callable[..., World], start: str) -> None:
    """T1: that there is nothing in the days before, which were not asked for, is not worth a call."""
    world = cache()
    served = await world.ask("GOOGL", start_date=start)
    assert world.calls == 1
    assert served.answer.certificate.complete
    assert (served.answer.baseline.previous_close is None) == (start == "2004-08-19")
    assert await baseline(await world.restart(), "GOOGL", start_date=start) == served.answer.baseline  # type: ignore[arg-type]
    assert world.calls == 1


async def test_a_source_of_two_scales_does_not_mix_them(cache: Callable[..., World]) -> None:
    """Finnhub's days are adjusted and its minutes raw: each is compared with a close of its own series."""
    vendor = FakeVendor(MARKET, None, name="finnhub", traits=PRE_ADJUSTED_TRAITS)  # type: ignore[arg-type]
    world = cache(LONG_AFTER, vendors=[vendor])
    wishes = {"start_date": SPLIT, "end_date": "2020-09-02"}
    raw = await close_before(world, SPLIT, resolution="60")
    assert await baseline(world, resolution="60", **wishes) == Baseline(previous_close=raw, unadjusted_splits=None)
    assert await baseline(world, **wishes) == Baseline(previous_close=raw / 4, unadjusted_splits=())


async def test_a_stale_answer_keeps_it(cache: Callable[..., World]) -> None:
    """A vendor that is down hides no close that is held."""
    world = cache()
    fresh = await baseline(world, start_date="2024-05-28")
    world.clock.set("2024-06-05T01:00:00Z")
    world.vendor.faults.set(Fault.SERVER_ERROR)
    served = await world.ask(start_date="2024-05-28")
    assert served.answer.stale
    assert served.answer.baseline.previous_close == fresh.previous_close is not None


async def test_an_answer_without_candles_has_none(cache: Callable[..., World]) -> None:
    """G1: nothing is compared on a weekend."""
    world = cache()
    await world.ask(range="1M")
    assert await baseline(world, start_date="2024-06-01", end_date="2024-06-02") == Baseline()


async def test_a_split_of_today_is_named_when_its_row_is_out(cache: Callable[..., World]) -> None:
    """At 17:31 a vendor that is late has said nothing of today; an hour later it has."""
    today = date(2024, 6, 4)
    stocks = {"SPLT": Stock("Split Today", splits=((today, 2.0),))}
    world = cache("2024-06-04T21:31:00Z", market=Market(stocks=stocks, late_seconds=1800))
    wishes = {"range": "1D", "resolution": "60"}
    early = await baseline(world, "SPLT", **wishes)
    assert early.unadjusted_splits is None
    assert early.previous_close is not None
    world.clock.set("2024-06-05T01:00:00Z")
    assert await baseline(world, "SPLT", **wishes) == Baseline(early.previous_close / 2, unadjusted_splits=())
