"""200 tickers times 5 years of daily candles, at the pace of the vendor: against bare GETs of the same, and memory."""

from __future__ import annotations

import asyncio
import gc
import os
import tempfile
import time

import aiohttp

import ohlcache
from benchmarks.many_tickers import ticker_names
from benchmarks.measure import median
from benchmarks.processes import fake_vendors, resident_bytes
from benchmarks.table import Row

TICKERS = 200
BATCH = 20
"""Tickers that each side fills before it is the other's turn."""
GROWTH_MEGABYTES_MAX = 32
MEGABYTE = 1 << 20


def run() -> list[Row]:
    """Backfill, and weigh the process while it does."""
    return asyncio.run(_measured())


async def _measured() -> list[Row]:
    tickers = ticker_names(TICKERS)
    with fake_vendors("--tickers", str(TICKERS)) as url, tempfile.TemporaryDirectory() as folder:
        async with (
            ohlcache.connect(source="tiingo", tiingo_api_key="any", tiingo_base_url=url, data_dir=folder) as cache,
            aiohttp.ClientSession(headers={"Authorization": "Token any"}) as session,
        ):
            span = cache.parse("MSFT", "5Y").span
            dates = {"startDate": str(span.start), "endDate": str(span.end), "format": "json", "resampleFreq": "daily"}
            await _bare(session, url, tickers, dates)  # the vendor makes its market
            ours, theirs, weights, candles = [], [], [], 0
            for first in range(0, TICKERS, BATCH):
                batch = tickers[first : first + BATCH]
                theirs.append(await _bare(session, url, batch, dates))
                started = time.perf_counter()
                for ticker in batch:
                    candles += (await cache.backfill(ticker, "5Y")).candles
                ours.append(time.perf_counter() - started)
                gc.collect()
                weights.append(resident_bytes(os.getpid()))
    # The first batches fill pools and caches of a fixed size; what grows after them would grow on.
    growth = (weights[-1] - weights[1]) / MEGABYTE
    a_ticker = sum(ours) / TICKERS * 1e3
    above = median([mine - bare for mine, bare in zip(ours, theirs, strict=True)]) / BATCH * 1e3
    return [
        Row(
            f"Backfill of {TICKERS} tickers, 5Y daily ({candles:,} candles)",
            f"{sum(ours):.1f} s, {a_ticker:.1f} ms a ticker, {above:.1f} ms above",
            f"bare GETs of the same: {sum(theirs):.1f} s",
            median([mine / bare for mine, bare in zip(ours, theirs, strict=True)]),
            better="lower",
        ),
        Row(
            f"Backfill, memory from ticker {2 * BATCH} to ticker {TICKERS}",
            f"{growth:+.1f} MB on {weights[1] / MEGABYTE:.0f} MB",
            f"after {2 * BATCH} tickers",
            weights[-1] / weights[1],
            better="lower",
            target=f"<= {GROWTH_MEGABYTES_MAX} MB more",
            met=growth <= GROWTH_MEGABYTES_MAX,
        ),
    ]


async def _bare(session: aiohttp.ClientSession, url: str, tickers: list[str], dates: dict[str, str]) -> float:
    started = time.perf_counter()
    for ticker in tickers:
        async with session.get(f"{url}/tiingo/daily/{ticker}/prices", params=dates) as answer:
            assert answer.ok, answer.status
            await answer.read()
    return time.perf_counter() - started
