"""What was fetched once is not fetched again: in any order, for any overlap, by any process."""

from __future__ import annotations

import tracemalloc
from datetime import date
from itertools import pairwise, permutations
from typing import TYPE_CHECKING

import pytest

from ohlcache.domain.answer import IN_MEMORY
from ohlcache.domain.market_time import midnight_utc
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.span import Span
from ohlcache.ports import Metric
from ohlcache.service.read_through import memory_key
from ohlcache.testing import Market
from ohlcache.testing.market import Stock
from service.world import CALENDAR, MONDAY_9_PM

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.world import World

pytestmark = pytest.mark.asyncio

COPIES_MAX = 12


@pytest.mark.parametrize("order", list(permutations(["1W", "1M", "3M", "1Y"])), ids="-".join)
async def test_one_call_for_four_ranges_in_any_order(cache: Callable[..., World], order: tuple[str, ...]) -> None:
    """T1: 1W, 1M, 3M and 1Y cost one vendor call together, whichever comes first."""
    world = cache()
    for name in order:
        served = await world.ask(range=name)
        assert served.answer.certificate.complete
        assert served.answer.candles == world.truth("AAPL", Resolution.DAY, served.answer.request.span)
    assert world.calls == 1


@pytest.mark.parametrize("adjust", ["none", "splits"])
@pytest.mark.parametrize("resolution", ["D", "60"])
async def test_paging_back_costs_a_call_a_year(cache: Callable[..., World], adjust: str, resolution: str) -> None:
    """T1: whoever scrolls month by month through four years fetches a year of days at a time, for the ledger too."""
    world = cache()
    for month in reversed(range(48)):
        start = date(2020 + month // 12, 1 + month % 12, 1)
        wishes = {"start_date": start.isoformat(), "end_date": start.replace(day=28).isoformat()}
        await world.ask(**wishes, adjust=adjust, resolution=resolution)
    daily = [call.span for call in world.vendor.calls if call.series.resolution.is_daily]
    assert len(daily) <= (5 if resolution == "D" or adjust == "splits" else 0)
    assert all(newer.start > older.end for newer, older in pairwise(daily))


async def test_the_next_day_costs_the_missing_session(cache: Callable[..., World]) -> None:
    """A1, C11: on the next evening one call fetches one session, and yesterday's answer is not served."""
    world = cache()
    await world.ask(range="1Y")
    world.clock.set("2024-06-05T01:00:00Z")
    served = await world.ask(range="1Y")
    assert world.calls == 2
    assert world.vendor.calls[-1].span == Span(date(2024, 6, 4), date(2024, 6, 4))
    assert served.answer.request.span.end == date(2024, 6, 4)
    assert served.answer.certificate.complete


async def test_what_expires_costs_no_call_of_its_own(cache: Callable[..., World]) -> None:
    """T1, C11: half a year of evenings with candles kept for ninety days: one call each, not one more for what expires."""
    world = cache("2023-12-30T01:00:00Z", retention_days=90)
    await world.ask(range="1Y")
    evenings = CALENDAR.between(Span(date(2024, 1, 2), date(2024, 7, 12)))
    for number, day in enumerate(evenings.dates()):
        # Twice in the evening, now a little earlier, now later than what expires, and in the morning, in New York.
        for hours in (25.1 + number * 37 % 50 / 60, 26.5, 38.0):
            world.clock.set(float(midnight_utc(day.toordinal()) + hours * 3600))
            served = await world.ask(range="1Y")
            assert served.answer.certificate.complete, day
            assert served.answer.candles == world.truth("AAPL", Resolution.DAY, served.answer.request.span)
    assert world.calls == 1 + len(evenings)
    assert sum(call.rows for call in world.vendor.calls) < 10 * 253  # not half a year every evening


async def test_tiers_answer_in_their_order(cache: Callable[..., World]) -> None:
    """T1, T7, F3, E15: vendor, then memory; after a restart the store, then memory again."""
    world = cache()
    tiers = [(await world.ask(range="1M")).tier for _ in range(2)]
    await world.restart()
    tiers += [(await world.ask(range="1M")).tier for _ in range(2)]
    assert tiers == ["tiingo", IN_MEMORY, "memory", IN_MEMORY]
    assert world.calls == 1


async def test_every_tier_gives_the_same_to_the_bit(cache: Callable[..., World]) -> None:
    """B1, B3, B4, B6, B7, B11, B12, C12, D9: prices, volumes above 2^31, order and times are those of the vendor."""
    world = cache()
    span = Span(date(2024, 5, 28), date(2024, 6, 3))
    wishes = {"start_date": str(span.start), "end_date": str(span.end), "adjust": "none"}
    for resolution in (Resolution.DAY, Resolution.MINUTES_5):
        truth = world.truth("SPY", resolution, span)
        for _ in range(3):
            answers = [(await world.ask("SPY", resolution=resolution.value, **wishes)).answer for _ in range(2)]
            assert all(answer.candles == truth for answer in answers)
            assert answers[0].certificate.count == answers[0].certificate.expected == len(truth)
            await world.restart()
    assert int(world.truth("SPY", Resolution.DAY, span).volume.max()) > 2**31
    assert world.calls == 2


async def test_resolutions_and_tickers_are_apart(cache: Callable[..., World]) -> None:
    """A2, D11, F4, G6, G7: each ticker and each resolution is its own series."""
    world = cache()
    for ticker in ("F", "GOOGL", "META", "BRK-B"):
        daily = await world.ask(ticker, range="1W", adjust="none")
        minutes = await world.ask(ticker, range="1W", resolution="60", adjust="none")
        assert daily.answer.candles == world.truth(
            daily.answer.request.ticker, Resolution.DAY, daily.answer.request.span
        )
        assert minutes.answer.candles == world.truth(
            daily.answer.request.ticker, Resolution.HOUR, daily.answer.request.span
        )
    assert world.calls == 8


async def test_an_intraday_miss_reaches_as_far_as_one_slice(cache: Callable[..., World]) -> None:
    """T1: a week of minutes fetched once also answers the month that one slice holds."""
    world = cache()
    await world.ask(range="1W", resolution="5", adjust="none")
    await world.ask(range="1M", resolution="5", adjust="none")
    await world.ask(range="3M", resolution="5", adjust="none")
    assert world.calls == 1


async def test_a_long_span_is_asked_in_slices(cache: Callable[..., World]) -> None:
    """G16: a year of five minutes takes as few calls as the vendor's limit allows, and is complete."""
    world = cache()
    served = await world.ask(range="1Y", resolution="5", adjust="none")
    assert served.answer.candles == world.truth("AAPL", Resolution.MINUTES_5, served.answer.request.span)
    assert served.answer.certificate.complete
    assert world.calls == 3  # 251 sessions of 78 candles, 102 sessions to a slice of 8,000
    assert all(call.rows <= 8000 for call in world.vendor.calls)


async def test_five_years_of_days(cache: Callable[..., World]) -> None:
    """G13: five years daily is one call and complete."""
    world = cache()
    served = await world.ask(range="5Y", adjust="none")
    assert served.answer.candles == world.truth("AAPL", Resolution.DAY, served.answer.request.span)
    assert served.answer.certificate.expected == served.answer.certificate.count > 1250
    assert world.calls == 1


async def test_adjusted_minutes_use_the_ledger_of_the_days(cache: Callable[..., World]) -> None:
    """G12: minutes before a split are divided by it; the daily series says so."""
    world = cache("2020-09-02T01:00:00Z")
    wishes = {"start_date": "2020-08-28", "end_date": "2020-09-01", "resolution": "60"}
    raw = (await world.ask(adjust="none", **wishes)).answer
    split = (await world.ask(**wishes)).answer
    before = raw.days < date(2020, 8, 31).toordinal()
    assert before.any()
    assert split.candles.close[before].tolist() == (raw.candles.close[before] / 4).tolist()
    assert split.candles[~before] == raw.candles[~before]


async def test_statistics_are_true(cache: Callable[..., World]) -> None:
    """F6: every look-up is a hit or a miss, and every answered request is counted under its tier."""
    world = cache()
    for name in ("1W", "1W", "1M", "1W"):
        await world.ask(range=name)
    status = world.first.cache.status()
    assert (status.memory.hits, status.memory.misses, status.memory.entries) == (2, 2, 2)
    telemetry = world.first.telemetry
    counted = {tier: telemetry.total(Metric.REQUESTS, tier=tier) for tier in ("tiingo", "memory", IN_MEMORY)}
    assert counted == {"tiingo": 1, "memory": 1, IN_MEMORY: 2}
    assert status.calls_saved == 3
    assert status.quota.calls == 1
    assert (status.source, status.store, status.breaker.state) == ("tiingo", "memory", "closed")


async def test_a_scan_does_not_push_out_what_is_used(cache: Callable[..., World]) -> None:
    """F2, F11: what was asked twice survives a scan; what was pushed out comes from the store, not the vendor."""
    world = cache(MONDAY_9_PM, memory_entries=5)
    for ticker in ("AAPL", "AAPL", "IBM", "MSFT", "F", "GOOGL", "META", "SPY"):
        await world.ask(ticker, range="1W")
    assert (await world.ask("AAPL", range="1W")).tier == IN_MEMORY
    assert (await world.ask("IBM", range="1W")).tier == "memory"
    assert world.calls == 7
    assert world.first.memory.statistics().evictions > 0


async def test_a_backfill_keeps_nothing_in_memory(cache: Callable[..., World]) -> None:
    """T1: a backfill fills the store once; asking afterwards calls nobody."""
    world = cache()
    span = Span(date(2024, 1, 2), date(2024, 6, 3))
    done = await world.clock.drive(world.first.cache.backfill("aapl", Resolution.DAY, span))
    assert (done.ticker, done.vendor_calls, done.sessions) == ("AAPL", 1, done.candles)
    assert world.first.memory.statistics().entries == 0
    again = await world.clock.drive(world.first.cache.backfill("AAPL", Resolution.DAY, span))
    assert again.vendor_calls == 0
    assert (await world.ask(start_date=span.start, end_date=span.end)).tier == "memory"


@pytest.mark.parametrize(("resolution", "candles"), [("D", 1), ("60", 7), ("5", 78)])
async def test_one_day_is_one_session(cache: Callable[..., World], resolution: str, candles: int) -> None:
    """G14, G15: start = end is that session whole, and 1D in the evening is today's."""
    world = cache()
    day = date(2024, 5, 30)
    served = await world.ask(start_date=day, end_date=day, resolution=resolution, adjust="none")
    assert served.answer.candles == world.truth("AAPL", Resolution(resolution), Span(day, day))
    assert served.answer.certificate.expected == served.answer.certificate.count == candles
    today = await world.ask(range="1D", resolution=resolution, adjust="none")
    assert set(today.answer.days.tolist()) == {date(2024, 6, 3).toordinal()}
    assert len(today.answer.candles) == candles


async def test_a_new_name_is_a_new_series(cache: Callable[..., World]) -> None:
    """G9: FB ended when META began to trade; the vendor keeps all of it under META, and neither is told as the other."""
    renamed, listed = date(2022, 6, 9), date(2012, 5, 18)
    stocks = {
        "META": Stock("Meta Platforms Inc.", listed=listed),
        "FB": Stock("Facebook Inc.", listed=listed, delisted=date(2022, 6, 8)),
    }
    world = cache(market=Market(stocks=stocks))
    wishes = {"start_date": "2022-05-02", "end_date": "2022-07-29", "adjust": "none"}
    meta = (await world.ask("META", **wishes)).answer
    assert meta.candles == world.truth("META", Resolution.DAY, meta.request.span)
    assert meta.certificate.count == meta.certificate.expected
    old = (await world.ask("FB", **wishes)).answer
    assert old.candles == world.truth("FB", Resolution.DAY, old.request.span)
    assert old.days.max() < renamed.toordinal() <= meta.days.max()
    assert old.certificate.complete
    assert old.certificate.known_empty == int((meta.days >= renamed.toordinal()).sum())
    assert old.candles != meta.candles[: len(old.candles)]


async def test_a_hundred_thousand_candles_in_bounded_memory(cache: Callable[..., World]) -> None:
    """E12: a year of minutes is fetched in slices and answered with no more than some copies of itself in memory."""
    world = cache(memory_bytes=3 << 20)
    year = Span(date(2023, 5, 30), date(2024, 6, 3))
    truth = world.truth("AAPL", Resolution.MINUTE, year)
    size = sum(column.nbytes for column in truth.columns())
    assert len(truth) > 99_000
    tracemalloc.start()
    try:
        served = await world.ask(start_date=year.start, end_date=year.end, resolution="1", adjust="none")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert served.answer.candles == truth
    assert peak < COPIES_MAX * size
    assert world.first.memory.statistics().bytes <= 3 << 20


async def test_a_hit_is_read_at_half_the_price(cache: Callable[..., World]) -> None:
    """S2: reads are eventually consistent until a lease is won, and only the one after that is strong."""
    world = cache()
    await world.ask(range="1M", adjust="none")
    assert world.first.store.strong_reads == 1
    other = world.other()
    assert (await other.ask(range="1M", adjust="none")).tier == "memory"
    assert (other.store.strong_reads, other.store.asked["read"]) == (0, 1)


async def test_what_is_counted_late_is_counted(cache: Callable[..., World]) -> None:
    """F6: hits that were answered from their bytes show in the statistics once they are settled."""
    world = cache()
    process = world.first
    request = process.request(range="1M")
    await process.ask(range="1M")
    for _ in range(3):
        assert process.cache.again(memory_key(request), world.clock.now()) is not None
    status = process.cache.status()
    assert status.calls_saved == 3
    assert process.telemetry.total(Metric.REQUESTS, tier=IN_MEMORY) == 3
    assert process.cache.again("nothing", world.clock.now()) is None
    assert process.cache.status().calls_saved == 3
