"""What seeds have found, told in a few lines each: a seed means another run once the script changes, a test does not."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from ohlcache.adapters.stores.memory import MemoryStore
from ohlcache.domain.errors import VendorUnavailable
from ohlcache.domain.resolution import Resolution
from ohlcache.service.circuit_breaker import CircuitBreaker
from ohlcache.service.guarded_store import GuardedStore
from ohlcache.service.memory_tier import MemoryTier
from ohlcache.service.read_through import ReadThrough
from ohlcache.testing import FakeClock, FakeVendor, Market, RecordingTelemetry
from ohlcache.testing.market import Stock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ohlcache.domain.series import Series
    from ohlcache.domain.span import Span

TUESDAY_MORNING = "2024-06-04T14:00:00Z"


async def _no_minutes(series: Series, span: Span) -> None:
    if series.resolution is not Resolution.DAY:
        raise VendorUnavailable("The vendor has no minutes at the moment.")


def _cache(clock: FakeClock, market: Market, before: Callable[[Series, Span], Awaitable[None]]) -> ReadThrough:
    telemetry, store = RecordingTelemetry(), MemoryStore()
    breaker = CircuitBreaker("memory_cache", clock=clock, telemetry=telemetry)
    return ReadThrough(
        calendar=market.calendar,
        clock=clock,
        telemetry=telemetry,
        store=GuardedStore(store, store, breaker=breaker, telemetry=telemetry),
        vendors=[FakeVendor(market, clock, before=before)],
        memory=MemoryTier(entries_max=10, bytes_max=10_000_000),
        final_life_seconds=0.0,
    )


@pytest.mark.asyncio
async def test_a_daily_stand_in_does_not_answer_for_the_daily_range() -> None:
    """Before today's daily row is due, 1D of minutes is today and 1D of days is yesterday: one must not pass as the other."""
    cache = _cache(FakeClock(TUESDAY_MORNING), Market(), _no_minutes)
    stand_in = await cache.get(cache.parse("AAPL", range="1D", resolution="5"))
    assert stand_in.answer.fallback is not None
    daily = await cache.get(cache.parse("AAPL", range="1D", resolution="D"))
    assert len(daily.answer.candles) == len(stand_in.answer.candles) == 1
    await cache.close()


@pytest.mark.asyncio
async def test_older_minutes_end_where_the_ledger_does() -> None:
    """G12: split on Thursday, days out of reach since Wednesday: Friday's minutes may not stand beside Wednesday's unadjusted."""
    wednesday, thursday, friday = date(2024, 6, 5), date(2024, 6, 6), date(2024, 6, 7)
    market = Market(stocks={"AAPL": Stock("Apple", price=200.0, splits=((thursday, 4.0),))})
    clock, down = FakeClock("2024-06-06T01:00:00Z"), []

    async def no_days(series: Series, span: Span) -> None:
        if down and series.resolution is Resolution.DAY:
            raise VendorUnavailable("The vendor has no days at the moment.")

    cache = _cache(clock, market, no_days)
    await cache.get(cache.parse("AAPL", range="1W", resolution="5"))
    clock.set("2024-06-08T01:00:00Z")
    down.append("days")
    answer = (await cache.get(cache.parse("AAPL", range="1W", resolution="5"))).answer
    assert answer.stale
    assert answer.certificate.missing == (thursday.isoformat(), friday.isoformat())
    assert answer.days[-1] == wednesday.toordinal()
    down.clear()
    clock.set("2024-06-08T01:00:06Z")
    whole = (await cache.get(cache.parse("AAPL", range="1W", resolution="5"))).answer
    assert whole.certificate.complete
    assert whole.candles.close[0] * 4 == answer.candles[answer.days >= whole.days[0]].close[0]
    await cache.close()
