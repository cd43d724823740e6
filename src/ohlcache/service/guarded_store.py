"""The store behind its breaker: a store that fails is an inconvenience, never an outage.

Every method returns what the store said, or None (False for a write) where it failed or was skipped; nothing here
raises because of the store. A miss is an answer, a failure is not: failures are logged at ERROR and counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ohlcache.domain.errors import StoreError
from ohlcache.ports import Level, Metric

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ohlcache.domain.chunks import Chunk
    from ohlcache.domain.series import Series
    from ohlcache.domain.span import Span
    from ohlcache.ports import CandleStore, FailureNote, Lease, LeaseTable, LeaseTaken, Telemetry
    from ohlcache.service.circuit_breaker import CircuitBreaker

Value = TypeVar("Value")


class GuardedStore:
    """A store and its lease table, behind one breaker that reads, writes and leases all feed."""

    def __init__(
        self, store: CandleStore, leases: LeaseTable, *, breaker: CircuitBreaker, telemetry: Telemetry
    ) -> None:
        self._store = store
        self._leases = leases
        self._telemetry = telemetry
        self.breaker = breaker
        self.worked_around = 0
        """How often something was done without the store, because it failed or was skipped."""

    @property
    def name(self) -> str:
        """The tier's name in answers."""
        return self._store.name

    async def read(self, series: Series, span: Span, *, strongly: bool = False) -> Sequence[Chunk] | None:
        """Return the chunks that overlap ``span``; None when the store cannot say."""
        return await self._guarded("read", lambda: self._store.read(series, span, strongly=strongly))

    async def write(self, chunks: Sequence[Chunk], *, delete: Sequence[Chunk] = ()) -> None:
        """Keep ``chunks``, if the store can, and delete the others after that."""
        await self._guarded("write", lambda: self._store.write(chunks, delete=delete))

    async def acquire(
        self, key: str, holder: str, *, now: float, life_seconds: float, displacing: int | None = None
    ) -> Lease | LeaseTaken | None:
        """Take a lease; None when the store cannot say: the caller goes on without."""
        return await self._guarded(
            "lease",
            lambda: self._leases.acquire(key, holder, now=now, life_seconds=life_seconds, displacing=displacing),
        )

    async def look(self, key: str, *, now: float) -> LeaseTaken | None:
        """Return who has the lease; None when it is free or the store cannot say."""
        return await self._guarded("lease", lambda: self._leases.look(key, now=now))

    async def release(self, lease: Lease, *, failure: FailureNote | None = None) -> None:
        """Give a lease back."""
        await self._guarded("lease", lambda: self._leases.release(lease, failure=failure))

    async def delete_ticker(self, ticker: str) -> int:
        """Drop all chunks of ``ticker``; unlike the rest this raises StoreError: its caller must know."""
        return await self._store.delete_ticker(ticker)

    async def close(self) -> None:
        """Release the store."""
        await self._store.close()

    async def _guarded(self, operation: str, call: Callable[[], Awaitable[Value]]) -> Value | None:
        ticket = self.breaker.enter()
        if ticket is None:
            self.worked_around += 1
            return None
        try:
            value = await call()
        except StoreError as exc:
            self.worked_around += 1
            self.breaker.failed(ticket)
            self._telemetry.count(Metric.CACHE_ERROR, store=self.name, operation=operation)
            self._telemetry.log(
                Level.ERROR, "store failed", store=self.name, operation=operation, error=exc.message, hint=exc.hint
            )
            return None
        except BaseException:
            self.breaker.abandoned(ticket)
            raise
        self.breaker.succeeded(ticket)
        return value
