"""The store behind its breaker: a store that fails is an inconvenience, never an outage.

Requests use it through visits. Every method of a visit returns what the store returned, or None where it failed or was
skipped; nothing here raises because of the store. A miss is an answer, a failure is not: failures are logged at ERROR
and counted.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from ohlcache.domain.errors import NotCleared, StoreError
from ohlcache.ports import STORE_SECONDS_MAX, Level, Metric
from ohlcache.service.circuit_breaker import Operation
from ohlcache.service.time_limit import TimeLimit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ohlcache.domain.chunks import Chunk, ChunkName
    from ohlcache.domain.series import Series
    from ohlcache.domain.span import Span
    from ohlcache.ports import CandleStore, FailureNote, Lease, LeaseTable, LeaseTaken, Telemetry
    from ohlcache.service.circuit_breaker import CircuitBreaker, Ticket

Value = TypeVar("Value")

OPERATIONS_AT_ONCE_MAX = 16
"""Operations of one kind under way at a time. The others queue here, where waiting is not the store's failure."""


class GuardedStore:
    """A store and its lease table, behind one breaker that reads, writes and leases all feed."""

    def __init__(
        self, store: CandleStore, leases: LeaseTable, *, breaker: CircuitBreaker, telemetry: Telemetry
    ) -> None:
        self._store = store
        self._leases = leases
        self._telemetry = telemetry
        self._clock = breaker.clock
        self._queues = {operation: asyncio.Semaphore(OPERATIONS_AT_ONCE_MAX) for operation in Operation}
        self.breaker = breaker

    @property
    def name(self) -> str:
        """The tier's name in answers."""
        return self._store.name

    def visit(self) -> StoreVisit:
        """Return the way to the store for one request and for what it starts."""
        return StoreVisit(self, self._store, self._leases)

    async def delete_ticker(self, ticker: str) -> int:
        """Drop all chunks of ``ticker``; unlike the rest this raises (NotCleared): its caller must know."""
        try:
            return await self._store.delete_ticker(ticker)
        except StoreError as exc:
            self._report("delete", exc)
            raise NotCleared(
                f"The store could not be cleared of {ticker} and may still hold it; this process's memory is cleared.",
                hint=f"{exc.message} {exc.hint} Then invalidate {ticker} again.",
            ) from exc

    async def close(self) -> None:
        """Release the store."""
        await self._store.close()

    async def attempt(self, operation: Operation, call: Callable[[], Awaitable[Value]]) -> Value:
        """Return what ``call`` returns; StoreError when it fails, takes too long, or must not be made."""
        ticket = self.breaker.enter(operation)
        if ticket is None:
            raise _Skipped("The store is left alone for a while.")
        try:
            value = await self._in_time(ticket, call)
        except StoreError as exc:
            self.breaker.failed(ticket)
            self._report(operation, exc)
            raise
        except BaseException:
            self.breaker.abandoned(ticket)
            raise
        self.breaker.succeeded(ticket)
        return value

    async def _in_time(self, ticket: Ticket, call: Callable[[], Awaitable[Value]]) -> Value:
        queued_at = self._clock.now()
        async with self._queues[ticket.operation]:
            seconds_left = STORE_SECONDS_MAX
            if self.breaker.failed_since(ticket):
                # Those before it in the queue waited for a store that fails, and so has this one.
                seconds_left -= self._clock.now() - queued_at
            try:
                async with TimeLimit(self._clock, seconds_left):
                    return await call()
            except TimeoutError as exc:
                raise StoreError(
                    f"The store took longer than {STORE_SECONDS_MAX:.0f} seconds.",
                    hint="Look for a process that keeps its file locked, for a slow disk or a slow network.",
                ) from exc

    def _report(self, operation: str, failure: StoreError) -> None:
        self._telemetry.count(Metric.CACHE_ERROR, store=self.name, operation=operation)
        self._telemetry.log(
            Level.ERROR, "store failed", store=self.name, operation=operation, error=failure.message, hint=failure.hint
        )


class StoreVisit:
    """One request's use of the store: after the first operation that fails or is skipped it ends.

    From then on nothing is written or leased, and nothing is read twice: what it has read, and what it would have
    written, it remembers. What it has not read yet it still reads, unless reading is what failed: a file that is
    locked can be read, and what is held is served. It belongs to one request and to the fetches that it starts.
    """

    def __init__(self, guard: GuardedStore, store: CandleStore, leases: LeaseTable) -> None:
        self._guard = guard
        self._store = store
        self._leases = leases
        self._known: dict[Series, dict[ChunkName, Chunk]] = {}
        self._spans_read: dict[Series, list[Span]] = {}
        self._unreadable = False
        self.ended = False
        """Whether something was done without the store, as all writing is from then on."""

    def end(self) -> None:
        """Write no more: what this request waited for had to do without the store."""
        self.ended = True

    async def read(self, series: Series, span: Span, *, strongly: bool = False) -> Sequence[Chunk]:
        """Return the chunks that overlap ``span``; once the visit has ended, those that are known if they can be."""
        known, spans_read = self._known.setdefault(series, {}), self._spans_read.setdefault(series, [])
        chunks: Sequence[Chunk] | None = None
        if not self._unreadable and not (self.ended and any(read.covers(span) for read in spans_read)):
            chunks = await self._attempt(Operation.READ, lambda: self._store.read(series, span, strongly=strongly))
        if chunks is not None:
            if not self.ended:
                for name in [name for name, chunk in known.items() if _overlaps(chunk, span)]:
                    del known[name]
            known.update((chunk.name, chunk) for chunk in chunks)
            spans_read.append(span)
        return self.known(series, span)

    def known(self, series: Series, span: Span) -> Sequence[Chunk]:
        """Return the chunks that overlap ``span``, of those that this visit has read or wanted to write."""
        return tuple(chunk for chunk in self._known.get(series, {}).values() if _overlaps(chunk, span))

    async def write(self, chunks: Sequence[Chunk], *, delete: Sequence[Chunk] = ()) -> None:
        """Keep ``chunks``, if the store can, and delete the others after that."""
        for chunk in delete:
            self._known.get(chunk.series, {}).pop(chunk.name, None)
        for chunk in chunks:
            self._known.setdefault(chunk.series, {})[chunk.name] = chunk
        await self._unless_ended(Operation.WRITE, lambda: self._store.write(chunks, delete=delete))

    async def acquire(
        self, key: str, holder: str, *, now: float, life_seconds: float, displacing: int | None = None
    ) -> Lease | LeaseTaken | None:
        """Take a lease; None when the store cannot say: the caller goes on without."""
        return await self._unless_ended(
            Operation.LEASE,
            lambda: self._leases.acquire(key, holder, now=now, life_seconds=life_seconds, displacing=displacing),
        )

    async def look(self, key: str, *, now: float) -> LeaseTaken | None:
        """Return who has the lease; None when it is free or the store cannot say."""
        return await self._unless_ended(Operation.READ, lambda: self._leases.look(key, now=now))

    async def release(self, lease: Lease, *, failure: FailureNote | None = None) -> None:
        """Give a lease back."""
        await self._unless_ended(Operation.LEASE, lambda: self._leases.release(lease, failure=failure))

    async def _unless_ended(self, operation: Operation, call: Callable[[], Awaitable[Value]]) -> Value | None:
        return None if self.ended else await self._attempt(operation, call)

    async def _attempt(self, operation: Operation, call: Callable[[], Awaitable[Value]]) -> Value | None:
        try:
            return await self._guard.attempt(operation, call)
        except StoreError:
            self.ended = True
            self._unreadable = self._unreadable or operation is Operation.READ
            return None


class _Skipped(StoreError):
    """The breaker is open."""


def _overlaps(chunk: Chunk, span: Span) -> bool:
    return chunk.name.first_day <= span.end and chunk.last_day >= span.start
