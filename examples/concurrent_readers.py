"""Many readers at once, one vendor call: what a dashboard with fifty charts of one ticker costs.

Run it with ``python examples/concurrent_readers.py``; it brings its own vendor, with generated prices.
"""

# ruff: noqa: INP001, T201 - an example is run as it stands, and prints

from __future__ import annotations

import asyncio

import ohlcache
from ohlcache.testing import FakeVendors

READERS = 50


async def main() -> None:
    """Ask fifty times at once, then for every range that overlaps."""
    async with (
        FakeVendors(latency_seconds=0.2) as vendor,
        ohlcache.connect(
            source="tiingo", tiingo_api_key="anything", tiingo_base_url=vendor.tiingo_url, store="memory"
        ) as cache,
    ):
        await asyncio.gather(*(cache.get("AAPL", "1Y") for _ in range(READERS)))
        for name in ("1W", "1M", "3M", "6M", "YTD"):
            await cache.get("AAPL", name)
        print(f"{READERS + 5} questions, {len(vendor.calls)} vendor call")


if __name__ == "__main__":
    asyncio.run(main())
