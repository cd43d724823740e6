"""One server over the real walk, with a generated market behind it."""

from __future__ import annotations

from http_driver import Driver

from ohlcache.adapters.calendar import load_xnys
from ohlcache.adapters.stores.memory import MemoryStore
from ohlcache.http.app import HttpOptions, create_app
from ohlcache.service.circuit_breaker import CircuitBreaker
from ohlcache.service.guarded_store import GuardedStore
from ohlcache.service.memory_tier import MemoryTier
from ohlcache.service.read_through import ReadThrough
from ohlcache.testing import FakeClock, FakeVendor, Market, RecordingTelemetry

CALENDAR = load_xnys()
MARKET = Market()
AFTER_THE_CLOSE = "2024-06-04T02:00:00Z"


class World:
    """One server with everything around it that a test may want to turn or read."""

    def __init__(self, *, clock: FakeClock | None = None, **options: object) -> None:
        self.clock = clock if clock is not None else FakeClock(AFTER_THE_CLOSE)
        self.telemetry = RecordingTelemetry()
        self.vendor = FakeVendor(MARKET, self.clock)
        self.store = MemoryStore()
        self.opened = 0
        self.app = create_app(self._open, HttpOptions(**{"version": "9.9.9"} | options))
        self.driver = Driver(self.app)

    async def _open(self) -> ReadThrough:
        self.opened += 1
        return self.new_cache()

    def new_cache(self) -> ReadThrough:
        breaker = CircuitBreaker(f"{self.store.name}_cache", clock=self.clock, telemetry=self.telemetry)
        return ReadThrough(
            calendar=CALENDAR,
            clock=self.clock,
            telemetry=self.telemetry,
            store=GuardedStore(self.store, self.store, breaker=breaker, telemetry=self.telemetry),
            vendors=(self.vendor,),
            memory=MemoryTier(entries_max=1000, bytes_max=256 * 1024 * 1024),
            final_life_seconds=90 * 86_400,
        )
