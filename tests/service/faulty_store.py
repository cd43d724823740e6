"""A store that can be made to fail, to wait and to count: the port in front of any other store."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ohlcache.domain.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ohlcache.adapters.stores.memory import MemoryStore
    from ohlcache.domain.chunks import Chunk
    from ohlcache.domain.series import Series
    from ohlcache.domain.span import Span
    from ohlcache.ports import FailureNote, Lease, LeaseTaken, StoreUsage

EVERYTHING = frozenset({"read", "write", "lease"})


@dataclass(slots=True)
class FaultyStore:
    """One process's way to a store that several share: ``failing`` operations raise, ``before`` may hold them up."""

    shared: MemoryStore
    failing: frozenset[str] = frozenset()
    before: Callable[[str], Awaitable[None]] | None = None
    asked: Counter[str] = field(default_factory=Counter)
    strong_reads: int = 0

    @property
    def name(self) -> str:
        return self.shared.name

    async def read(self, series: Series, span: Span, *, strongly: bool = False) -> Sequence[Chunk]:
        self.strong_reads += strongly
        await self._pass("read")
        return await self.shared.read(series, span, strongly=strongly)

    async def write(self, chunks: Sequence[Chunk], *, delete: Sequence[Chunk] = ()) -> None:
        await self._pass("write")
        await self.shared.write(chunks, delete=delete)

    async def delete_ticker(self, ticker: str) -> int:
        await self._pass("delete")
        return await self.shared.delete_ticker(ticker)

    async def tickers(self) -> Sequence[str]:
        await self._pass("read")
        return await self.shared.tickers()

    async def usage(self) -> StoreUsage:
        return await self.shared.usage()

    async def close(self) -> None:
        """Close nothing: others share the store."""

    async def acquire(
        self, key: str, holder: str, *, now: float, life_seconds: float, displacing: int | None = None
    ) -> Lease | LeaseTaken:
        await self._pass("lease")
        return await self.shared.acquire(key, holder, now=now, life_seconds=life_seconds, displacing=displacing)

    async def look(self, key: str, *, now: float) -> LeaseTaken | None:
        await self._pass("lease")
        return await self.shared.look(key, now=now)

    async def release(self, lease: Lease, *, failure: FailureNote | None = None) -> None:
        await self._pass("lease")
        await self.shared.release(lease, failure=failure)

    async def _pass(self, operation: str) -> None:
        self.asked[operation] += 1
        if self.before is not None:
            await self.before(operation)
        if operation in self.failing:
            raise StoreError(f"The store fails to {operation}.")
