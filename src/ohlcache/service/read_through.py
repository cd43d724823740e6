"""The way of a request: memory tier, single flight, then ``sources``, and back into the memory tier."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ohlcache.domain.answer import IN_MEMORY, Answer, Served
from ohlcache.domain.errors import (
    OhlcacheError,
)
from ohlcache.domain.market_time import market_date
from ohlcache.domain.plan import Need, due_sessions
from ohlcache.domain.request import CUSTOM, CandleRequest
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.series import Series
from ohlcache.domain.span import Span
from ohlcache.domain.ticker import normalise_ticker
from ohlcache.ports import Level, Metric
from ohlcache.service.covering import Coverer
from ohlcache.service.hold_off import HoldOffs
from ohlcache.service.offers import adjustment_of, market_now
from ohlcache.service.reports import (
    Backfilled,
    CacheStatus,
    Invalidated,
    ResolutionFacts,
    SessionReport,
    session_reports,
)
from ohlcache.service.single_flight import SingleFlight
from ohlcache.service.sources import Sources

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from datetime import date

    from ohlcache.domain.sessions import SessionTable
    from ohlcache.ports import CandleVendor, Clock, Telemetry, TickerInfo
    from ohlcache.service.guarded_store import GuardedStore, StoreVisit
    from ohlcache.service.memory_tier import MemoryTier


class ReadThrough:
    """Answers requests for candles; belongs to one event loop. The first vendor is the source, others stand in."""

    def __init__(
        self,
        *,
        calendar: SessionTable,
        clock: Clock,
        telemetry: Telemetry,
        store: GuardedStore,
        vendors: Sequence[CandleVendor],
        memory: MemoryTier,
        final_life_seconds: float,
    ) -> None:
        assert vendors, "a cache without a vendor has nothing to read through to"
        self.calendar = calendar
        self.clock = clock
        self.telemetry = telemetry
        self._store = store
        self._vendors = tuple(vendors)
        self._memory = memory
        self._final_life_seconds = final_life_seconds
        self._hold_offs = HoldOffs(clock)
        self._coverer = Coverer(calendar, clock, telemetry, store, self._hold_offs, final_life_seconds)
        self._sources = Sources(
            calendar=calendar,
            clock=clock,
            telemetry=telemetry,
            store=store,
            vendors=vendors,
            coverer=self._coverer,
            final_life_seconds=final_life_seconds,
            get=self._get,
        )
        self._flights: SingleFlight[Served] = SingleFlight()
        self._epochs: dict[str, int] = {}
        self._calls_saved = 0
        self._unsettled_hits = 0

    # --- asking --------------------------------------------------------------------------------------------------

    def as_of(self) -> float:
        """Return the market time: now, but never past the end of the source's data."""
        return market_now(self._vendors[0], self.clock.now())

    def parse(
        self,
        ticker: str,
        *,
        range: str | None = None,  # noqa: A002 - the API's own word
        start_date: str | date | None = None,
        end_date: str | date | None = None,
        resolution: str = Resolution.DAY,
        adjust: str | None = None,
    ) -> CandleRequest:
        """Return the request a caller wrote, dated by the market's today; InvalidRequest names the field to fix."""
        return CandleRequest.parse(
            ticker,
            range=range,
            start_date=start_date,
            end_date=end_date,
            resolution=resolution,
            adjust=adjust,
            calendar=self.calendar,
            as_of=self.as_of(),
        )

    def hit(self, request: CandleRequest) -> Served | None:
        """Return the memory tier's answer, if it has a fresh one; no I/O."""
        now = self.clock.now()
        answer = self._memory.get(memory_key(request), now)
        if answer is None:
            return None
        self._calls_saved += 1
        self.telemetry.count(Metric.REQUESTS, tier=IN_MEMORY)
        return Served(answer, IN_MEMORY, max(0.0, now - answer.observed_at))

    def again(self, key: Hashable, now: float) -> Answer | None:
        """Return the memory tier's answer under ``memory_key`` to a request that came before; None counts nothing.

        What is counted shows after ``settle``: counting each would cost more than finding it.
        """
        answer = self._memory.again(key, now)
        if answer is not None:
            self._unsettled_hits += 1
        return answer

    def settle(self) -> None:
        """Count the hits that ``again`` found since the last time."""
        hits, self._unsettled_hits = self._unsettled_hits, 0
        if hits:
            self._calls_saved += hits
            self.telemetry.count(Metric.REQUESTS, hits, tier=IN_MEMORY)

    def grown(self, answer: Answer) -> None:
        """Weigh an answer in the memory tier again, after encoded forms were put beside it."""
        self._memory.grown(memory_key(answer.request), answer)

    async def get(self, request: CandleRequest, *, retry: bool = False) -> Served:
        """Return the answer, from the nearest tier that has it.

        Where the vendor refuses and anything of the span is held, that is the answer, with its shortfall. With
        ``retry``, a person's wish, a vendor that refused a moment ago is asked again.
        Raises an OhlcacheError when the vendor refuses and nothing is held, or the source cannot adjust as asked.
        """
        if retry:
            self._retry(request)
        return await self._get(request, self._store.visit())

    async def _get(self, request: CandleRequest, visit: StoreVisit) -> Served:
        served = self.hit(request)
        return served if served is not None else await self._missed(request, visit)

    async def _missed(self, request: CandleRequest, visit: StoreVisit) -> Served:
        """Return the answer to a request that memory has none for, shared with whoever asks the same meanwhile."""
        try:
            served, shared = await self._flights.do(memory_key(request), lambda: self._walk(request, visit))
        except OhlcacheError as exc:
            self.telemetry.count(Metric.REQUEST_FAILURES, code=exc.code)
            raise
        if shared or served.tier == self._store.name:
            self._calls_saved += 1
        self.telemetry.count(Metric.REQUESTS, tier=served.tier)
        return served

    async def backfill(self, ticker: str, resolution: Resolution, span: Span) -> Backfilled:
        """Fetch what is missing of ``span``, and of the ledger that its adjustment needs; keep nothing in memory."""
        vendor = self._vendors[0]
        request = CandleRequest(normalise_ticker(ticker), resolution, CUSTOM, span)
        covered = await self._sources.cover(request, vendor, adjustment_of(vendor, request), self._store.visit())
        own = covered[0].holding.between(span.start.toordinal(), span.end.toordinal())
        calls, believed = sum(part.calls for part in covered), all(part.believed for part in covered)
        degraded = any(part.degraded for part in covered)
        return Backfilled(request.ticker, calls, len(own), len(own.candles), believed, degraded)

    # --- looking and clearing ------------------------------------------------------------------------------------

    async def coverage(self, ticker: str, resolution: Resolution, span: Span) -> tuple[SessionReport, ...]:
        """Return what the store knows of every session of ``span``; asks no vendor. StoreError: it cannot say."""
        vendor = self._vendors[0]
        need = Need(Series(normalise_ticker(ticker), vendor.name, resolution), span)
        coverage = await self._coverer.stored(need)
        due = due_sessions(need, self.calendar, self.as_of())
        return tuple(session_reports(self.calendar.between(span), due, coverage))

    async def invalidate_all_caches(self, ticker: str) -> Invalidated:
        """Clear every tier of ``ticker``, whole. NotCleared: memory was cleared, and the store could not be."""
        symbol = normalise_ticker(ticker)
        # The order matters: nothing that was read before may be put back after.
        self._epochs[symbol] = self._epochs.get(symbol, 0) + 1
        self._flights.forget(lambda key: isinstance(key, tuple) and str(key[0]).split(":")[1] == symbol)
        self._coverer.forget(symbol)
        self._hold_offs.clear(symbol)
        answers = self._memory.drop_ticker(symbol)
        chunks = await self._store.delete_ticker(symbol)
        self.telemetry.log(Level.INFO, "ticker invalidated", ticker=symbol, chunks=chunks, answers=answers)
        return Invalidated(chunks, answers)

    async def suggest(self, text: str, limit: int) -> Sequence[TickerInfo]:
        """Return tickers of the source that match ``text``, best first; none while the source refuses every call."""
        if self._hold_offs.of_source(self._vendors[0].name) is not None:
            return ()
        return await self._vendors[0].suggest(text, limit)

    async def listing(self, ticker: str) -> Span | None:
        """Return the first and last date of the source's daily candles, None where it does not tell; not remembered."""
        series = Series(normalise_ticker(ticker), self._vendors[0].name, Resolution.DAY)
        if await self._hold_offs.of(series, self._vendors[0]) is not None:
            return None
        today = market_date(self.as_of())
        return await self._vendors[0].listing(series, Span(today, today))

    def status(self) -> CacheStatus:
        """Return the cache at work."""
        self.settle()
        vendor = self._vendors[0]
        return CacheStatus(
            source=vendor.name,
            market_date=market_date(self.as_of()),
            data_until=vendor.traits.data_until,
            resolutions={
                resolution: ResolutionFacts(adjustments, resolution in vendor.traits.synthetic)
                for resolution, adjustments in vendor.traits.adjustments.items()
            },
            memory=self._memory.statistics(),
            store=self._store.name,
            breaker=self._store.breaker.state,
            quota=vendor.quota(),
            calls_saved=self._calls_saved,
        )

    async def close(self) -> None:
        """Let what is in flight end, write what it fetched, and release store and vendors."""
        self.settle()
        await self._flights.drain()
        await self._coverer.drain()
        for vendor in self._vendors:
            await vendor.close()
        await self._store.close()

    # --- the walk ------------------------------------------------------------------------------------------------

    async def _walk(self, request: CandleRequest, visit: StoreVisit) -> Served:
        epoch = self._epochs.get(request.ticker, 0)
        served = await self._sources.answer(request, visit)
        if visit.ended:
            served = replace(served, degraded=True)
        if self._epochs.get(request.ticker, 0) == epoch:
            self._memory.put(memory_key(request), served.answer if served.believed else self._held_off(served.answer))
        return served

    def _held_off(self, answer: Answer) -> Answer:
        """Return an empty answer that nothing confirms, to be repeated for some seconds: polling is not asking."""
        series = Series(answer.request.ticker, answer.source, answer.resolution)
        until = self.clock.now() + self._hold_offs.unconfirmed(series)
        return replace(answer, fresh_until=min(answer.fresh_until, until), representations={})

    def _retry(self, request: CandleRequest) -> None:
        self._hold_offs.retry(request.ticker)
        key = memory_key(request)
        answer = self._memory.peek(key)
        whole = answer is None or (answer.shortfall is None and answer.fallback is None and len(answer.candles) > 0)
        if not whole:
            self._memory.discard(key)


def memory_key(request: CandleRequest) -> Hashable:
    """Return what the memory tier keeps the answer to ``request`` under."""
    return (request.cache_key, request.adjustment, request.raw_too)
