"""The plan fetches what is missing, no more calls than needed, and never beyond what one call may ask."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.strategies import CALENDAR
from ohlcache.domain.adjustment import Adjustment
from ohlcache.domain.coverage import Coverage, SessionState
from ohlcache.domain.freshness import last_due_day
from ohlcache.domain.plan import (
    Need,
    SliceLimit,
    due_sessions,
    missing_days,
    needs_of,
    plan,
    reach_of,
    unbroken_from,
)
from ohlcache.domain.request import CandleRequest, years_before
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.series import Series
from ohlcache.domain.span import Span
from ohlcache.testing.clock import instant_of

AS_OF = instant_of("2024-06-04T01:00:00Z")
TODAY = date(2024, 6, 3)
RECENT = CALENDAR.between(Span(date(2024, 1, 2), TODAY)).days

needs = st.builds(
    lambda end, length, resolution: Need(
        Series("AAPL", "tiingo", resolution), Span(TODAY - timedelta(days=end + length), TODAY - timedelta(days=end))
    ),
    st.integers(0, 40),
    st.integers(0, 90),
    st.sampled_from(list(Resolution)),
)
held_days = st.sets(st.sampled_from(RECENT.tolist()), max_size=len(RECENT))
limits = st.builds(SliceLimit, st.none() | st.integers(1, 3000), st.none() | st.integers(1, 60))


def coverage_of(days: set[int]) -> Coverage:
    count = len(days)
    return Coverage(
        np.asarray(sorted(days), np.int32),
        np.full(count, SessionState.FINAL, np.uint8),
        np.full(count, int(AS_OF) - 60, np.int64),
        np.ones(count, np.int32),
    )


def in_spans(days: list[int], spans: tuple[Span, ...]) -> set[int]:
    return {day for day in days if any(date.fromordinal(day) in span for span in spans)}


@given(needs, held_days, limits)
def test_what_is_missing_is_fetched_and_nothing_is_fetched_when_nothing_is(
    need: Need, held: set[int], limit: SliceLimit
) -> None:
    """T2: the spans cover every due session of the need that is not held; with none missing there is nothing to do."""
    assume(need.series.resolution.is_daily or limit != SliceLimit())
    due = due_sessions(need, CALENDAR, AS_OF)
    missing = [int(day) for day in missing_days(due, coverage_of(held))]
    assert missing == [int(day) for day in due.days if day not in held]
    spans = plan(need, coverage_of(held), CALENDAR, AS_OF, limit)
    assert bool(spans) == bool(missing)
    assert in_spans(missing, spans) == set(missing)


@given(needs, held_days, limits)
def test_calls_keep_to_the_limit_and_to_the_reach(need: Need, held: set[int], limit: SliceLimit) -> None:
    """T1, B10: no call asks for more candles or days than allowed; spans are newest first, disjoint, and within reach."""
    assume(need.series.resolution.is_daily or limit != SliceLimit())
    spans = plan(need, coverage_of(held), CALENDAR, AS_OF, limit)
    reach = reach_of(need, CALENDAR, AS_OF, limit)
    for span in spans:
        sessions = CALENDAR.between(span)
        candles = int(sessions.candles_in_each(need.series.resolution).sum())
        assert limit.candles_max is None or candles <= limit.candles_max or len(sessions) == 1
        assert limit.days_max is None or (span.end - span.start).days < limit.days_max
        assert span.start.toordinal() not in held
        assert span.end.toordinal() not in held
        assert reach.covers(span)
    assert all(newer.start > older.end for newer, older in itertools.pairwise(spans))
    assert reach.covers(need.span)
    if not need.series.resolution.is_daily and limit.days_max is not None:
        assert (need.span.start - reach.start).days < limit.days_max


@given(needs, held_days, st.integers(1, 1000), st.integers(1, 60))
def test_no_fewer_calls_would_do(need: Need, held: set[int], candles_max: int, days_max: int) -> None:
    """T1: as many calls as a greedy walk from the newest missing session needs, which is the fewest."""
    limit = SliceLimit(candles_max, days_max)
    assume(not need.series.resolution.is_daily)
    due = due_sessions(need, CALENDAR, AS_OF)
    missing = [int(day) for day in due.days if day not in held]
    most = max(
        1,
        candles_max
        // max(
            [int(n) for n in CALENDAR.between(Span(date(2023, 1, 3), TODAY)).candles_in_each(need.series.resolution)]
        ),
    )
    all_days = CALENDAR.between(Span(date(2023, 1, 3), TODAY)).days.tolist()
    calls, left = 0, list(missing)
    while left:
        newest = left[-1]
        index = all_days.index(newest)
        start = all_days[max(0, index + 1 - most)]
        left = [day for day in left if day < start or day <= newest - days_max]
        calls += 1
    assert len(plan(need, coverage_of(held), CALENDAR, AS_OF, limit)) <= calls


@given(st.integers(0, 40), st.integers(0, 90), held_days)
def test_days_are_one_call_that_reaches_back_a_year(end: int, length: int, held: set[int]) -> None:
    """T1: a daily miss is one call through the newest due session, from a year and five sessions before its end on."""
    span = Span(TODAY - timedelta(days=end + length), TODAY - timedelta(days=end))
    need = Need(Series("AAPL", "tiingo", Resolution.DAY), span)
    spans = plan(need, coverage_of(held), CALENDAR, AS_OF, SliceLimit())
    assert len(spans) <= 1
    if spans:
        start = CALENDAR.back_from(min(years_before(span.end, 1), span.start) - timedelta(days=1), 5)
        unknown = [int(d) for d in CALENDAR.between(Span(start, TODAY)).days if d not in held]
        assert (spans[0].start.toordinal(), spans[0].end.toordinal()) == (unknown[0], unknown[-1])


@given(needs, st.floats(AS_OF - 40 * 86_400, AS_OF))
def test_only_what_is_due_is_expected(need: Need, as_of: float) -> None:
    """T2: a session that is not due is neither missing nor fetched."""
    newest = last_due_day(need.series.resolution, CALENDAR, as_of)
    assert newest is not None
    assert all(day <= newest.toordinal() for day in due_sessions(need, CALENDAR, as_of).days)
    spans = plan(need, coverage_of(set()), CALENDAR, as_of, SliceLimit(8000, 365))
    assert all(span.end <= newest for span in spans)


def test_unlisted_sessions_are_not_asked_for_again() -> None:
    """G11: a fetch reaches back no further than to what is known."""
    need = Need(Series("NEWCO", "tiingo", Resolution.DAY), Span(date(2024, 5, 3), TODAY))
    before = {int(day) for day in CALENDAR.between(Span(date(2023, 1, 3), date(2024, 3, 20))).days}
    [span] = plan(need, coverage_of(before), CALENDAR, AS_OF, SliceLimit())
    assert span == Span(date(2024, 3, 21), TODAY)


def test_what_a_request_needs() -> None:
    """G12: raw prices need their own series; adjusted ones need the days from the first candle through the newest too."""
    request = CandleRequest("AAPL", Resolution.MINUTES_5, "custom", Span(date(2024, 1, 2), date(2024, 2, 1)))
    own, ledger = needs_of(request, "tiingo", Adjustment.SPLITS, CALENDAR, AS_OF)
    assert (own.series.resolution, own.span) == (Resolution.MINUTES_5, request.span)
    assert (ledger.series.resolution, ledger.span) == (Resolution.DAY, Span(date(2024, 1, 2), TODAY))
    assert needs_of(request, "tiingo", Adjustment.NONE, CALENDAR, AS_OF) == (own,)
    daily = replace(request, resolution=Resolution.DAY)
    assert needs_of(daily, "tiingo", Adjustment.ALL, CALENDAR, AS_OF) == (ledger,)


def test_from_where_a_ledger_has_no_hole() -> None:
    """G12: one missing session is a hole; that the newest are missing is none."""
    week = Need(Series("AAPL", "tiingo", Resolution.DAY), Span(date(2024, 5, 20), date(2024, 5, 24)))
    days = CALENDAR.between(week.span).days.tolist()

    def first(*held: int) -> date | None:
        return unbroken_from(week, coverage_of({days[n] for n in held}), CALENDAR, AS_OF)

    assert first(0, 1, 2, 3, 4) == first(0, 1, 2) == week.span.start
    assert first(0, 2, 3, 4) == date(2024, 5, 22)
    assert first(0, 1, 3) == date(2024, 5, 23)
    assert first(1, 2, 3, 4) == date(2024, 5, 21)
    assert first(0, 2, 4) == date(2024, 5, 24)
    assert first() is None
