"""Where an answer comes from once the memory tier has none: the source, other vendors, what is held, daily candles.

This module knows the order; how a need is filled is ``covering``'s business, and what makes an answer the domain's.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from ohlcache.domain.answer import Answer, Fallback, Served, Shortfall
from ohlcache.domain.composition import SourceFacts, compose
from ohlcache.domain.errors import (
    IncompleteData,
    NotEntitled,
    OhlcacheError,
    TickerNotFound,
    VendorError,
    VendorGarbage,
    VendorUnavailable,
)
from ohlcache.domain.freshness import last_due_day
from ohlcache.domain.plan import Need, due_sessions, needs_of
from ohlcache.domain.request import Range
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.span import Span
from ohlcache.ports import Level, Metric
from ohlcache.service.covering import Covered
from ohlcache.service.offers import adjustment_of, market_now, serves

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ohlcache.domain.adjustment import Adjustment
    from ohlcache.domain.coverage import Holding
    from ohlcache.domain.rejections import RejectedRow
    from ohlcache.domain.request import CandleRequest
    from ohlcache.domain.sessions import SessionTable
    from ohlcache.ports import CandleVendor, Clock, Telemetry
    from ohlcache.service.covering import Coverer
    from ohlcache.service.guarded_store import GuardedStore, StoreVisit


WORTH_ANOTHER_WAY = (VendorUnavailable, VendorGarbage, NotEntitled)
"""Failures after which another vendor, and for minutes daily candles, are asked for; a quota is not bypassed."""

FALLBACK_LIFE_SECONDS = 300.0
"""How long a fallback (another vendor's candles, daily ones) is repeated before the source is tried again."""

HELD_REACH_DAYS = 31
"""How far back ``1D`` looks for the newest session that is held, where the vendor does not give today's."""

REASON_ROWS_MAX = 3
"""How many rejected rows a reason names."""


class Sources:
    """Answers requests from the vendors, of which the first is the source, and the store; belongs to one event loop.

    ``get`` is how an answer is asked for that another request may share: the way from the memory tier on.
    """

    def __init__(
        self,
        *,
        calendar: SessionTable,
        clock: Clock,
        telemetry: Telemetry,
        store: GuardedStore,
        vendors: Sequence[CandleVendor],
        coverer: Coverer,
        final_life_seconds: float,
        get: Callable[[CandleRequest, StoreVisit], Awaitable[Served]],
    ) -> None:
        self.calendar = calendar
        self.clock = clock
        self.telemetry = telemetry
        self._store = store
        self._vendors = tuple(vendors)
        self._coverer = coverer
        self._final_life_seconds = final_life_seconds
        self._get = get

    async def answer(self, request: CandleRequest, visit: StoreVisit) -> Served:
        """Ask the source; where it fails, the other vendors, what is held, daily candles, in this order."""
        source, *others = self._vendors
        try:
            if request.resolution not in source.traits.limits:
                raise NotEntitled(f"{source.name} has no candles of resolution {request.resolution}.")
            return await self._from(source, request, visit)
        except (VendorError, TickerNotFound, IncompleteData) as exc:
            failure: OhlcacheError = exc
        level = Level.INFO if isinstance(failure, TickerNotFound) else Level.WARNING
        self.telemetry.log(level, "source failed", source=source.name, ticker=request.ticker, code=failure.code)
        for vendor in others if isinstance(failure, WORTH_ANOTHER_WAY) else ():
            if not serves(vendor, request):
                continue
            try:
                other = await self._from(vendor, request, visit)
                return replace(other, answer=self._short_lived(other.answer), degraded=True)
            except OhlcacheError as exc:
                self.telemetry.log(Level.WARNING, "source failed", source=vendor.name, code=exc.code)
        served = await self._from_held(source, request, failure, visit)
        if served is None and isinstance(failure, WORTH_ANOTHER_WAY) and not request.resolution.is_daily:
            served = await self._from_daily(request, failure, visit)
        if served is None:
            raise failure
        return served

    async def _from(self, vendor: CandleVendor, request: CandleRequest, visit: StoreVisit) -> Served:
        adjustment = adjustment_of(vendor, request)
        # Complete as of when it was asked: a session may become due while the vendor answers.
        as_of = market_now(vendor, self.clock.now())
        covered = await self.cover(request, vendor, adjustment, visit)
        rejected = tuple(row for part in covered for row in part.rejected)
        holdings = [part.holding for part in covered]
        failure: OhlcacheError | None = VendorGarbage(_sentences(rejected)) if rejected else None
        answer = self._compose(request, vendor, adjustment, holdings, as_of, failure=failure)
        missing = answer.certificate.missing
        if missing and failure is None:
            failure = IncompleteData(f"The vendor's replies leave out {_dates(missing)}.", missing=missing)
            answer = self._compose(request, vendor, adjustment, holdings, as_of, failure=failure)
        if missing and failure is not None:
            # What was held before may be of use where the reply was not.
            held = await self._from_held(vendor, request, failure, visit)
            if held is not None and len(held.answer.candles) > len(answer.candles):
                return held
            if not len(answer.candles):
                raise failure
        tier = vendor.name if any(part.from_vendor for part in covered) else self._store.name
        now = self.clock.now()
        believed = all(part.believed for part in covered)
        if not believed:
            answer = self._short_lived(answer)
        return Served(answer, tier, max(0.0, now - answer.observed_at), believed=believed)

    async def cover(
        self, request: CandleRequest, vendor: CandleVendor, adjustment: Adjustment, visit: StoreVisit
    ) -> list[Covered]:
        """Return the request's own series, and its ledger where it has one, from the store or from ``vendor``."""
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

    async def _from_held(
        self, vendor: CandleVendor, request: CandleRequest, failure: OhlcacheError, visit: StoreVisit
    ) -> Served | None:
        """Return what the store holds of the request, expired or not, marked with ``failure``; None without a candle.

        ``1D`` whose session is not held begins with the newest one that is, some weeks back at most.
        """
        if not serves(vendor, request):
            return None
        adjustment = adjustment_of(vendor, request)
        as_of = market_now(vendor, self.clock.now())
        reach = request.span
        if request.range == Range.DAY:
            earliest = max(reach.start - timedelta(days=HELD_REACH_DAYS), self.calendar.span.start)
            reach = Span(min(earliest, reach.start), reach.end)
        needs = needs_of(replace(request, span=reach), vendor.name, adjustment, self.calendar, as_of)
        held = [await self._coverer.held(need, visit, expired=True) for need in needs]
        days = held[0].candle_days()
        days = days[(days >= reach.start.toordinal()) & (days <= reach.end.toordinal())]
        if len(days):
            start = min(request.span.start, date.fromordinal(int(days[-1])))
            request = replace(request, span=Span(start, request.span.end))
        elif isinstance(failure, TickerNotFound) or len(
            due_sessions(Need(needs[0].series, request.span), self.calendar, as_of)
        ):
            return None
        # Else no session of the span is due: there is nothing to adjust, and a refused ledger is no reason to fail.
        answer = self._compose(request, vendor, adjustment, held, as_of, stale=True, failure=failure)
        if len(days) and not len(answer.candles):
            return None
        self.telemetry.count(Metric.STALE_ANSWERS, source=vendor.name)
        age = max(0.0, self.clock.now() - answer.observed_at)
        return Served(answer, self._store.name, age, degraded=True)

    async def _from_daily(self, request: CandleRequest, failure: OhlcacheError, visit: StoreVisit) -> Served | None:
        """Return daily candles for an intraday request of which no minute is held, flagged as what they are."""
        span = request.span
        if request.range == Range.DAY:
            # The newest daily session may be an earlier one, and a daily key must mean the daily span.
            newest = last_due_day(Resolution.DAY, self.calendar, market_now(self._vendors[0], self.clock.now()))
            span = Span(min(span.start, newest or span.start), span.end)
        daily = replace(request, resolution=Resolution.DAY, span=span)
        try:
            served = await self._get(daily, visit)
        except OhlcacheError:
            return None
        message = f"Resolution {request.resolution} is not available at the moment; these are daily candles."
        fallback = Fallback(request.resolution, message)
        shown = replace(request, span=served.answer.request.span)
        answer = self._short_lived(replace(served.answer, request=shown, fallback=fallback))
        self.telemetry.log(Level.WARNING, "resolution fallback", ticker=request.ticker, code=failure.code)
        return Served(answer, served.tier, served.age_seconds, degraded=True)

    def _short_lived(self, answer: Answer) -> Answer:
        """Return ``answer``, fresh for no longer than a fallback may be."""
        until = min(answer.fresh_until, self.clock.now() + FALLBACK_LIFE_SECONDS)
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
        failure: OhlcacheError | None = None,
    ) -> Answer:
        facts = SourceFacts(
            vendor.name,
            vendor.traits.data_until,
            request.resolution in vendor.traits.synthetic,
            request.resolution in vendor.traits.pre_adjusted,
        )
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
            shortfall=None if failure is None else Shortfall(failure.code, failure.message),
        )


def _sentences(rejected: Sequence[RejectedRow]) -> str:
    """Return what was wrong with the first rejected rows, and how many more there are."""
    sentences = list(dict.fromkeys(row.sentence for row in rejected))
    more = len(sentences) - REASON_ROWS_MAX
    return " ".join([*sentences[:REASON_ROWS_MAX], *([f"{more} more rows were rejected."] if more > 0 else [])])


def _dates(missing: Sequence[str]) -> str:
    """Return in words which sessions are missing."""
    return f"the session of {missing[0]}" if len(missing) == 1 else f"{len(missing)} sessions, the first {missing[0]}"
