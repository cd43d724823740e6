"""A vendor adapter with the fake of its API at the other end of a real socket."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from ohlcache.adapters.vendors.finnhub import FinnhubVendor
from ohlcache.adapters.vendors.tiingo import TiingoVendor
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.series import Series
from ohlcache.domain.span import Span
from ohlcache.testing import FakeClock, FakeVendors, Market, RecordingTelemetry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ohlcache.adapters.vendors.vendor_http import HttpPool
    from ohlcache.ports import CandleVendor

RECORDED = Path(__file__).parents[1] / "data" / "recorded"
KEY = "k3y-that-must-not-show"
EVENING = "2024-06-14T22:00:00Z"
"""A Friday, 18:00 in New York: everything of the day is out."""
TIMEOUT_SECONDS = 5.0


class RotatingKey:
    """A key that changes when it is asked for anew."""

    def __init__(self, *keys: str) -> None:
        self.keys = list(keys)
        self.refreshed = 0

    async def get(self, *, refresh: bool = False) -> str:
        if refresh:
            self.refreshed += 1
            if len(self.keys) > 1:
                self.keys.pop(0)
        return self.keys[0]


@dataclass
class Rig:
    vendor: CandleVendor
    fake: FakeVendors
    clock: FakeClock
    telemetry: RecordingTelemetry
    market: Market
    key: RotatingKey


MARKET = Market(seed=7)
"""Shared: it is deterministic, and what it has made once it keeps."""


@asynccontextmanager
async def rig(
    name: str,
    *keys: str,
    now: str = EVENING,
    timeout_seconds: float = TIMEOUT_SECONDS,
    calls_per_hour: int | None = None,
    pool: HttpPool | None = None,
) -> AsyncIterator[Rig]:
    clock, telemetry, key = FakeClock(now), RecordingTelemetry(), RotatingKey(*(keys or (KEY,)))
    async with FakeVendors(MARKET, clock) as fake:
        if name == "tiingo":
            vendor: CandleVendor = TiingoVendor(
                base_url=fake.tiingo_url,
                key=key,
                clock=clock,
                telemetry=telemetry,
                timeout_seconds=timeout_seconds,
                calls_per_hour=calls_per_hour,
                pool=pool,
            )
        else:
            vendor = FinnhubVendor(
                base_url=fake.finnhub_url,
                key=key,
                clock=clock,
                telemetry=telemetry,
                timeout_seconds=timeout_seconds,
                calls_per_hour=calls_per_hour,
                pool=pool,
            )
        try:
            yield Rig(vendor, fake, clock, telemetry, MARKET, key)
        finally:
            await vendor.close()


def series(ticker: str, source: str, resolution: Resolution = Resolution.DAY) -> Series:
    return Series(ticker, source, resolution)


def span(first: str, last: str) -> Span:
    return Span(date.fromisoformat(first), date.fromisoformat(last))


JUNE = span("2024-06-03", "2024-06-14")
