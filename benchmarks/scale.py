"""10,000 tickers times five years of daily candles in one SQLite file, against 100: opening it, and hits in it.

The files are made once, through the store's own write, and kept under ``.build``.
"""

from __future__ import annotations

import asyncio
import random
import time
import zlib
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.measure import in_turns_awaiting, ratio
from benchmarks.processes import BUILD
from benchmarks.table import Row
from ohlcache.adapters import chunk_codec, decimal_prices, integer_columns
from ohlcache.adapters.calendar import load_xnys
from ohlcache.adapters.stores import sqlite_schema
from ohlcache.adapters.stores.sqlite import SqliteStore
from ohlcache.domain.adjustment import Actions
from ohlcache.domain.candles import Candles
from ohlcache.domain.chunks import cut
from ohlcache.domain.coverage import Coverage, Holding, SessionState
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.series import Series
from ohlcache.domain.span import Span
from ohlcache.library.cache import Cache
from ohlcache.service.circuit_breaker import CircuitBreaker
from ohlcache.service.guarded_store import GuardedStore
from ohlcache.service.memory_tier import MemoryTier
from ohlcache.service.read_through import ReadThrough
from ohlcache.testing import FakeClock, FakeVendor, Market, RecordingTelemetry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ohlcache.domain.chunks import Chunk
    from ohlcache.domain.sessions import Sessions

FEW, MANY = 100, 10_000
SPAN = Span(date(2019, 5, 1), date(2024, 6, 3))
MONDAY_9_PM = "2024-06-04T01:00:00Z"
"""Monday 3 June 2024, 21:00 in New York: everything of that day is final."""
TICKERS_PER_WRITE = 50
TRIES = 60
ROUNDS = 9
GROWTH_MAX = 1.5
WRITTEN_BY = (sqlite_schema, chunk_codec, integer_columns, decimal_prices)
"""The code that decides what is in the file."""


def run() -> list[Row]:
    """Build what is not there yet and measure."""
    return asyncio.run(_measured())


async def _measured() -> list[Row]:
    few, many = await _built(FEW), await _built(MANY)
    rows = [_row("Scale, opening the file", await in_turns_awaiting([_opening(few), _opening(many)], rounds=ROUNDS))]
    caches = [await _cache(few), await _cache(many)]
    for wanted in ("1Y", "5Y"):
        asking = [_asking(cache, count, wanted) for cache, count in zip(caches, (FEW, MANY), strict=True)]
        figures = await in_turns_awaiting(asking, rounds=ROUNDS)
        rows.append(_row(f"Scale, SQLite hit of {wanted} daily, any ticker", figures))
    for cache in caches:
        await cache.close()
    weights = few.stat().st_size / FEW, many.stat().st_size / MANY
    rows.append(
        Row(
            f"Scale, the file of {MANY:,} tickers x 5 years",
            f"{weights[1] * MANY / 1e6:,.0f} MB, {weights[1] / 1e3:.1f} KB a ticker",
            f"{FEW} tickers: {weights[0] / 1e3:.1f} KB a ticker",
            weights[1] / weights[0],
            better="lower",
        )
    )
    return rows


def _row(name: str, figures: list[list[float]]) -> Row:
    few, many = figures
    growth = ratio(many, few)
    return Row(
        name,
        f"{min(many) * 1e3:.2f} ms with {MANY:,} tickers",
        f"{min(few) * 1e3:.2f} ms with {FEW}",
        growth,
        better="lower",
        target=f"<= {GROWTH_MAX} x",
        met=growth <= GROWTH_MAX,
    )


def _opening(path: Path) -> Callable[[], Awaitable[float]]:
    async def measured() -> float:
        taken = []
        for _ in range(5):
            started = time.perf_counter()
            store = await _open(path)
            taken.append(time.perf_counter() - started)
            await store.close()
        return min(taken)

    return measured


def _asking(cache: Cache, count: int, wanted: str) -> Callable[[], Awaitable[float]]:
    order = random.Random(7)

    async def measured() -> float:
        taken = []
        for _ in range(TRIES):
            ticker = _ticker(order.randrange(count))
            started = time.perf_counter()
            table = await cache.get(ticker, wanted)
            taken.append(time.perf_counter() - started)
            assert table.provenance.tier == "sqlite", table.provenance
        # The quicker quarter: a first visit to a part of the file belongs to it as well as a second.
        return sorted(taken)[TRIES // 4]

    return measured


async def _open(path: Path) -> SqliteStore:
    return await SqliteStore.open(
        path, telemetry=RecordingTelemetry(), clock=FakeClock(MONDAY_9_PM), final_life_seconds=float("inf")
    )


async def _cache(path: Path) -> Cache:
    """Return a cache over the file whose memory keeps nothing and whose vendor knows nothing."""
    store, clock, telemetry = await _open(path), FakeClock(MONDAY_9_PM), RecordingTelemetry()
    return Cache(
        ReadThrough(
            calendar=load_xnys(),
            clock=clock,
            telemetry=telemetry,
            store=GuardedStore(
                store, store, breaker=CircuitBreaker("scale", clock=clock, telemetry=telemetry), telemetry=telemetry
            ),
            vendors=[FakeVendor(Market(stocks={}), clock)],
            memory=MemoryTier(entries_max=1, bytes_max=1),
            final_life_seconds=0,
        )
    )


async def _built(count: int) -> Path:
    """Return the file with ``count`` tickers, made now if there is none that this very code would write."""
    path = _path(count)
    if path.exists():
        return path
    unfinished = path.with_suffix(".unfinished")
    store = await _open(unfinished)
    sessions = load_xnys().between(SPAN)
    for first in range(0, count, TICKERS_PER_WRITE):
        numbers = range(first, min(first + TICKERS_PER_WRITE, count))
        await store.write([chunk for number in numbers for chunk in _chunks(number, sessions)])
    await store.close()
    return unfinished.rename(path)


def _path(count: int) -> Path:
    """Return where the file is or goes; what other code wrote is deleted."""
    code = [Path(module.__file__ or "").read_bytes() for module in WRITTEN_BY]
    path = BUILD / f"scale-{count}-{zlib.crc32(b''.join(code)):08x}.sqlite3"
    BUILD.mkdir(parents=True, exist_ok=True)
    for file in BUILD.glob(f"scale-{count}-*"):
        if file != path:
            file.unlink()
    return path


def _chunks(number: int, sessions: Sessions) -> list[Chunk]:
    """Return five years of a random walk in cents."""
    random_numbers = np.random.default_rng(number)
    length = len(sessions.days)
    close = np.maximum(500, 5_000 + np.cumsum(np.rint(random_numbers.normal(0, 60, length))))
    opened = np.maximum(100, close + np.rint(random_numbers.normal(0, 40, length)))
    high = np.maximum(opened, close) + np.rint(random_numbers.exponential(30, length))
    low = np.maximum(50, np.minimum(opened, close) - np.rint(random_numbers.exponential(30, length)))
    volume = random_numbers.lognormal(14, 0.5, length).astype(np.int64)
    candles = Candles(
        sessions.candle_opens(Resolution.DAY), *(column / 100 for column in (opened, high, low, close)), volume
    )
    observed_at = np.full(length, int(FakeClock(MONDAY_9_PM).now()), np.int64)
    coverage = Coverage(
        sessions.days.astype(np.int32),
        np.full(length, SessionState.FINAL, np.uint8),
        observed_at,
        np.ones(length, np.int32),
    )
    return cut(Series(_ticker(number), "tiingo", Resolution.DAY), Holding(coverage, candles, Actions.none()))


def _ticker(number: int) -> str:
    return f"T{number:05}"
