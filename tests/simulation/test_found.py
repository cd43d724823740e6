"""What seeds have found, told in a few lines each: a seed means another run once the script changes, a test does not."""

from __future__ import annotations

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

if TYPE_CHECKING:
    from ohlcache.domain.series import Series
    from ohlcache.domain.span import Span

TUESDAY_MORNING = "2024-06-04T14:00:00Z"


async def _no_minutes(series: Series, span: Span) -> None:
    if series.resolution is not Resolution.DAY:
        raise VendorUnavailable("The vendor has no minutes at the moment.")


@pytest.mark.asyncio
async def test_a_daily_stand_in_does_not_answer_for_the_daily_range() -> None:
    """Before today's daily row is due, 1D of minutes is today and 1D of days is yesterday: one must not pass as the other."""
    clock, telemetry, store = FakeClock(TUESDAY_MORNING), RecordingTelemetry(), MemoryStore()
    market = Market()
    breaker = CircuitBreaker("memory_cache", clock=clock, telemetry=telemetry)
    cache = ReadThrough(
        calendar=market.calendar,
        clock=clock,
        telemetry=telemetry,
        store=GuardedStore(store, store, breaker=breaker, telemetry=telemetry),
        vendors=[FakeVendor(market, clock, before=_no_minutes)],
        memory=MemoryTier(entries_max=10, bytes_max=10_000_000),
        final_life_seconds=0.0,
    )
    stand_in = await cache.get(cache.parse("AAPL", range="1D", resolution="5"))
    assert stand_in.answer.fallback is not None
    daily = await cache.get(cache.parse("AAPL", range="1D", resolution="D"))
    assert len(daily.answer.candles) == len(stand_in.answer.candles) == 1
    await cache.close()
