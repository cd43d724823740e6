"""From spans to ask for to what is then known: the vendor's answers, validated and confirmed.

An answer that looks cut off by a row cap is asked for again where it is short, until each gap is filled or
confirmed by an answer of its own. An answer without any candle is believed only as far as something else bears it out.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from ohlcache.domain.adjustment import Actions
from ohlcache.domain.candles import Candles
from ohlcache.domain.coverage import Holding, merge
from ohlcache.domain.errors import OhlcacheError, VendorGarbage
from ohlcache.domain.observation import VendorAnswer, contradicts_listing, doubtful_gaps, observe
from ohlcache.domain.span import Span

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from ohlcache.domain.series import Series
    from ohlcache.domain.sessions import SessionTable
    from ohlcache.ports import CandleVendor, Clock

SPLITS_MAX = 8
PARALLEL_CALLS_MAX = 4


@dataclass(frozen=True, slots=True, eq=False)
class Fetched:
    """What a fetch brought: ``holding`` to answer from, ``kept`` the part of it that may be stored.

    ``failure``: why some of the spans are not in it, None when all are. ``calls``: how often the vendor was asked.
    """

    holding: Holding
    kept: Holding
    calls: int
    failure: OhlcacheError | None = None


class Fetcher:
    """Asks vendors; keeps nothing."""

    def __init__(self, *, calendar: SessionTable, clock: Clock) -> None:
        self._calendar = calendar
        self._clock = clock
        self._slots = asyncio.Semaphore(PARALLEL_CALLS_MAX)

    async def fetch(
        self, vendor: CandleVendor, series: Series, spans: Sequence[Span], *, listed_before: bool
    ) -> Fetched:
        """Ask for ``spans`` (newest first) and return everything that came, also when some of it failed.

        ``listed_before``: candles older than the oldest span are known to exist.
        """
        oldest = min(spans)
        outcomes = await asyncio.gather(
            *(self._one(vendor, series, span, listed_before=listed_before or span != oldest) for span in spans),
            return_exceptions=True,
        )
        failure = None
        fetched = []
        for outcome in outcomes:
            if isinstance(outcome, OhlcacheError):
                failure = failure or outcome
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                fetched.append(outcome)
        return Fetched(
            merge([part.holding for part in fetched]),
            merge([part.kept for part in fetched]),
            sum(part.calls for part in fetched),
            failure,
        )

    async def _one(self, vendor: CandleVendor, series: Series, span: Span, *, listed_before: bool) -> Fetched:
        async with self._slots:
            return await self._confirmed(
                vendor, series, span, SPLITS_MAX, listed_before=listed_before, doubted_until=None
            )

    async def _confirmed(
        self,
        vendor: CandleVendor,
        series: Series,
        span: Span,
        splits: int,
        *,
        listed_before: bool,
        doubted_until: date | None,
    ) -> Fetched:
        """Ask for one span, and again for those edges of the answer that may have been cut off.

        ``doubted_until``: this is such an edge, and the first candle that is known lies on that day.
        """
        observed_at = self._clock.now()
        as_of = market_now(vendor, observed_at)
        answer = await vendor.fetch(series, span)
        if contradicts_listing(answer, span, self._calendar):
            raise VendorGarbage(f"The vendor has no candle of {series.ticker} where its own listing says there are.")
        if doubted_until and not len(answer.candles) and answer.listing is None and not listed_before:
            # Asked twice and empty twice, with candles from that day on: the ticker was not listed yet.
            answer = VendorAnswer(answer.candles, answer.actions, Span(doubted_until, doubted_until))
        gaps = doubtful_gaps(answer, span, series.resolution, calendar=self._calendar, as_of=as_of)
        if gaps and not splits:
            raise VendorGarbage(f"The vendor keeps cutting off its answers for {series.ticker}.")
        parts, calls = [], 1
        for gap in gaps:
            older = gap.start > span.start or listed_before
            known = min(gap.end + timedelta(days=1), span.end)
            more = await self._confirmed(vendor, series, gap, splits - 1, listed_before=older, doubted_until=known)
            parts.append(more.holding)
            calls += more.calls
        rest = _without(span, gaps)
        if rest is not None:
            parts.append(
                observe(
                    _within(answer, rest, self._calendar, series),
                    rest,
                    series.resolution,
                    calendar=self._calendar,
                    asked_as_of=as_of,
                    observed_at=observed_at,
                    listed_before=listed_before or any(gap.end < rest.start for gap in gaps),
                )
            )
        holding = merge(parts)
        believed = bool(doubted_until) or len(holding.candles) > 0 or answer.listing is not None or listed_before
        return Fetched(holding, holding if believed else Holding.empty(), calls)


def market_now(vendor: CandleVendor, now: float) -> float:
    """Return the market time of a vendor's series: now, but never past the end of its data."""
    until = vendor.traits.data_until
    return now if until is None else min(now, until)


def _without(span: Span, gaps: Sequence[Span]) -> Span | None:
    start, end = span.start, span.end
    for gap in gaps:
        if gap.end < end:
            start = gap.end + timedelta(days=1)
        else:
            end = gap.start - timedelta(days=1)
    return Span(start, end) if start <= end else None


def _within(answer: VendorAnswer, span: Span, calendar: SessionTable, series: Series) -> VendorAnswer:
    """Return the answer without the candles of sessions outside ``span``, which an own answer speaks for."""
    sessions = calendar.between(span)
    inside = sessions.locate(answer.candles.time, series.resolution) >= 0
    if inside.all():
        return answer
    keep = answer.actions.days >= span.start.toordinal()
    return VendorAnswer(
        answer.candles[inside] if len(inside) else Candles.empty(),
        answer.actions[np.asarray(keep)] if len(answer.actions) else Actions.none(),
        answer.listing,
    )
