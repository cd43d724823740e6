"""A vendor outlives event loops: notebooks, scripts and serverless runtimes make a new one for each call."""

from __future__ import annotations

import asyncio
import subprocess
import sys

from adapters.vendor_rig import EVENING, JUNE, KEY, MARKET, series
from ohlcache.adapters.vendors.tiingo import TiingoVendor
from ohlcache.adapters.vendors.vendor_key import FixedKey
from ohlcache.testing import FakeClock, FakeVendors, RecordingTelemetry

# In a process of its own: a loop that ends with connections open is reported by the interpreter, and rightly so.
UNCLOSED = """
import asyncio
from datetime import date
from ohlcache.adapters.vendors.tiingo import TiingoVendor
from ohlcache.adapters.vendors.vendor_key import FixedKey
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.series import Series
from ohlcache.domain.span import Span
from ohlcache.testing import FakeClock, FakeVendors, RecordingTelemetry

clock = FakeClock("2024-06-14T22:00:00Z")
with FakeVendors(clock=clock) as fake:
    vendor = TiingoVendor(
        base_url=fake.tiingo_url, key=FixedKey("k"), clock=clock, telemetry=RecordingTelemetry(), timeout_seconds=5.0
    )
    span = Span(date(2024, 6, 3), date(2024, 6, 14))
    for _ in range(3):
        answer = asyncio.run(vendor.fetch(Series("AAPL", "tiingo", Resolution.DAY), span))
        print(len(answer.candles))
"""


def test_one_vendor_serves_one_loop_after_another() -> None:
    """F5, S9: closed with its loop, it opens again in the next one."""
    clock = FakeClock(EVENING)
    with FakeVendors(MARKET, clock) as fake:
        vendor = TiingoVendor(
            base_url=fake.tiingo_url,
            key=FixedKey(KEY),
            clock=clock,
            telemetry=RecordingTelemetry(),
            timeout_seconds=5.0,
        )

        async def fetch_and_close() -> int:
            count = len((await vendor.fetch(series("AAPL", "tiingo"), JUNE)).candles)
            await vendor.close()
            return count

        assert [asyncio.run(fetch_and_close()) for _ in range(3)] == [10, 10, 10]


def test_connections_of_a_loop_that_has_ended_are_not_used() -> None:
    """S9: whoever forgets to close is served all the same."""
    done = subprocess.run([sys.executable, "-c", UNCLOSED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["10", "10", "10"]
