"""The one store of the fleet and the wire to it: latency, late reads, errors, lost, doubled and torn messages.

The server is nature's: what has been sent arrives and is carried out whether or not the sender still lives. Strong reads
see everything that was carried out; others may miss what is younger than a second and see what is deleted. Who may take
a lease is decided by the same rules as in the stores that ship.
"""

from __future__ import annotations

import asyncio
from contextvars import Context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ohlcache.adapters.stores.lease_rules import LeaseRecord, held_by, seen, take
from ohlcache.domain.errors import StoreError
from ohlcache.ports import FailureNote, Lease, LeaseTaken, StoreUsage

from .weather import Kind

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence
    from datetime import date

    from ohlcache.domain.chunks import Chunk, ChunkName
    from ohlcache.domain.series import Series
    from ohlcache.domain.span import Span

    from .checks import Checks
    from .nodes import Node
    from .virtual_loop import VirtualLoop
    from .weather import Weather

CLIENT_TIMEOUT_SECONDS = 3.0
LATENCY_SECONDS = (0.002, 0.02)
SLOW_SECONDS = (0.3, 2.5)
LATE_SECONDS_MAX = 1.0
DOUBLE_SECONDS_MAX = 8.0


@dataclass(slots=True)
class _Kept:
    chunk: Chunk
    first_day: date
    last_day: date
    expires_at: float
    put_at: float
    deleted_at: float | None = None


@dataclass(slots=True)
class StoreServer:
    """What is stored, and the faults on the way to it."""

    loop: VirtualLoop
    dice: random.Random
    weather: Weather
    final_life_seconds: float
    checks: Checks
    kept: dict[Series, dict[ChunkName, _Kept]] = field(default_factory=dict)
    leases: dict[str, LeaseRecord] = field(default_factory=dict)
    operations: int = 0

    # --- the wire ------------------------------------------------------------------------------------------------

    async def carry_out(self, operation: Callable[[], Any], *, torn: Callable[[], Any] | None = None) -> Any:
        """Send ``operation`` to the server and return its reply; StoreError for what a client sees as a failure."""
        self.operations += 1
        weather, now = self.weather, self.loop.time()
        reply: asyncio.Future[Any] = self.loop.create_future()
        there, back = self.dice.uniform(*LATENCY_SECONDS), self.dice.uniform(*LATENCY_SECONDS)
        if weather.chances:
            if weather.strikes(Kind.STORE_SLOW, now):
                there += self.dice.uniform(*SLOW_SECONDS)
            lost = weather.strikes(Kind.LOST_REQUEST, now) or weather.strikes(Kind.STORE_OUTAGE, now)
            deaf = weather.strikes(Kind.LOST_REPLY, now)
            if weather.strikes(Kind.STORE_ERROR, now) or weather.strikes(Kind.STORE_THROTTLE, now):
                self._later(there + back, _fail, reply, "The store refuses.")
            elif torn is not None and weather.strikes(Kind.STORE_TORN_WRITE, now):
                self._later(there, torn)
                self._later(there + back, _fail, reply, "Not everything could be written.")
            elif not lost:
                if weather.strikes(Kind.DOUBLED, now):
                    self._later(there + self.dice.uniform(0.0, DOUBLE_SECONDS_MAX), operation)
                self._later(there, self._execute, operation, None if deaf else reply, back)
            self._later(CLIENT_TIMEOUT_SECONDS, _fail, reply, "The store does not answer.")
        else:
            self._later(there, self._execute, operation, reply, back)
        return await reply

    def _execute(self, operation: Callable[[], Any], reply: asyncio.Future[Any] | None, back: float) -> None:
        value = operation()
        if reply is not None:
            self._later(back, _answer, reply, value)

    def _later(self, seconds: float, callback: Callable[..., Any], *args: Any) -> None:
        self.loop.call_later(seconds, callback, *args, context=Context())

    # --- chunks --------------------------------------------------------------------------------------------------

    def read(self, series: Series, span: Span, *, strongly: bool) -> list[Chunk]:
        """Return the chunks that overlap ``span``, as a reader sees them now."""
        now = self.loop.time()
        late = not strongly and Kind.STORE_LATE_READ in self.weather.chances
        found = []
        for kept in self.kept.get(series, {}).values():
            if kept.first_day > span.end or kept.last_day < span.start:
                continue
            there = kept.deleted_at is None
            if late and now - kept.put_at < self.dice.uniform(0, LATE_SECONDS_MAX):
                there = False
                self.weather.struck[Kind.STORE_LATE_READ] += 1
            elif (
                late and kept.deleted_at is not None and now - kept.deleted_at < self.dice.uniform(0, LATE_SECONDS_MAX)
            ):
                there = True
                self.weather.struck[Kind.STORE_LATE_READ] += 1
            if there:
                found.append(kept.chunk)
                if kept.expires_at <= now:
                    self.weather.struck[Kind.STORE_LATE_DELETION] += 1
        self.dice.shuffle(found)
        return found

    def write(self, chunks: Sequence[Chunk], delete: Sequence[Chunk]) -> None:
        """Keep, then drop."""
        now = self.loop.time()
        for chunk in chunks:
            self.checks.written(chunk, now)
            series = self.kept.setdefault(chunk.series, {})
            known = series.get(chunk.name)
            if known is None or known.deleted_at is not None:
                expires_at = chunk.expires_at(self.final_life_seconds)
                series[chunk.name] = _Kept(chunk, chunk.name.first_day, chunk.last_day, expires_at, now)
        for chunk in delete:
            known = self.kept.get(chunk.series, {}).get(chunk.name)
            if known is not None and known.deleted_at is None:
                known.deleted_at = now

    def delete_ticker(self, ticker: str) -> int:
        """Drop every chunk of ``ticker``."""
        now, count = self.loop.time(), 0
        for series, chunks in self.kept.items():
            for kept in chunks.values() if series.ticker == ticker else ():
                if kept.deleted_at is None:
                    kept.deleted_at = now
                    count += 1
        return count

    def sweep(self) -> None:
        """Forget what is deleted for good, and some of what has expired: a store's own deletion is late."""
        now = self.loop.time()
        for chunks in self.kept.values():
            for name, kept in list(chunks.items()):
                gone = kept.deleted_at is not None and kept.deleted_at < now - 2 * LATE_SECONDS_MAX
                expired = kept.expires_at < now - 600
                if gone or (expired and self.dice.random() < 0.2):
                    del chunks[name]

    # --- leases --------------------------------------------------------------------------------------------------

    def acquire(
        self, key: str, holder: str, now: float, life_seconds: float, displacing: int | None
    ) -> Lease | LeaseTaken:
        """Take the lease in one step, or return who has it; ``now`` is the caller's clock, as with a real table."""
        held = self.leases.get(key)
        taken = take(held, key, holder, now=now, life_seconds=life_seconds, displacing=displacing)
        if taken is None:
            assert held is not None, "only another's lease stands in the way"
            return LeaseTaken(key, held.fence, held.expires_at, held.failure)
        self.leases[key] = taken
        lease = Lease(key, holder, taken.fence, taken.expires_at)
        self.checks.granted(lease, now, displacing)
        return lease

    def look(self, key: str, now: float) -> LeaseTaken | None:
        """Return who has the lease, or the note of who gave up."""
        return seen(self.leases.get(key), now)

    def release(self, lease: Lease, failure: FailureNote | None) -> None:
        """Free the lease if it is still this holder's."""
        self.checks.released(lease)
        held = self.leases.get(lease.key)
        if held is not None and held_by(held, lease):
            self.leases[lease.key] = held.released(failure)


@dataclass(slots=True)
class StorePort:
    """One node's client of the store: implements CandleStore and LeaseTable."""

    server: StoreServer
    node: Node
    life: int
    name: str = "dynamodb"

    async def read(self, series: Series, span: Span, *, strongly: bool = False) -> Sequence[Chunk]:
        """Return the chunks that overlap ``span``."""
        chunks = await self._send(lambda: self.server.read(series, span, strongly=strongly), "read", strongly=strongly)
        if strongly:
            self.node.checks.read_strongly(self.node, series, chunks)
        found: Sequence[Chunk] = chunks
        return found

    async def write(self, chunks: Sequence[Chunk], *, delete: Sequence[Chunk] = ()) -> None:
        """Keep ``chunks``, then drop ``delete``; torn, some of them are kept and nothing is dropped."""
        part = list(chunks)[: self.server.dice.randrange(len(chunks) + 1)]
        await self._send(lambda: self.server.write(chunks, delete), "write", torn=lambda: self.server.write(part, ()))

    async def delete_ticker(self, ticker: str) -> int:
        """Drop every chunk of ``ticker``."""
        return int(await self._send(lambda: self.server.delete_ticker(ticker), "delete"))

    async def tickers(self) -> Sequence[str]:
        """Return the tickers of which something is held."""
        return sorted({series.ticker for series in self.server.kept})

    async def usage(self) -> StoreUsage:
        """Return nothing of interest."""
        return StoreUsage(0, 0, 0, 0)

    async def close(self) -> None:
        """Hold nothing open."""

    async def acquire(
        self, key: str, holder: str, *, now: float, life_seconds: float, displacing: int | None = None
    ) -> Lease | LeaseTaken:
        """Take the lease."""
        fetch = self.node.checks.acquiring(self.node, key, displacing)
        try:
            got = await self._send(lambda: self.server.acquire(key, holder, now, life_seconds, displacing), "acquire")
        except StoreError:
            fetch.store_failed = True
            raise
        self.node.checks.acquired(self.node, fetch, got)
        lease: Lease | LeaseTaken = got
        return lease

    async def look(self, key: str, *, now: float) -> LeaseTaken | None:
        """Return who has the lease."""
        taken: LeaseTaken | None = await self._send(lambda: self.server.look(key, now), "look")
        self.node.checks.looked(taken)
        return taken

    async def release(self, lease: Lease, *, failure: FailureNote | None = None) -> None:
        """Give the lease back."""
        self.node.checks.releasing(self.node, lease)
        await self._send(lambda: self.server.release(lease, failure), "release")

    async def _send(
        self,
        operation: Callable[[], Any],
        what: str,
        *,
        torn: Callable[[], Any] | None = None,
        strongly: bool = False,
    ) -> Any:
        if self.life != self.node.life:
            raise asyncio.CancelledError
        self.node.checks.asking_the_store(self.node, what)
        try:
            value = await self.server.carry_out(operation, torn=torn)
        except StoreError:
            self.node.checks.store_failed(self.node, what, strongly=strongly)
            raise
        if self.life != self.node.life:
            raise asyncio.CancelledError
        return value


def _answer(reply: asyncio.Future[Any], value: Any) -> None:
    if not reply.done():
        reply.set_result(value)


def _fail(reply: asyncio.Future[Any], message: str) -> None:
    if not reply.done():
        reply.set_exception(StoreError(message))
