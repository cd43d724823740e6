"""From spans to ask for to what is then known: the vendor's answers, validated and confirmed.

An answer that looks cut off by a row cap is asked for again where it is short, until each gap is filled or
confirmed by an answer of its own. An answer without any row counts only as far as something else confirms it: what was
known before, a second answer, or the ticker's first and last date, which are asked for only then. Rows that cannot be
true cost their sessions; an answer of nothing else is an error, unless candles of before are held.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ohlcache.domain.adjustment import Actions
from ohlcache.domain.candles import Candles
from ohlcache.domain.coverage import Holding, merge
from ohlcache.domain.errors import (
    BadVendorCredentials,
    NotEntitled,
    OhlcacheError,
    QuotaExceeded,
    TickerNotFound,
    VendorGarbage,
)
from ohlcache.domain.freshness import last_final_day
from ohlcache.domain.observation import (
    Beside,
    VendorAnswer,
    contradicts_listing,
    doubtful_gaps,
    observe,
    placed,
    possible,
    without_bare_look_back,
)
from ohlcache.domain.span import Span
from ohlcache.service.offers import market_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ohlcache.domain.rejections import RejectedRow
    from ohlcache.domain.series import Series
    from ohlcache.domain.sessions import SessionTable
    from ohlcache.ports import CandleVendor, Clock

Outcome = TypeVar("Outcome")

SPLITS_MAX = 40
PARALLEL_CALLS_MAX = 4

REFUSES_THE_REST = (QuotaExceeded, BadVendorCredentials, NotEntitled)
"""Refusals that every further call of the same fetch would get, too."""


@dataclass(frozen=True, slots=True, eq=False)
class Fetched:
    """What a fetch brought: ``holding`` to answer from, ``kept`` the part of it that may be stored.

    ``failure``: why some of the spans are not in it, None when all are. ``calls``: how often the vendor was asked.
    ``rejected``: the rows that cannot be true, ascending by date; their sessions are not in ``kept``.
    """

    holding: Holding
    kept: Holding
    calls: int
    failure: OhlcacheError | None = None
    rejected: tuple[RejectedRow, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Before:
    """What is known of a series before it is asked for.

    ``listed``: candles older than the oldest span exist; ``empty``: days that the vendor has called empty already and
    that are asked for again; ``traded``: days that are final and have candles, ascending; ``look_back``: days
    before the first one that was asked for, which come along for the close before it.
    """

    listed: bool
    empty: NDArray[np.int32]
    traded: NDArray[np.int32]
    look_back: Span | None = None


class Fetcher:
    """Asks vendors; keeps nothing."""

    def __init__(self, *, calendar: SessionTable, clock: Clock) -> None:
        self._calendar = calendar
        self._clock = clock

    async def fetch(self, vendor: CandleVendor, series: Series, spans: Sequence[Span], before: Before) -> Fetched:
        """Ask for ``spans`` and return everything that came, also when some of it failed."""
        fetch = _Fetch(vendor, series, before, self._calendar, self._clock)
        asked = [fetch.asked(span) for span in sorted(spans)]
        heard = [_ours(outcome) for outcome in await asyncio.gather(*asked, return_exceptions=True)]
        judged = [_ours(outcome) for outcome in await fetch.judged(heard)]
        fetched = [part for part in judged if isinstance(part, Fetched)]
        failures = [outcome for outcome in (*heard, *judged) if isinstance(outcome, OhlcacheError)]
        failures += [part.failure for part in fetched if part.failure is not None]
        holding, kept = merge([part.holding for part in fetched]), merge([part.kept for part in fetched])
        if fetch.unusable is not None and not len(holding.candles) and not len(before.traded):
            failures.append(fetch.unusable)
            holding = kept = Holding.empty()
        return Fetched(holding, kept, fetch.calls, failures[0] if failures else None, fetch.rejected)


@dataclass(frozen=True, slots=True, eq=False)
class _Heard:
    """The first answer about one of the spans, and when it was asked for.

    ``bare``: it has no row inside a session; ``unknown``: the vendor does not know the ticker.
    """

    span: Span
    answer: VendorAnswer
    asked_at: float
    bare: bool
    unknown: TickerNotFound | None = None


class _Fetch:
    """One fetch under way: its calls, and what the vendor says of the ticker's life, asked for once at most."""

    def __init__(
        self, vendor: CandleVendor, series: Series, before: Before, calendar: SessionTable, clock: Clock
    ) -> None:
        self.calls = 0
        self._vendor = vendor
        self._series = series
        self._before = before
        self._calendar = calendar
        self._clock = clock
        # Of this fetch only: tickers must not wait for one another.
        self._slots = asyncio.Semaphore(PARALLEL_CALLS_MAX)
        self._asking_life = asyncio.Lock()
        self._life_told: Span | None = None
        self._life_asked = False
        self._refusal: OhlcacheError | None = None
        self._rejected: dict[RejectedRow, None] = {}
        self.unusable: VendorGarbage | None = None

    @property
    def rejected(self) -> tuple[RejectedRow, ...]:
        """The rejected rows of all answers so far, ascending by date, each once."""
        return tuple(sorted(self._rejected, key=lambda row: (row.days, row.time or 0)))

    async def asked(self, span: Span) -> _Heard:
        """Return the vendor's first word on ``span``."""
        async with self._slots:
            asked_at = self._clock.now()
            try:
                answer = await self._ask(span)
            except TickerNotFound as exc:
                return _Heard(span, VendorAnswer(Candles.empty()), asked_at, bare=True, unknown=exc)
            if self._before.look_back is not None:
                span = without_bare_look_back(
                    answer, span, self._before.look_back, self._series.resolution, self._calendar
                )
            return self._heard(span, answer, asked_at)

    async def judged(self, words: Sequence[_Heard | OhlcacheError]) -> list[Fetched | BaseException]:
        """Return what the first words on all spans, oldest first, amount to; a failure stands where there was one.

        Raises TickerNotFound unless some span has rows: a vendor may say that, too, of a span before the listing.
        """
        heard = [word for word in words if isinstance(word, _Heard)]
        unknown = next((word.unknown for word in heard if word.unknown is not None), None)
        if unknown is not None and all(word.bare for word in heard):
            if self.unusable is not None:
                return [self.unusable]
            raise unknown
        bare = next((index for index, word in enumerate(words) if not _is_bare(word)), len(words))
        unlisted: list[Fetched] = []
        if 0 < bare < len(words) and isinstance(words[bare], _Heard) and not self._before.listed:
            again = await self._again(heard[bare - 1])
            words = [*words[: bare - 1], again, *words[bare:]]
            unlisted = self._unlisted([*heard[: bare - 1], again]) if isinstance(again, _Heard) else []
        work = [
            self._judge(word, listed=self._before.listed or not all(_is_bare(older) for older in words[:index]))
            for index, word in enumerate(words)
            if index >= len(unlisted) and isinstance(word, _Heard)
        ]
        return [*unlisted, *await asyncio.gather(*work, return_exceptions=True)]

    async def _again(self, word: _Heard) -> _Heard | OhlcacheError:
        """Return a second word on a bare span right before the first candles, where the first word is no proof."""
        if word.answer.listing is not None:
            return word
        try:
            return self._heard(word.span, await self._ask_beside(word.span), word.asked_at)
        except OhlcacheError as exc:
            return exc

    def _unlisted(self, words: Sequence[_Heard]) -> list[Fetched]:
        """Return the bare spans before the first candles as not listed yet; nothing if they cannot be that.

        There was nothing right before the first candle, asked for twice, so there is nothing before that.
        """
        newest = words[-1]
        first = newest.span.end + timedelta(days=1)
        told = newest.answer.listing or Span(first, first)
        if not newest.bare or told.start < first:
            return []
        return [self._observed(replace(word.answer, listing=told), word.span, word.asked_at) for word in words]

    async def _judge(self, heard: _Heard, *, listed: bool) -> Fetched:
        """Return what the vendor tells of a span; raises when it does not, or not credibly."""
        span, answer, asked_at = heard.span, heard.answer, heard.asked_at
        async with self._slots:
            believed = True
            if heard.bare and len(self._traded(span)):
                answer = await self._witnessed(span)
            elif heard.bare and self._denies(span, asked_at):
                if answer.listing is None and (self._series.resolution.is_daily or not self._before.listed):
                    answer = replace(answer, listing=await self._life(span))
                inside = self._within(answer, span)
                if contradicts_listing(inside, span, self._calendar, empty_before=self._before.empty):
                    answer = replace(await self._witnessed(span), listing=answer.listing)
                if answer.listing is None and listed:
                    answer = await self._ask(span)
                believed = _has_rows(answer) or answer.listing is not None or listed
            fetched = await self._confirmed(span, answer, asked_at, SPLITS_MAX, listed=listed)
            return fetched if believed else replace(fetched, kept=Holding.empty())

    async def _witnessed(self, span: Span) -> VendorAnswer:
        """Return the vendor's second word on a span that it denies: asked for together with the nearest traded day.

        A halt of whole sessions looks like a lost answer; one that has the candles of the day beside it is not lost.
        Raises VendorGarbage where no such day is known, or its candles are not in the answer either.
        """
        first, last = span.start.toordinal(), span.end.toordinal()
        traded = self._before.traded
        if len(traded):
            nearest = int(traded[np.argmin(np.maximum(np.maximum(first - traded, traded - last), 0))])
            answer = await self._ask(Span(*map(date.fromordinal, (min(first, nearest), max(last, nearest)))))
            witness = date.fromordinal(nearest)
            if _has_rows(self._within(answer, Span(witness, witness))):
                return self._within(answer, span)
        raise VendorGarbage(
            f"The vendor has no candle of {self._series.ticker} where its listing, or what it sent before, has some."
        )

    def _traded(self, span: Span) -> NDArray[np.int32]:
        """Return the days of ``span`` of which final candles are held: an answer without any is wrong about them."""
        traded = self._before.traded
        return traded[(traded >= span.start.toordinal()) & (traded <= span.end.toordinal())]

    async def _ask(self, span: Span) -> VendorAnswer:
        if self._refusal is not None:
            raise self._refusal
        self.calls += 1
        try:
            answer = await self._vendor.fetch(self._series, span)
        except REFUSES_THE_REST as exc:
            self._refusal = exc
            raise
        answer = possible(answer, self._series.resolution)
        if not answer.rejected:
            return answer
        own = placed(answer, self._calendar.between(span), self._series.resolution)
        self._rejected.update(dict.fromkeys(own.rejected))
        first = (*own.rejected, *answer.rejected)[0]
        no_row = f"The vendor sent no usable row of {self._series.ticker}."
        self.unusable = self.unusable or VendorGarbage(f"{no_row} {first.sentence}")
        return own

    async def _ask_beside(self, gap: Span) -> VendorAnswer:
        """Ask for a gap beside candles: a vendor that does not know a ticker it just had candles of has none there."""
        try:
            return await self._ask(gap)
        except TickerNotFound:
            return VendorAnswer(Candles.empty())

    async def _life(self, span: Span) -> Span | None:
        """Return the ticker's first and last date where they explain that ``span`` is empty.

        They are those of daily rows: minutes need not have been traded in a listed span.
        """
        async with self._asking_life:
            if not self._life_asked:
                self._life_asked = True
                self.calls += 1
                self._life_told = await self._vendor.listing(self._series, span)
        told = self._life_told
        return None if told is None or (not self._series.resolution.is_daily and told.overlaps(span)) else told

    def _heard(self, span: Span, answer: VendorAnswer, asked_at: float) -> _Heard:
        return _Heard(span, answer, asked_at, bare=not _has_rows(self._within(answer, span)))

    def _denies(self, span: Span, asked_at: float) -> bool:
        """Whether a bare answer denies sessions that are final and have not been called empty before."""
        newest = last_final_day(self._series.resolution, self._calendar, market_now(self._vendor, asked_at))
        if newest is None or newest < span.start:
            return False
        final = self._calendar.between(Span(span.start, min(span.end, newest))).days
        return not np.isin(final, self._before.empty).all()

    async def _confirmed(
        self,
        span: Span,
        answer: VendorAnswer,
        asked_at: float,
        splits: int,
        *,
        listed: bool,
        beside: Beside | None = None,
    ) -> Fetched:
        """Return what ``answer`` tells of ``span``, having asked again for those edges that may have been cut off.

        ``listed``: candles older than the span are known, or assumed, to exist; ``beside``: this is such an edge. An
        edge that cannot be asked for is left out, with the failure.
        """
        as_of = market_now(self._vendor, asked_at)
        resolution = self._series.resolution
        gaps = doubtful_gaps(answer, span, resolution, calendar=self._calendar, as_of=as_of, beside=beside)
        # What was called empty before, and is again, has been asked for twice; before a listing that would say more.
        gaps = [each for each in gaps if self._denies(each[0], asked_at) or not (listed or each[0].start > span.start)]
        if gaps and not splits:
            raise VendorGarbage(f"The vendor keeps cutting off its answers for {self._series.ticker}.")
        parts, failure = [], None
        for gap, edge in gaps:
            older = gap.start > span.start or listed
            again_at = self._clock.now()
            try:
                own = await self._ask_beside(gap)
            except OhlcacheError as exc:
                failure = exc
                break  # one refusal is enough; every gap is left out of the rest
            if not _has_rows(own):
                if len(self._within(answer, gap).candles):
                    raise VendorGarbage(
                        f"The vendor denies candles of {self._series.ticker} that it sent a moment ago."
                    )
                if own.listing is None and not older:
                    # Asked twice and empty twice, with candles from then on: the ticker was not listed yet.
                    own = replace(own, listing=Span(*[min(gap.end + timedelta(days=1), span.end)] * 2))
            more = await self._confirmed(gap, own, again_at, splits - 1, listed=older, beside=edge)
            parts.append(more.holding)
            failure = more.failure
            if failure is not None:
                break
        if failure is not None and resolution.is_daily and gaps[-1][0].start > span.start:
            raise failure  # days are of no use without the newer ones, whose splits they are adjusted for
        rest = span.without_ends(gap for gap, _ in gaps)
        if rest is not None:
            older = listed or any(gap.end < rest.start for gap, _ in gaps)
            parts.append(self._observed(self._within(answer, rest), rest, asked_at, listed=older).holding)
        holding = merge(parts)
        return Fetched(holding, holding, 0, failure)

    def _observed(self, answer: VendorAnswer, span: Span, asked_at: float, *, listed: bool = False) -> Fetched:
        holding = observe(
            answer,
            span,
            self._series.resolution,
            calendar=self._calendar,
            asked_as_of=market_now(self._vendor, asked_at),
            observed_at=asked_at,
            listed_before=listed,
        )
        return Fetched(holding, holding, 0)

    def _within(self, answer: VendorAnswer, span: Span) -> VendorAnswer:
        """Return the answer without the rows of sessions outside ``span``, which an own answer speaks for."""
        sessions = self._calendar.between(span)
        inside = sessions.locate(answer.candles.time, self._series.resolution) >= 0
        if answer.rejected:
            answer = replace(answer, rejected=tuple(row for row in answer.rejected if row.days.overlaps(span)))
        if inside.all():
            return answer
        keep = answer.actions.days >= span.start.toordinal()
        return replace(
            answer,
            candles=answer.candles[inside] if len(inside) else Candles.empty(),
            actions=answer.actions[np.asarray(keep)] if len(answer.actions) else Actions.none(),
        )


def _has_rows(answer: VendorAnswer) -> bool:
    """Whether anything was sent: a row that cannot be true was, too."""
    return len(answer.candles) > 0 or bool(answer.rejected)


def _is_bare(word: _Heard | OhlcacheError) -> bool:
    return isinstance(word, _Heard) and word.bare


def _ours(outcome: Outcome | BaseException) -> Outcome | OhlcacheError:
    """Return an outcome or a failure that is part of the business; raise any other."""
    if isinstance(outcome, BaseException) and not isinstance(outcome, OhlcacheError):
        raise outcome
    return outcome
