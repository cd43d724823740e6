"""A hit in the SQLite store with nothing in memory, against reading the same rows with sqlite3 in a thread.

``get`` is all that a caller waits for: parsing, reading, decoding with every check, merging, adjusting, certifying.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import ohlcache
from benchmarks.measure import in_turns_awaiting, quiet, quiet_awaits, ratio
from benchmarks.table import Row
from ohlcache.adapters.clock import SystemClock
from ohlcache.adapters.stores.sqlite import SqliteStore
from ohlcache.assembly import DATABASE_NAME
from ohlcache.domain.chunks import cell_start
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.series import Series
from ohlcache.testing import RecordingTelemetry

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from ohlcache.domain.span import Span

SHAPES = {"1Y daily": ("D", 0.3), "1Y of 5-minute": ("5", 3.0)}
"""Resolution, and how many milliseconds the whole may take."""
BATCHES = 15
CPU_TRIES = 60


def run() -> list[Row]:
    """Measure both shapes."""
    return asyncio.run(_measured())


async def _measured() -> list[Row]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        # A tier of one byte keeps nothing: every request goes to the store.
        async with ohlcache.connect(source="sample", store="sqlite", data_dir=folder, memory_bytes=1) as cache:
            store = await SqliteStore.open(
                Path(folder) / DATABASE_NAME,
                telemetry=RecordingTelemetry(),
                clock=SystemClock(),
                final_life_seconds=float("inf"),
            )
            for shape, (resolution, limit) in SHAPES.items():
                rows += await _shape(cache, store, Path(folder) / DATABASE_NAME, shape, resolution, limit)
            await store.close()
    return rows


async def _shape(
    cache: ohlcache.Cache, store: SqliteStore, path: Path, shape: str, resolution: str, limit: float
) -> list[Row]:
    request = cache.parse("AAPL", "1Y", resolution=resolution)
    series = Series("AAPL", "sample", Resolution(resolution))
    await cache.get("AAPL", "1Y", resolution=resolution)
    table = await cache.get("AAPL", "1Y", resolution=resolution)
    assert table.provenance.tier == "sqlite", table.provenance
    with closing(sqlite3.connect(path, check_same_thread=False)) as connection, ThreadPoolExecutor(1) as executor:
        loop = asyncio.get_running_loop()

        def select() -> list[tuple[bytes]]:
            return _payloads(connection, series, request.span)

        def get() -> Awaitable[float]:
            return quiet_awaits(lambda: cache.get("AAPL", "1Y", resolution=resolution), batches=BATCHES)

        def read() -> Awaitable[float]:
            return quiet_awaits(lambda: store.read(series, request.span), batches=BATCHES)

        def bare() -> Awaitable[float]:
            return quiet_awaits(lambda: loop.run_in_executor(executor, select), batches=BATCHES)

        gets, reads, bares = await in_turns_awaiting([get, read, bare])
        here = quiet(select)
        cpu = min([await _cpu_of(cache, resolution) for _ in range(CPU_TRIES)])
    against = f"SELECT of the same rows in a thread: {min(bares) * 1e3:.3f} ms ({here * 1e3:.3f} without the thread)"
    took = min(gets) * 1e3
    return [
        Row(
            f"SQLite hit, {shape}, whole get ({len(table)} candles)",
            f"{took:.3f} ms ({cpu * 1e3:.3f} ms CPU)",
            against,
            ratio(gets, bares),
            better="lower",
            target=f"<= {limit} ms",
            met=took <= limit,
        ),
        Row(
            f"SQLite hit, {shape}, store read and decode alone",
            f"{min(reads) * 1e3:.3f} ms",
            against,
            ratio(reads, bares),
            better="lower",
        ),
    ]


async def _cpu_of(cache: ohlcache.Cache, resolution: str) -> float:
    """Return the CPU seconds of one ``get``, the reading thread's included."""
    started = time.process_time()
    await cache.get("AAPL", "1Y", resolution=resolution)
    return time.process_time() - started


def _payloads(connection: sqlite3.Connection, series: Series, span: Span) -> list[tuple[bytes]]:
    first = f"{series.resolution}#{cell_start(span.start, series.resolution).isoformat()}"
    last = f"{series.resolution}#{span.end.isoformat()}#~"
    return connection.execute(
        "SELECT payload FROM chunks WHERE partition = ? AND name BETWEEN ? AND ? AND last_day >= ?",
        (f"{series.ticker}#{series.source}", first, last, span.start.isoformat()),
    ).fetchall()
