"""Bytes per candle: what real candles take in a SQLite file, against a row of six 8-byte columns for each."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.codec import SAMPLE, chunks_of
from benchmarks.table import Row
from ohlcache.adapters.calendar import load_xnys
from ohlcache.adapters.chunk_codec import encode
from ohlcache.adapters.clock import SystemClock
from ohlcache.adapters.stores.sqlite import SqliteStore
from ohlcache.testing import RecordingTelemetry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ohlcache.domain.chunks import Chunk

COPIES = 40
"""Tickers that the candles are stored under, so that the file's own pages do not count."""
BARE_BYTES = 48
DAILY_BYTES_MAX, FIVE_MINUTE_BYTES_MAX = 12, 9
FIVE_MINUTES = Path(__file__).parent / "data" / "SPY_5min.csv.gz"


def run() -> list[Row]:
    """Store what is recorded and look at the size of the file."""
    calendar = load_xnys()
    daily = [chunk for file in sorted(SAMPLE.glob("*.csv.gz")) for chunk in chunks_of(file, calendar)]
    fine = chunks_of(FIVE_MINUTES, calendar)
    return [
        _row("daily (11,611 of the sample)", daily, DAILY_BYTES_MAX),
        _row("5-minute (January 2011 of SPY)", fine, FIVE_MINUTE_BYTES_MAX),
    ]


def _row(name: str, chunks: Sequence[Chunk], limit: float) -> Row:
    candles = sum(len(chunk.holding.candles) for chunk in chunks)
    payload = sum(len(encode(chunk)) for chunk in chunks) / candles
    stored = asyncio.run(_stored_bytes(chunks)) / (candles * COPIES)
    return Row(
        f"Bytes per candle on disk, {name}",
        f"{stored:.2f} ({payload:.2f} in the chunks)",
        f"{BARE_BYTES} as six columns of 8 bytes",
        stored / BARE_BYTES,
        better="lower",
        target=f"<= {limit}",
        met=stored <= limit,
    )


async def _stored_bytes(chunks: Sequence[Chunk]) -> int:
    """Return by how much a database grows with ``COPIES`` times the chunks."""
    with tempfile.TemporaryDirectory() as folder:
        store = await SqliteStore.open(
            Path(folder) / "candles.sqlite3",
            telemetry=RecordingTelemetry(),
            clock=SystemClock(),
            final_life_seconds=float("inf"),
        )
        before = (await store.usage()).bytes
        for copy in range(COPIES):
            tickers = {chunk.series.ticker: f"T{copy}{chunk.series.ticker}"[:12] for chunk in chunks}
            await store.write(
                [replace(chunk, series=replace(chunk.series, ticker=tickers[chunk.series.ticker])) for chunk in chunks]
            )
        await store.vacuum()
        after = (await store.usage()).bytes
        await store.close()
    return after - before
