"""From spans to ask for to what is then known: the vendor's answers, validated and confirmed.

An answer that looks cut off by a row cap is asked for again where it is short, until each gap is filled or
confirmed by an answer of its own. An answer without any candle is believed only as far as something else bears it out.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from ohlcache.domain.adjustment import Actions
from ohlcache.domain.candles import Candles
from ohlcache.domain.coverage import Holding, merge
from ohlcache.domain.errors import OhlcacheError, VendorGarbage
from ohlcache.domain.freshness import last_final_day
from ohlcache.domain.observation import Beside, VendorAnswer, contradicts_listing, doubtful_gaps, observe
from ohlcache.domain.span import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

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

    async def fetch(
        self,
        vendor: CandleVendor,
        series: Series,
        spans: Sequence[Span],
        *,
        listed_before: bool,
        empty_before: NDArray[np.int32],
    ) -> Fetched:
        """Ask for ``spans`` (newest first) and return everything that came, also when some of it failed.

        ``listed_before``: candles older than the oldest span are known to exist; ``empty_before``: days that were
        known to be empty and are asked for again.
        """
        oldest = min(spans)
        # Of this fetch only: tickers must not wait for one another.
        slots = asyncio.Semaphore(PARALLEL_CALLS_MAX)
        outcomes = await asyncio.gather(
            *(self._one(slots, vendor, series, span, listed_before or span != oldest, empty_before) for span in spans),
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

    async def _one(
        self,
        slots: asyncio.Semaphore,
        vendor: CandleVendor,
        series: Series,
        span: Span,
        listed_before: bool,  # noqa: FBT001 - what is known, not what to do
        empty_before: NDArray[np.int32],
    ) -> Fetched:
        async with slots:
            observed_at = self._clock.now()
            answer = await vendor.fetch(series, span)
            if contradicts_listing(answer, span, self._calendar, empty_before=empty_before):
                raise VendorGarbage(
                    f"The vendor has no candle of {series.ticker} where its own listing says there are."
                )
            calls = 1
            if listed_before and self._surprises(answer, span, series, market_now(vendor, observed_at), empty_before):
                answer, calls = await vendor.fetch(series, span), 2
            fetched = await self._confirmed(
                vendor, series, span, answer, observed_at, SPLITS_MAX, listed_before=listed_before
            )
            return replace(fetched, calls=fetched.calls + calls - 1)

    def _surprises(
        self, answer: VendorAnswer, span: Span, series: Series, as_of: float, empty_before: NDArray[np.int32]
    ) -> bool:
        """Whether an empty answer about a ticker that traded before needs a second word before it is believed.

        It does if it denies sessions that are final and were not known to be empty, and nothing else bears it out.
        """
        newest = last_final_day(series.resolution, self._calendar, as_of)
        if len(answer.candles) or answer.listing is not None or newest is None or newest < span.start:
            return False
        final = self._calendar.between(Span(span.start, min(span.end, newest))).days
        return not np.isin(final, empty_before).all()

    async def _confirmed(
        self,
        vendor: CandleVendor,
        series: Series,
        span: Span,
        answer: VendorAnswer,
        observed_at: float,
        splits: int,
        *,
        listed_before: bool,
        beside: Beside | None = None,
    ) -> Fetched:
        """Return what ``answer`` tells of ``span``, having asked again for those edges that may have been cut off.

        ``beside``: this is such an edge.
        """
        as_of = market_now(vendor, observed_at)
        gaps = doubtful_gaps(answer, span, series.resolution, calendar=self._calendar, as_of=as_of, beside=beside)
        if gaps and not splits:
            raise VendorGarbage(f"The vendor keeps cutting off its answers for {series.ticker}.")
        parts, calls = [], 1
        for gap, edge in gaps:
            asked_at = self._clock.now()
            own = await vendor.fetch(series, gap)
            if not len(own.candles) and len(_within(answer, gap, self._calendar, series).candles):
                raise VendorGarbage(f"The vendor denies candles of {series.ticker} that it sent a moment ago.")
            older = gap.start > span.start or listed_before
            if not len(own.candles) and own.listing is None and not older:
                # Asked twice and empty twice, with candles from then on: the ticker was not listed yet.
                own = VendorAnswer(own.candles, own.actions, Span(*[min(gap.end + timedelta(days=1), span.end)] * 2))
            more = await self._confirmed(
                vendor, series, gap, own, asked_at, splits - 1, listed_before=older, beside=edge
            )
            parts.append(more.holding)
            calls += more.calls
        rest = _without(span, [gap for gap, _ in gaps])
        if rest is not None:
            parts.append(
                observe(
                    _within(answer, rest, self._calendar, series),
                    rest,
                    series.resolution,
                    calendar=self._calendar,
                    asked_as_of=as_of,
                    observed_at=observed_at,
                    listed_before=listed_before or any(gap.end < rest.start for gap, _ in gaps),
                )
            )
        holding = merge(parts)
        believed = beside is not None or len(holding.candles) > 0 or answer.listing is not None or listed_before
        return Fetched(holding, holding if believed else Holding.empty(), calls)


def market_now(vendor: CandleVendor, now: float) -> float:
    """Return the market time of a vendor's series: now, but never past the end of its data."""
    until = vendor.traits.data_until
    return now if until is None else min(now, until)


def _without(span: Span, gaps: Sequence[Span]) -> Span | None:
    start, end = span.start, span.end
    for gap in gaps:
        if gap.start == span.start:
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
