"""A node: one process of the fleet with its own clock, memory tier, breaker and walk; it may crash and start again."""

from __future__ import annotations

from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ohlcache.service.circuit_breaker import CircuitBreaker
from ohlcache.service.guarded_store import GuardedStore, StoreVisit
from ohlcache.service.memory_tier import MemoryTier
from ohlcache.service.read_through import ReadThrough

from .store import StorePort
from .vendor import VendorPort
from .virtual_loop import PROCESS, Process

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine

    from ohlcache.domain.answer import Served
    from ohlcache.ports import Level, Metric

    from .checks import Checks
    from .store import StoreServer
    from .vendor import VendorServer
    from .virtual_loop import VirtualLoop

MEMORY_ENTRIES_MAX = 6
MEMORY_BYTES_MAX = 4_000_000


@dataclass(slots=True, eq=False)
class Ask:
    """One request of one caller, and what is known of it while it is under way."""

    number: int
    what: dict[str, Any]
    started_at: float
    refused_series: set[Any] = field(default_factory=set)
    """Series for which the vendor has refused this request's fetch with a 429."""
    cancelled: bool = False
    served: Served | None = None


ASK: ContextVar[Ask | None] = ContextVar("ask", default=None)
VISIT: ContextVar[StoreVisit | None] = ContextVar("visit", default=None)


class WatchedStore(GuardedStore):
    """The guarded store, which leaves a request's visit where the checks find it, in whatever the request starts."""

    def visit(self) -> StoreVisit:
        """Return the way to the store for one request."""
        visit = super().visit()
        VISIT.set(visit)
        return visit


@dataclass(slots=True)
class NodeClock:
    """Implements Clock: the true time, wrong by ``skew_seconds``; waiting takes true seconds."""

    loop: VirtualLoop
    skew_seconds: float = 0.0

    def now(self) -> float:
        """Return what this node believes the time to be."""
        return self.loop.time() + self.skew_seconds

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self.loop.sleep(seconds)


@dataclass(slots=True)
class NodeTelemetry:
    """Implements Telemetry and remembers the store's last failure and recovery, nothing else: a run makes too much of it."""

    node: Node

    def count(self, metric: Metric, value: float = 1, **labels: str) -> None:
        """Do nothing."""

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        """Do nothing."""

    def log(self, level: Level, event: str, **fields: object) -> None:
        """Remember when the breaker closed and when the store failed."""
        if event == "store failed":
            self.node.store_failed_at = self.node.loop.time()
        if event == "circuit breaker closed":
            self.node.breaker_closed_at = self.node.loop.time()


@dataclass(slots=True, eq=False)
class Node:
    """One process of the fleet."""

    name: str
    loop: VirtualLoop
    checks: Checks
    store: StoreServer
    vendor: VendorServer
    clock: NodeClock
    final_life_seconds: float
    life: int = 0
    process: Process = field(init=False)
    cache: ReadThrough = field(init=False)
    breaker: CircuitBreaker = field(init=False)
    memory: MemoryTier = field(init=False)
    under_way: dict[int, Ask] = field(default_factory=dict)
    breaker_closed_at: float = 0.0
    store_failed_at: float = 0.0
    paused_seconds: float = 0.0
    invalidated_at: float = 0.0

    def __post_init__(self) -> None:
        self._start()

    def crash(self) -> None:
        """Lose every task and all memory at once, and start again; what was sent to the store or the vendor is on its way."""
        dead = self.process
        self.life += 1
        self.under_way.clear()
        self._start()
        self.loop.kill(dead)

    def run(self, work: Coroutine[Any, Any, Any], ask: Ask | None = None) -> asyncio.Task[Any]:
        """Run ``work`` as a task of this node."""
        context = copy_context()
        context.run(PROCESS.set, self.process)
        context.run(ASK.set, ask)
        return self.loop.create_task(work, context=context)

    def _start(self) -> None:
        telemetry = NodeTelemetry(self)
        self.process = Process(f"{self.name}.{self.life}")
        self.breaker_closed_at = 0.0
        port = StorePort(self.store, self, self.life)
        self.breaker = CircuitBreaker("dynamodb_cache", clock=self.clock, telemetry=telemetry)
        self.memory = MemoryTier(entries_max=MEMORY_ENTRIES_MAX, bytes_max=MEMORY_BYTES_MAX)
        self.cache = ReadThrough(
            calendar=self.checks.truth.calendar,
            clock=self.clock,
            telemetry=telemetry,
            store=WatchedStore(port, port, breaker=self.breaker, telemetry=telemetry),
            vendors=[VendorPort(self.vendor, self, self.life)],
            memory=self.memory,
            final_life_seconds=self.final_life_seconds,
        )
