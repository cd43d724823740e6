"""The store of one process: chunks in a dict, gone with it.

For trying out, for tests and for simulations of a fleet, whose nodes share one instance. No method waits for anything,
so each is atomic among the tasks of one event loop.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from ohlcache.adapters.stores.lease_rules import LeaseRecord, held_by, seen, take
from ohlcache.domain.chunks import cell_start
from ohlcache.ports import FailureNote, Lease, LeaseTaken, StoreUsage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ohlcache.domain.chunks import Chunk, ChunkName
    from ohlcache.domain.series import Series
    from ohlcache.domain.span import Span


class MemoryStore:
    """A CandleStore and LeaseTable in this process; it keeps everything until it is told to drop it."""

    def __init__(self) -> None:
        self._held: defaultdict[Series, dict[ChunkName, Chunk]] = defaultdict(dict)
        self._leases: dict[str, LeaseRecord] = {}

    @property
    def name(self) -> str:
        """The tier's name in ``X-Cache-Source``."""
        return "memory"

    # --- chunks ------------------------------------------------------------------------------------------------

    async def read(self, series: Series, span: Span, *, strongly: bool = False) -> Sequence[Chunk]:  # noqa: ARG002 - always
        """Return every chunk of ``series`` that overlaps ``span``; every read is strongly consistent."""
        first = cell_start(span.start, series.resolution)
        return [
            chunk
            for name, chunk in self._held.get(series, {}).items()
            if first <= name.first_day <= span.end and chunk.last_day >= span.start
        ]

    async def write(self, chunks: Sequence[Chunk], *, delete: Sequence[Chunk] = ()) -> None:
        """Keep ``chunks``, then drop ``delete``."""
        for chunk in chunks:
            self._held[chunk.series][chunk.name] = chunk
        for chunk in delete:
            self._held[chunk.series].pop(chunk.name, None)

    async def delete_ticker(self, ticker: str) -> int:
        """Drop every chunk of every series of ``ticker``; return how many there were."""
        return sum(len(self._held.pop(series)) for series in list(self._held) if series.ticker == ticker)

    async def tickers(self) -> Sequence[str]:
        """Return the tickers of which something is held, sorted."""
        return sorted({series.ticker for series, chunks in self._held.items() if chunks})

    async def usage(self) -> StoreUsage:
        """Return how much is held; ``bytes`` are those of the candles' columns."""
        chunks = [chunk for held in self._held.values() for chunk in held.values()]
        return StoreUsage(
            chunks=len(chunks),
            candles=sum(len(chunk.holding.candles) for chunk in chunks),
            bytes=sum(chunk.holding.candles.nbytes for chunk in chunks),
            tickers=len(await self.tickers()),
        )

    async def close(self) -> None:
        """Do nothing: what is held stays readable, as that of a store on disk would."""

    # --- leases ------------------------------------------------------------------------------------------------

    async def acquire(
        self, key: str, holder: str, *, now: float, life_seconds: float, displacing: int | None = None
    ) -> Lease | LeaseTaken:
        """Take the lease if it is free, released or expired at ``now``, or held with the fence ``displacing``."""
        held = self._leases.get(key)
        taken = take(held, key, holder, now=now, life_seconds=life_seconds, displacing=displacing)
        if taken is None:
            assert held is not None, "only another's lease stands in the way"
            return LeaseTaken(key, held.fence, held.expires_at)
        self._leases[key] = taken
        return Lease(key, holder, taken.fence, taken.expires_at)

    async def look(self, key: str, *, now: float) -> LeaseTaken | None:
        """Return who has the lease, None when it is free; a released failure is still shown."""
        return seen(self._leases.get(key), now)

    async def release(self, lease: Lease, *, failure: FailureNote | None = None) -> None:
        """Give the lease back, if it is still this holder's (holder and fence); otherwise do nothing."""
        held = self._leases.get(lease.key)
        if held is not None and held_by(held, lease):
            self._leases[lease.key] = held.released(failure)
