"""The walk of a request: memory tier, single flight, store, plan, lease, vendor, and back.

This module chooses the source and says what happens when one fails; how a need is covered is ``covering``'s business,
and what makes an answer is the domain's.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from ohlcache.domain.adjustment import Adjustment
from ohlcache.domain.answer import IN_MEMORY, Answer, Fallback, Served
from ohlcache.domain.composition import SourceFacts, compose
from ohlcache.domain.coverage import Holding
from ohlcache.domain.errors import (
    IncompleteData,
    NotEntitled,
    OhlcacheError,
    VendorError,
    VendorGarbage,
    VendorUnavailable,
)
from ohlcache.domain.freshness import last_due_day
from ohlcache.domain.market_time import market_date
from ohlcache.domain.plan import Need, due_sessions, missing_days, needs_of, unbroken_from
from ohlcache.domain.request import CUSTOM, CandleRequest, Range
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.series import Series
from ohlcache.domain.span import Span
from ohlcache.domain.ticker import normalise_ticker
from ohlcache.ports import Level, Metric
from ohlcache.service.covering import Covered, Coverer
from ohlcache.service.fetching import market_now
from ohlcache.service.offers import adjustment_of, serves
from ohlcache.service.reports import (
    Backfilled,
    CacheStatus,
    Invalidated,
    ResolutionFacts,
    SessionReport,
    session_reports,
)
from ohlcache.service.single_flight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from ohlcache.domain.sessions import SessionTable
    from ohlcache.ports import CandleVendor, Clock, Telemetry, TickerInfo
    from ohlcache.service.guarded_store import GuardedStore, StoreVisit
    from ohlcache.service.memory_tier import MemoryTier

WORTH_ANOTHER_WAY = (VendorUnavailable, VendorGarbage, NotEntitled)
"""Failures after which another vendor, older data or daily candles are tried; a quota is not worked around."""

STAND_IN_LIFE_SECONDS = 300.0
"""How long what stands in (another vendor's candles, daily ones) is repeated before the source is tried again."""


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
        self._coverer = Coverer(calendar, clock, telemetry, store, final_life_seconds)
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
        partial: bool = False,
    ) -> CandleRequest:
        """Return the request a caller wrote, dated by the market's today; InvalidRequest names the field to mend."""
        return CandleRequest.parse(
            ticker,
            range=range,
            start_date=start_date,
            end_date=end_date,
            resolution=resolution,
            adjust=adjust,
            partial=partial,
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

    async def get(self, request: CandleRequest) -> Served:
        """Return the answer, from the nearest tier that has it.

        Raises an OhlcacheError when the ticker is unknown, the vendor does not deliver and nothing older is at hand, or
        the source cannot adjust as asked.
        """
        served = self.hit(request)
        return served if served is not None else await self._missed(request, self._store.visit())

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
        covered = await self._cover(request, vendor, adjustment_of(vendor, request), self._store.visit())
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
        answers = self._memory.drop_ticker(symbol)
        chunks = await self._store.delete_ticker(symbol)
        self.telemetry.log(Level.INFO, "ticker invalidated", ticker=symbol, chunks=chunks, answers=answers)
        return Invalidated(chunks, answers)

    async def suggest(self, text: str, limit: int) -> Sequence[TickerInfo]:
        """Return tickers of the source that match ``text``, best first."""
        return await self._vendors[0].suggest(text, limit)

    async def listing(self, ticker: str) -> Span | None:
        """Return the first and last date of the source's daily candles, None where it does not tell; not remembered."""
        series = Series(normalise_ticker(ticker), self._vendors[0].name, Resolution.DAY)
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
        served = await self._from_anywhere(request, visit)
        if visit.ended:
            served = replace(served, degraded=True)
        keep = served.answer.certificate.complete or served.answer.stale
        if keep and served.believed and self._epochs.get(request.ticker, 0) == epoch:
            self._memory.put(memory_key(request), served.answer)
        return served

    async def _from_anywhere(self, request: CandleRequest, visit: StoreVisit) -> Served:
        """Ask the source; where it fails, the other vendors, older data, daily candles, in this order."""
        source, *others = self._vendors
        try:
            if request.resolution not in source.traits.limits:
                raise NotEntitled(f"{source.name} has no candles of resolution {request.resolution}.")
            return await self._from(source, request, visit)
        except WORTH_ANOTHER_WAY as exc:
            failure: VendorError = exc
        self.telemetry.log(Level.WARNING, "source failed", source=source.name, ticker=request.ticker, code=failure.code)
        for vendor in others:
            if not serves(vendor, request):
                continue
            try:
                other = await self._from(vendor, request, visit)
                return replace(other, answer=self._standing_in(other.answer), degraded=True)
            except OhlcacheError as exc:
                self.telemetry.log(Level.WARNING, "source failed", source=vendor.name, code=exc.code)
        served = await self._from_older(source, request, visit)
        if served is None and not request.resolution.is_daily:
            served = await self._from_daily(request, failure, visit)
        if served is None and request.partial:
            served = await self._from_older(source, request, visit, partial=True)
        if served is None:
            raise failure
        return served

    async def _from(self, vendor: CandleVendor, request: CandleRequest, visit: StoreVisit) -> Served:
        adjustment = adjustment_of(vendor, request)
        # Complete as of when it was asked: a session may become due while the vendor answers.
        as_of = market_now(vendor, self.clock.now())
        covered = await self._cover(request, vendor, adjustment, visit)
        answer = self._compose(request, vendor, adjustment, [part.holding for part in covered], as_of)
        if not answer.certificate.complete and not request.partial:
            missing = answer.certificate.missing
            raise IncompleteData(
                f"{len(missing)} sessions of {request.ticker} could not be had, the first of them {missing[0]}.",
                missing=missing,
            )
        tier = vendor.name if any(part.from_vendor for part in covered) else self._store.name
        now = self.clock.now()
        believed = all(part.believed for part in covered)
        if not believed:
            answer = self._standing_in(answer)
        return Served(answer, tier, max(0.0, now - answer.observed_at), believed=believed)

    async def _cover(
        self, request: CandleRequest, vendor: CandleVendor, adjustment: Adjustment, visit: StoreVisit
    ) -> list[Covered]:
        as_of = market_now(vendor, self.clock.now())
        needs = needs_of(request, vendor.name, adjustment, self.calendar, as_of)
        work = [
            self._coverer.cover(need, vendor, replace(request, resolution=need.series.resolution).lock_key, visit)
            for need in needs
        ]
        if len(work) == 1:
            return [await work[0]]  # without the cost of a task
        outcomes = await asyncio.gather(*work, return_exceptions=True)
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if failures:
            # A failure that ends the request goes first: a refused ledger is not asked for again on another way.
            raise min(failures, key=lambda failure: isinstance(failure, WORTH_ANOTHER_WAY))
        return [outcome for outcome in outcomes if isinstance(outcome, Covered)]

    async def _from_older(
        self, vendor: CandleVendor, request: CandleRequest, visit: StoreVisit, *, partial: bool = False
    ) -> Served | None:
        """Return what the store has if only the newest sessions are missing; with ``partial``, whatever it has."""
        if not serves(vendor, request):
            return None
        adjustment = adjustment_of(vendor, request)
        needs = needs_of(request, vendor.name, adjustment, self.calendar, as_of := market_now(vendor, self.clock.now()))
        held = [await self._coverer.held(need, visit, expired=not partial) for need in needs]
        firsts = [
            unbroken_from(need, part.coverage, self.calendar, as_of) for need, part in zip(needs, held, strict=True)
        ]
        own, ledger, stale = held[0], held[-1], not partial
        if stale and any(first != need.span.start for first, need in zip(firsts, needs, strict=True)):
            return None
        if partial and adjustment is not Adjustment.NONE:
            # Before a hole in the ledger prices would be wrong; a ledger that lacks its end makes them old.
            own = own.between(firsts[-1].toordinal(), date.max.toordinal()) if firsts[-1] else Holding.empty()
            stale = bool(missing_days(due_sessions(needs[-1], self.calendar, as_of)[-1:], ledger.coverage).size)
        answer = self._compose(request, vendor, adjustment, [own, ledger], as_of, stale=stale)
        if not len(answer.candles) and not partial:
            return None
        self.telemetry.count(Metric.STALE_ANSWERS, source=vendor.name)
        age = max(0.0, self.clock.now() - answer.observed_at)
        return Served(answer, self._store.name, age, degraded=True)

    async def _from_daily(self, request: CandleRequest, failure: VendorError, visit: StoreVisit) -> Served | None:
        """Return daily candles for an intraday request that nobody can answer, flagged as what they are."""
        span = request.span
        if request.range == Range.DAY:
            # The newest daily session may be an earlier one, and a daily key must mean the daily span.
            newest = last_due_day(Resolution.DAY, self.calendar, self.as_of())
            span = Span(min(span.start, newest or span.start), span.end)
        daily = replace(request, resolution=Resolution.DAY, span=span, partial=False)
        try:
            served = self.hit(daily) or await self._missed(daily, visit)
        except OhlcacheError:
            return None
        message = f"Resolution {request.resolution} is not available at the moment; these are daily candles."
        fallback = Fallback(request.resolution, message)
        answer = self._standing_in(replace(served.answer, request=replace(request, span=span), fallback=fallback))
        self.telemetry.log(Level.WARNING, "resolution fallback", ticker=request.ticker, code=failure.code)
        return Served(answer, served.tier, served.age_seconds, degraded=True)

    def _standing_in(self, answer: Answer) -> Answer:
        """Return ``answer``, fresh for no longer than a stand-in may be."""
        until = min(answer.fresh_until, self.clock.now() + STAND_IN_LIFE_SECONDS)
        return replace(answer, fresh_until=until, representations={})

    def _compose(
        self,
        request: CandleRequest,
        vendor: CandleVendor,
        adjustment: Adjustment,
        holdings: Sequence[Holding],
        as_of: float,
        *,
        stale: bool = False,
    ) -> Answer:
        facts = SourceFacts(vendor.name, vendor.traits.data_until, request.resolution in vendor.traits.synthetic)
        return compose(
            request,
            # Prices that arrive adjusted are not adjusted again.
            adjustment,
            holdings[0],
            holdings[-1],
            facts,
            calendar=self.calendar,
            now=self.clock.now(),
            as_of=as_of,
            final_life_seconds=self._final_life_seconds,
            stale=stale,
        )


def memory_key(request: CandleRequest) -> Hashable:
    """Return what the memory tier keeps the answer to ``request`` under."""
    return (request.cache_key, request.adjustment, request.partial, request.raw_too)
