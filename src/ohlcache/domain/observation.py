"""From a vendor's answer to what is known: which session is final, forming, known to be empty or not yet listed.

Candles outside sessions are dropped here (vendors send flat phantom bars on holidays); an impossible row costs its
session, no more; an answer that looks cut off is distinguished from one that is merely short.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from ohlcache.domain.adjustment import Actions
from ohlcache.domain.coverage import Coverage, Holding, SessionState
from ohlcache.domain.errors import VendorGarbage
from ohlcache.domain.freshness import last_final_day
from ohlcache.domain.market_time import midnight_utc
from ohlcache.domain.rejections import RejectedRow, all_possible, sift
from ohlcache.domain.span import Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ohlcache.domain.candles import Candles
    from ohlcache.domain.resolution import Resolution
    from ohlcache.domain.sessions import Sessions, SessionTable

ROUND_ROWS = 500


@dataclass(frozen=True, slots=True, eq=False)
class VendorAnswer:
    """What a vendor said about one span of one series.

    ``candles`` as received, ascending, anything outside sessions included; ``actions`` only of daily series;
    ``listing`` the first and last market date of the ticker's life, where the answer tells it or it was asked for.
    Where candles are made of finer bars, ``bars`` of them came and the first opens at ``bars_from``: what was cut off
    shows in these. ``rejected``: the rows that cannot be true; none of them is among ``candles``.
    """

    candles: Candles
    actions: Actions = field(default_factory=Actions.none)
    listing: Span | None = None
    bars: int | None = None
    bars_from: int | None = None
    rejected: tuple[RejectedRow, ...] = ()


def possible(answer: VendorAnswer, resolution: Resolution) -> VendorAnswer:
    """Return an answer with its impossible candles among the rejected rows, and the others ascending."""
    if all_possible(answer.candles):
        return answer
    sifted = sift(answer.candles, daily=resolution.is_daily)
    return replace(answer, candles=answer.candles[sifted.kept], rejected=(*answer.rejected, *sifted.rejected))


def placed(answer: VendorAnswer, sessions: Sessions, resolution: Resolution) -> VendorAnswer:
    """Return an answer with only those of its rejected rows that may be of ``sessions``.

    A row whose date cannot be read may be of any session between its neighbours: daily, of one without a candle;
    intraday, of one that was open between the two. Its ``days`` say of which.
    """
    dated = [row for row in answer.rejected if row.dated]
    times = [midnight_utc(row.day.toordinal()) if row.time is None else row.time for row in dated]
    inside = sessions.locate(np.array(times, np.int64), resolution) >= 0
    rows = [row for row, kept in zip(dated, inside.tolist(), strict=True) if kept]
    located = sessions.locate(answer.candles.time, resolution)
    filled = np.zeros(len(sessions), np.bool_)
    filled[located[located >= 0]] = resolution.is_daily
    for row in answer.rejected:
        if row.between is None:
            continue
        found = np.flatnonzero(_between(row.between, sessions, resolution) & ~filled)
        if len(found):
            first, last = (date.fromordinal(int(sessions.days[n])) for n in (found[0], found[-1]))
            rows.append(replace(row, days=Span(first, last)))
    return replace(answer, rejected=tuple(rows))


def _between(
    neighbours: tuple[int | None, int | None], sessions: Sessions, resolution: Resolution
) -> NDArray[np.bool_]:
    """Return in which sessions a row between two others may lie, by the times of those, whatever else is known."""
    after = -math.inf if neighbours[0] is None else neighbours[0]
    before = math.inf if neighbours[1] is None else neighbours[1]
    if resolution.is_daily:
        midnights = midnight_utc(sessions.days.astype(np.int64))
        return (midnights > after) & (midnights < before)
    first = after + resolution.seconds
    return (sessions.closes > first) & (sessions.opens < before) & (first < before)


def observe(
    answer: VendorAnswer,
    span: Span,
    resolution: Resolution,
    *,
    calendar: SessionTable,
    asked_as_of: float,
    observed_at: float,
    listed_before: bool,
) -> Holding:
    """Return what ``answer`` says of every session of ``span`` that had begun when the vendor was asked.

    ``asked_as_of`` is the market time of the question: a session is final only if it was final *then*.
    ``listed_before`` says that candles older than the span are known, so that leading gaps are no "not yet listed"
    unless the vendor says so. A session with a rejected row is neither final nor empty, and the ticker was listed then.
    """
    sessions = _begun(calendar.between(span), asked_as_of)
    index = sessions.locate(answer.candles.time, resolution)
    # A bar that had not begun when the vendor was asked cannot be knowledge (a replayed source sends its future).
    inside = (index >= 0) & (answer.candles.time <= asked_as_of)
    candles, index = answer.candles[inside], index[inside]
    counts = np.bincount(index, minlength=len(sessions)).astype(np.int32)
    newest_final = last_final_day(resolution, calendar, asked_as_of)
    final = sessions.days <= (newest_final.toordinal() if newest_final else 0)
    states = np.where(
        final, np.where(counts > 0, SessionState.FINAL, SessionState.KNOWN_EMPTY), SessionState.FORMING
    ).astype(np.uint8)
    rejected = _with_rejected_rows(answer, sessions, counts, resolution, asked_as_of)
    if answer.listing is not None or not listed_before:
        before = _before_listing(counts + rejected, sessions, answer.listing)
        states[before & final & (counts == 0)] = SessionState.UNLISTED
    states[rejected] = SessionState.REJECTED
    coverage = Coverage(
        sessions.days.astype(np.int32), states, np.full(len(sessions), int(observed_at), np.int64), counts
    )
    return Holding(coverage, candles, answer.actions[np.isin(answer.actions.days, sessions.days)])


def without_bare_look_back(
    answer: VendorAnswer, span: Span, look_back: Span, resolution: Resolution, calendar: SessionTable
) -> Span:
    """Return ``span`` without the sessions of ``look_back`` before the first candle: they stay unknown.

    They only came along. That there is nothing in them, as before a listing, would have to be confirmed by a call of
    its own, unless the answer says so.
    """
    if answer.listing is not None or span.start not in look_back:
        return span
    sessions = calendar.between(span)
    located = sessions.locate(answer.candles.time, resolution)
    traded = sessions.days[located[located >= 0]]
    if not len(traded):
        return span
    start = min(date.fromordinal(int(traded[0])), look_back.end + timedelta(days=1))
    return Span(max(span.start, start), span.end)


def _begun(sessions: Sessions, as_of: float) -> Sessions:
    return sessions[sessions.opens <= as_of]


def _with_rejected_rows(
    answer: VendorAnswer, sessions: Sessions, counts: NDArray[np.int32], resolution: Resolution, as_of: float
) -> NDArray[np.bool_]:
    """Return which sessions lack a row that was sent but cannot be true."""
    found = np.zeros(len(sessions), np.bool_)
    for row in answer.rejected:
        if row.time is not None and row.time > as_of:
            continue
        within = _within(sessions, row.days)
        found |= within & (counts == 0) if resolution.is_daily and not row.dated else within
    return found


def _before_listing(counts: NDArray[np.int32], sessions: Sessions, listing: Span | None) -> NDArray[np.bool_]:
    """Return which sessions lie before the ticker's first candle, as far as the answer proves it."""
    if listing is not None:
        return np.asarray(sessions.days < listing.start.toordinal())
    with_candles = np.flatnonzero(counts)
    first = int(with_candles[0]) if len(with_candles) else 0
    return np.arange(len(sessions)) < first


def contradicts_listing(
    answer: VendorAnswer, span: Span, calendar: SessionTable, *, empty_before: NDArray[np.int32]
) -> bool:
    """Whether an answer without a candle denies sessions in which, by the vendor's own word, the ticker was listed.

    ``empty_before``: days that the vendor has called empty already, beside others that were not: they may stay so.
    """
    if answer.listing is None or len(answer.candles) or not answer.listing.overlaps(span):
        return False
    alive = Span(max(span.start, answer.listing.start), min(span.end, answer.listing.end))
    return not np.isin(calendar.between(alive).days, empty_before).all()


@dataclass(frozen=True, slots=True)
class Beside:
    """The answer beside a gap that is asked for on its own: open times of its candle after and before the gap."""

    after: int | None = None
    before: int | None = None


def doubtful_gaps(
    answer: VendorAnswer,
    span: Span,
    resolution: Resolution,
    *,
    calendar: SessionTable,
    as_of: float,
    beside: Beside | None = None,
) -> list[tuple[Span, Beside]]:
    """Return the gaps at the edges of ``answer`` that may be a row cap's doing, to be asked again on their own.

    A row cap cuts off the oldest or the newest rows, in the middle of a session too. Whole sessions without a candle at
    an edge are always doubted: the ticker may not have been listed yet, or not have traded since, but what is believed
    without asking is believed for ever. A session cut in two is told from thin trading by a round number of rows or by
    its neighbours. An edge that is no further out than ``beside`` has been asked twice and is believed. A row that was
    rejected was sent: nothing is cut off there. An answer without any row is not this function's business; one cut off
    among bars outside sessions is VendorGarbage.
    """
    sessions = _begun(calendar.between(span), as_of)
    times = _sent_times(answer, sessions, resolution)
    located = sessions.locate(times, resolution)
    sent = len(answer.candles) + len(answer.rejected) if answer.bars is None else answer.bars
    rounded = sent % ROUND_ROWS == 0
    if not (located >= 0).any():
        if sent and rounded:
            raise VendorGarbage("The vendor's answer was cut off before its first candle inside a session.")
        return []
    index, opened = located[located >= 0], times[located >= 0]
    closed = opened + resolution.seconds
    if answer.bars_from is not None:
        opened[0] = max(int(opened[0]), answer.bars_from)
    newest_final = last_final_day(resolution, calendar, as_of)
    final = int(np.searchsorted(sessions.days, newest_final.toordinal(), side="right")) if newest_final else 0
    first, last = int(index[0]), int(index[-1])
    late = early = False
    if not resolution.is_daily:
        on_time = opened <= sessions.opens[index]
        to_the_end = closed >= sessions.closes[index]
        # Most of the other sessions are traded from the bell (to the bell), so this one should have been, too.
        late = not on_time[0] and (rounded or first > 0 or 2 * int(on_time.sum()) >= last - first > 0)
        early = not to_the_end[-1] and (rounded or last + 1 < final or 2 * int(to_the_end.sum()) >= last - first > 0)
    beside = beside or Beside()
    gaps = []
    if (first > 0 or late) and not (beside.after is not None and opened[0] >= beside.after):
        end = sessions[first : first + 1].span.end if late else sessions[first - 1 : first].span.end
        gaps.append((Span(span.start, end), Beside(after=int(opened[0]))))
    if (last + 1 < final or (early and last < final)) and not (
        beside.before is not None and opened[-1] <= beside.before
    ):
        start = sessions[last : last + 1] if early else sessions[last + 1 : last + 2]
        gaps.append((Span(start.span.start, span.end), Beside(before=int(opened[-1]))))
    return gaps


def _sent_times(answer: VendorAnswer, sessions: Sessions, resolution: Resolution) -> NDArray[np.int64]:
    """Return the times of all rows that were sent, rejected ones included, ascending.

    One whose date cannot be read is taken for the first that is possible in each of the sessions it may be of.
    """
    if not answer.rejected:
        return answer.candles.time.copy()
    times = answer.candles.time.tolist()
    for row in answer.rejected:
        if row.time is not None:
            times.append(row.time)
        elif resolution.is_daily:
            times += midnight_utc(sessions.days[_within(sessions, row.days)].astype(np.int64)).tolist()
        else:
            after = row.between[0] if row.between is not None else None
            opens = sessions.opens[_within(sessions, row.days)].tolist()
            times += [opened if after is None else max(opened, after + resolution.seconds) for opened in opens]
    return np.array(sorted(set(times)), np.int64)


def _within(sessions: Sessions, days: Span) -> NDArray[np.bool_]:
    return (sessions.days >= days.start.toordinal()) & (sessions.days <= days.end.toordinal())
