"""When a session is due and when it is final: two tables, and nothing between them that moves."""

from __future__ import annotations

import math
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.strategies import CALENDAR, instants, resolutions
from ohlcache.domain.freshness import (
    due_at,
    final_at,
    known_empty_life_seconds,
    last_due_day,
    last_final_day,
    next_due_at,
)
from ohlcache.domain.market_time import iso_instant, market_date, midnight_utc
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.span import Span
from ohlcache.testing.clock import instant_of

TABLE = [
    # day, resolution, due, final: half-days and both sides of both clock changes
    ("2024-03-08", "D", "2024-03-08T22:30:00Z", "2024-03-09T01:00:00Z"),
    ("2024-03-11", "D", "2024-03-11T21:30:00Z", "2024-03-12T00:00:00Z"),
    ("2024-11-01", "D", "2024-11-01T21:30:00Z", "2024-11-02T00:00:00Z"),
    ("2024-11-04", "D", "2024-11-04T22:30:00Z", "2024-11-05T01:00:00Z"),
    ("2024-11-29", "D", "2024-11-29T22:30:00Z", "2024-11-30T01:00:00Z"),
    ("2024-03-08", "1", "2024-03-08T14:31:00Z", "2024-03-08T21:20:00Z"),
    ("2024-03-11", "1", "2024-03-11T13:31:00Z", "2024-03-11T20:20:00Z"),
    ("2024-11-29", "5", "2024-11-29T14:35:00Z", "2024-11-29T18:20:00Z"),
    ("2024-07-03", "60", "2024-07-03T13:35:00Z", "2024-07-03T17:20:00Z"),
]


@pytest.mark.parametrize(("day", "resolution", "due", "final"), TABLE)
def test_due_and_final(day: str, resolution: str, due: str, final: str) -> None:
    """C3, C5, C8, G3, G18, G19: by New York's clock, whatever UTC shows; a half-day's minutes are final early."""
    on, width = date.fromisoformat(day), Resolution(resolution)
    assert iso_instant(due_at(on, width, CALENDAR)) == due
    assert iso_instant(final_at(on, width, CALENDAR)) == final
    assert last_due_day(width, CALENDAR, instant_of(due)) == on
    assert last_due_day(width, CALENDAR, instant_of(due) - 1) == CALENDAR.back_from(on, 2)
    assert last_final_day(width, CALENDAR, instant_of(final)) == on
    assert last_final_day(width, CALENDAR, instant_of(final) - 1) == CALENDAR.back_from(on, 2)


@given(instants, resolutions)
def test_the_last_due_is_the_last_that_is_due(as_of: float, resolution: Resolution) -> None:
    """Against going through the sessions around; what is final is due, and what is next due comes after now."""
    today = market_date(as_of)
    around = CALENDAR.between(Span(today - timedelta(days=12), today + timedelta(days=12)))
    days = list(around.dates())
    due = [day for day in days if due_at(day, resolution, CALENDAR) <= as_of]
    final = [day for day in days if final_at(day, resolution, CALENDAR) <= as_of]
    assert last_due_day(resolution, CALENDAR, as_of) == due[-1]
    assert last_final_day(resolution, CALENDAR, as_of) == final[-1]
    assert due_at(final[-1], resolution, CALENDAR) < final_at(final[-1], resolution, CALENDAR)
    upcoming = next_due_at(resolution, CALENDAR, as_of)
    assert upcoming > as_of
    assert upcoming == due_at(days[days.index(due[-1]) + 1], resolution, CALENDAR)


def test_where_the_calendar_ends() -> None:
    """After the last known session nothing becomes due any more."""
    assert next_due_at(Resolution.DAY, CALENDAR, instant_of("2100-01-01T00:00:00Z")) == math.inf
    assert last_due_day(Resolution.DAY, CALENDAR, instant_of("1969-12-01T12:00:00Z")) is None
    assert next_due_at(Resolution.DAY, CALENDAR, instant_of("1969-12-01T12:00:00Z")) < math.inf


@given(st.integers(-86_400, 400 * 86_400))
def test_an_empty_session_is_believed_as_long_as_it_is_over(after: int) -> None:
    """T2: five minutes at first, then twice as long each time, never more than a day."""
    day = date(2024, 6, 3).toordinal()
    [life] = known_empty_life_seconds(np.asarray([day], np.int32), np.asarray([midnight_utc(day) + 86_400 + after]))
    assert life == min(max(after, 300), 86_400)
