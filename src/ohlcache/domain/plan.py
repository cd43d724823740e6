"""The one place that decides a hit: serve, or fetch these missing spans.

A *need* is one series over one span. A request needs its own series; if it is adjusted it also needs the daily series
of its ticker from its first day through the newest due session, because that is the ledger of splits and dividends.

A vendor call costs the same however long its span, and quotas count calls, so a miss reaches back: daily at least a
year before the end of the request and forward through the newest due session; intraday as far as one slice allows. So
the close before the request's first session comes along for nothing. It is never missing: no call is made for it alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from ohlcache.domain.adjustment import Adjustment
from ohlcache.domain.freshness import last_due_day
from ohlcache.domain.request import CandleRequest, years_before
from ohlcache.domain.series import Series
from ohlcache.domain.span import Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ohlcache.domain.coverage import Coverage
    from ohlcache.domain.resolution import Resolution
    from ohlcache.domain.sessions import Sessions, SessionTable

DAILY_REACH_YEARS = 1
PREVIOUS_SESSIONS_MAX = 5
"""How many sessions before a span are read for the close before it; more than one, as the last may have been halted."""


@dataclass(frozen=True, slots=True)
class Need:
    """A series over a span; what of it is due must be covered.

    ``asked_to``: the last date of the request, where the span goes on beyond it, as a ledger does.
    """

    series: Series
    span: Span
    asked_to: date | None = None


def needs_of(
    request: CandleRequest, source: str, adjustment: Adjustment, calendar: SessionTable, as_of: float
) -> tuple[Need, ...]:
    """Return what must be covered to answer ``request`` from ``source``: its own series first, then its ledger."""
    series = Series(request.ticker, source, request.resolution)
    own = Need(series, request.span)
    if adjustment is Adjustment.NONE:
        return (own,)
    newest = last_due_day(series.daily.resolution, calendar, as_of)
    to_newest = Span(request.span.start, max(request.span.end, newest or request.span.end))
    ledger = Need(series.daily, to_newest, asked_to=request.span.end)
    return (ledger,) if request.resolution.is_daily else (own, ledger)


def due_sessions(need: Need, calendar: SessionTable, as_of: float) -> Sessions:
    """Return the sessions of the need that are due at ``as_of``."""
    sessions = calendar.between(need.span)
    newest = last_due_day(need.series.resolution, calendar, as_of)
    return sessions[: int(sessions.days.searchsorted(np.int32(newest.toordinal() if newest else 0), "right"))]


def with_previous(span: Span, calendar: SessionTable) -> Span:
    """Return ``span`` and the sessions before it among which the close before it is looked for."""
    before = calendar.before(span.start, PREVIOUS_SESSIONS_MAX)
    return Span(date.fromordinal(int(before[0])), span.end) if len(before) else span


def look_back(need: Need, calendar: SessionTable) -> Span | None:
    """Return the days before a need of days among which the close before it is looked for; None before the calendar."""
    wide = with_previous(need.span, calendar)
    if not need.series.resolution.is_daily or wide.start == need.span.start:
        return None
    return Span(wide.start, need.span.start - timedelta(days=1))


def missing_days(sessions: Sessions, coverage: Coverage) -> NDArray[np.int32]:
    """Return the day ordinals of ``sessions`` that ``coverage`` (valid rows only) does not speak of."""
    missing: NDArray[np.int32] = sessions.days[~coverage.among(sessions.days)]
    return missing


def unbroken_from(need: Need, coverage: Coverage, calendar: SessionTable, as_of: float) -> date | None:
    """Return the first date from which ``coverage`` speaks of every due session of the need, the newest ones excepted.

    None when it speaks of none. What lies before a hole in a ledger cannot be adjusted: a split may be in it.
    """
    due = due_sessions(need, calendar, as_of)
    known = np.flatnonzero(coverage.among(due.days))
    if not len(known):
        return None
    after_holes = known[np.diff(known, prepend=-1) > 1]
    return date.fromordinal(int(due.days[after_holes[-1]])) if len(after_holes) else need.span.start


@dataclass(frozen=True, slots=True)
class SliceLimit:
    """How much one vendor call may ask: candles (row cap) and calendar days; None is no limit."""

    candles_max: int | None = None
    days_max: int | None = None


def reach_of(need: Need, calendar: SessionTable, as_of: float, limit: SliceLimit) -> Span:
    """Return the span whose coverage ``plan`` wants to know once something is missing: how far a fetch may reach."""
    first, last = need.span.start, need.span.end
    if need.series.resolution.is_daily:
        newest = last_due_day(need.series.resolution, calendar, as_of) or last
        asked_to = need.asked_to or last
        first, last = min(first, years_before(asked_to, DAILY_REACH_YEARS)), max(last, newest)
        first = with_previous(Span(first, last), calendar).start
    else:
        starts = []
        if limit.candles_max is not None:
            a_day = calendar.between(need.span).candles_in_each(need.series.resolution)
            starts.append(calendar.back_from(first, limit.candles_max // max(int(a_day.max(initial=1)), 1)))
        if limit.days_max is not None:
            starts.append(first - timedelta(days=limit.days_max - 1))
        first = max(starts, default=first)
    return Span(max(min(first, need.span.start), calendar.span.start), min(last, calendar.span.end))


def plan(need: Need, coverage: Coverage, calendar: SessionTable, as_of: float, limit: SliceLimit) -> tuple[Span, ...]:
    """Return the spans to fetch, newest first; none when ``coverage`` (valid rows only) has all that is due."""
    missing = missing_days(due_sessions(need, calendar, as_of), coverage)
    if not len(missing):
        return ()
    newest = last_due_day(need.series.resolution, calendar, as_of)
    assert newest is not None, "something due is missing, so something is due"
    last = newest if need.series.resolution.is_daily else date.fromordinal(int(missing[-1]))
    reachable = calendar.between(Span(reach_of(need, calendar, as_of, limit).start, last))
    wanted = np.flatnonzero(~coverage.among(reachable.days))
    return tuple(_slices(reachable, wanted, int(missing[0]), need.series.resolution, limit))


def _slices(
    reachable: Sessions,
    wanted: NDArray[np.intp],
    first_missing: int,
    resolution: Resolution,
    limit: SliceLimit,
) -> list[Span]:
    """Cover the wanted sessions (indices, ascending) from the newest backwards until the first missing one is in.

    Held sessions between wanted ones come along in the vendor's answer, so they count against the limit too.
    """
    spans: list[Span] = []
    while len(wanted) and (not spans or reachable.days[wanted[-1]] >= first_missing):
        last = int(wanted[-1])
        low = 0
        if limit.candles_max is not None:
            in_a_session = int(reachable[: last + 1].candles_in_each(resolution).max())
            low = max(low, last + 1 - max(1, limit.candles_max // in_a_session))
        if limit.days_max is not None:
            low = max(low, int(np.searchsorted(reachable.days, reachable.days[last] - limit.days_max + 1)))
        first = int(wanted[np.searchsorted(wanted, low)])
        spans.append(reachable[first : last + 1].span)
        wanted = wanted[wanted < first]
    return spans
