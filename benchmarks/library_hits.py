"""A library hit in memory, against awaiting a coroutine that does nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import ohlcache
from benchmarks.measure import in_turns, in_turns_awaiting, median, quiet, quiet_awaits, ratio
from benchmarks.table import Row

if TYPE_CHECKING:
    from collections.abc import Awaitable

ABOVE_MICROSECONDS_MAX = 0.5


async def nothing(ticker: str, range: str | None = None) -> str:  # noqa: A002 - called as the cache is
    """Do nothing, as a coroutine."""
    del range
    return ticker


def nothing_at_once(ticker: str, range: str | None = None) -> str:  # noqa: A002 - called as the cache is
    """Do nothing."""
    del range
    return ticker


def run() -> list[Row]:
    """Measure the coroutine and the plain call."""
    return [asyncio.run(_awaited()), _plain()]


async def _awaited() -> Row:
    async with ohlcache.connect(source="sample", store="memory") as cache:
        for _ in range(3):
            await cache.get("AAPL", "1Y")

        def hit() -> Awaitable[float]:
            return quiet_awaits(lambda: cache.get("AAPL", "1Y"))

        def bare() -> Awaitable[float]:
            return quiet_awaits(lambda: nothing("AAPL", "1Y"))

        hits, bares = await in_turns_awaiting([hit, bare])
    return _row("Library hit, await cache.get", hits, bares, "a bare await", ABOVE_MICROSECONDS_MAX)


def _plain() -> Row:
    with ohlcache.connect_sync(source="sample", store="memory") as cache:
        for _ in range(3):
            cache.get("AAPL", "1Y")
        hits, bares = in_turns(
            [lambda: quiet(lambda: cache.get("AAPL", "1Y")), lambda: quiet(lambda: nothing_at_once("AAPL", "1Y"))]
        )
    return _row("Library hit, connect_sync", hits, bares, "a bare call")


def _row(name: str, hits: list[float], bares: list[float], against: str, limit: float | None = None) -> Row:
    above = median([hit - bare for hit, bare in zip(hits, bares, strict=True)]) * 1e6
    return Row(
        name,
        f"{median(hits) * 1e6:.2f} µs, {above:.2f} µs above",
        f"{against}: {median(bares) * 1e6:.2f} µs",
        ratio(hits, bares),
        better="lower",
        target="" if limit is None else f"<= {limit} µs above",
        met=None if limit is None else above <= limit,
    )
