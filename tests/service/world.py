"""A small world: a market, a vendor, one store, and any number of processes that read through it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ohlcache.adapters.calendar import load_xnys
from ohlcache.adapters.stores.memory import MemoryStore
from ohlcache.domain.chunks import Chunk, cell_start
from ohlcache.domain.coverage import SessionState
from ohlcache.domain.market_time import DAY_SECONDS
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.series import Series
from ohlcache.service.circuit_breaker import CircuitBreaker
from ohlcache.service.guarded_store import GuardedStore
from ohlcache.service.memory_tier import MemoryTier
from ohlcache.service.read_through import ReadThrough
from ohlcache.testing import FakeClock, FakeVendor, Market, RecordingTelemetry
from service.faulty_store import FaultyStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ohlcache.domain.answer import Served
    from ohlcache.domain.candles import Candles
    from ohlcache.domain.request import CandleRequest
    from ohlcache.domain.span import Span

CALENDAR = load_xnys()
MARKET = Market(calendar=CALENDAR)
"""The plain market; nothing changes it, so what it has made of itself is shared."""
MONDAY_9_PM = "2024-06-04T01:00:00Z"
"""Monday 3 June 2024, 21:00 in New York: everything of that day is final."""


class Process:
    """One process of a fleet: its own memory, breaker and lease holder; the store is shared."""

    def __init__(self, world: World, *, memory_entries: int, memory_bytes: int) -> None:
        self.clock = world.clock
        self.telemetry = RecordingTelemetry()
        self.store = FaultyStore(world.store)
        self.breaker = CircuitBreaker("memory_cache", clock=world.clock, telemetry=self.telemetry)
        self.memory = MemoryTier(entries_max=memory_entries, bytes_max=memory_bytes)
        self.cache = ReadThrough(
            calendar=CALENDAR,
            clock=world.clock,
            telemetry=self.telemetry,
            store=GuardedStore(self.store, self.store, breaker=self.breaker, telemetry=self.telemetry),
            vendors=world.vendors,
            memory=self.memory,
            final_life_seconds=world.final_life_seconds,
        )

    def request(self, ticker: str = "AAPL", **wishes: Any) -> CandleRequest:
        return self.cache.parse(ticker, **wishes)

    async def ask(self, ticker: str = "AAPL", **wishes: Any) -> Served:
        """Ask and let the clock run for as long as it takes."""
        return await self.clock.drive(self.cache.get(self.request(ticker, **wishes)))

    async def close(self) -> None:
        await self.clock.drive(self.cache.close())


class World:
    """Everything outside a process, and the first process; ``other()`` starts another one over the same store."""

    def __init__(
        self,
        start: float | str = MONDAY_9_PM,
        *,
        market: Market | None = None,
        vendors: Sequence[FakeVendor] | None = None,
        retention_days: float = 90,
        memory_entries: int = 1000,
        memory_bytes: int = 1 << 26,
        clock: FakeClock | None = None,
        **traits: Any,
    ) -> None:
        self.clock = clock if clock is not None else FakeClock(start)
        self.market = market if market is not None else MARKET
        self.vendor = FakeVendor(self.market, self.clock, **traits)
        self.vendors = (self.vendor,)
        if vendors is not None:
            self.vendors = tuple(vendors)
            self.vendor = self.vendors[0]
            for vendor in vendors:
                vendor.clock = self.clock
        self.store = MemoryStore()
        self.final_life_seconds = retention_days * DAY_SECONDS
        self._memory = {"memory_entries": memory_entries, "memory_bytes": memory_bytes}
        self.processes: list[Process] = []
        self.first = self.other()

    def other(self) -> Process:
        """Start a process."""
        process = Process(self, **self._memory)
        self.processes.append(process)
        return process

    async def restart(self) -> Process:
        """End the first process and start it anew: memory and breaker are lost, the store is not."""
        await self.first.close()
        self.processes.remove(self.first)
        self.first = self.other()
        return self.first

    @property
    def calls(self) -> int:
        """How often the source was asked."""
        return self.vendor.asked

    async def ask(self, ticker: str = "AAPL", **wishes: Any) -> Served:
        """Ask the first process."""
        return await self.first.ask(ticker, **wishes)

    def truth(self, ticker: str, resolution: Resolution, span: Span) -> Candles:
        """Return the raw candles that a complete answer holds now."""
        return self.market.candles(ticker, resolution, span, self.clock.now())

    async def chunks(self) -> list[Chunk]:
        """Return everything the store holds."""
        return [
            chunk
            for ticker in await self.store.tickers()
            for vendor in self.vendors
            for resolution in Resolution
            for chunk in await self.store.read(Series(ticker, vendor.name, resolution), CALENDAR.span)
        ]

    async def close(self) -> None:
        for process in self.processes:
            await process.close()
        self.processes.clear()

    async def check(self) -> None:
        """Assert what must hold of the store and of every memory tier, whatever happened."""
        check_chunks(await self.chunks())
        for process in self.processes:
            check_memory(process.memory)


def check_chunks(chunks: Sequence[Chunk]) -> None:
    """Assert that chunks are whole, keep to their cell and do not contradict one another."""
    final: dict[tuple[Series, int], bytes] = {}
    for chunk in chunks:
        holding, coverage = chunk.holding, chunk.holding.coverage
        assert len(holding), "a chunk is never empty"
        assert chunk.name == Chunk(chunk.series, holding).name, "a chunk is named by what it holds"
        assert np.all(np.diff(coverage.days) > 0), "sessions ascend, each once"
        assert np.all(np.diff(holding.candles.time) > 0), "candles ascend, each once"
        cells = {cell_start(day, chunk.series.resolution) for day in (chunk.name.first_day, chunk.last_day)}
        assert len(cells) == 1, "a chunk keeps to its cell"
        unsettled = np.isin(coverage.states, (SessionState.FORMING, SessionState.REJECTED))
        assert unsettled.all() or not unsettled.any(), "what is forming or rejected is kept apart"
        assert not coverage.counts[np.isin(coverage.states, (SessionState.KNOWN_EMPTY, SessionState.UNLISTED))].any()
        assert np.all(coverage.counts[coverage.states == SessionState.FINAL] > 0)
        assert np.isin(holding.actions.days, coverage.days).all(), "actions belong to covered sessions"
        days = holding.candle_days()
        for day in coverage.days[coverage.states == SessionState.FINAL].tolist():
            candles = holding.candles[days == day]
            seen = b"".join(column.tobytes() for column in candles.columns())
            assert final.setdefault((chunk.series, day), seen) == seen, f"two final words on {chunk.series} {day}"


def check_memory(memory: MemoryTier) -> None:
    """Assert that the tier's books are right: it knows what it holds and holds no more than it may."""
    entries = memory._entries
    held = memory.statistics()
    assert held.entries == len(entries) <= held.entries_max
    assert held.bytes == sum(entry.nbytes for entry in entries.values()) <= held.bytes_max
    assert memory._small_bytes == sum(entries[key].nbytes for key in memory._small)
    assert not memory._small.keys() & memory._main.keys()
    assert memory._small.keys() | memory._main.keys() == entries.keys()
    assert len(memory._returning) <= held.entries_max
    assert all(entry.nbytes == entry.answer.nbytes for entry in entries.values())
    assert math.isfinite(held.bytes)
