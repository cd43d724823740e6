"""Which candles must exist, and to which session a candle belongs."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.strategies import CALENDAR, intraday, spans
from ohlcache.domain.errors import InvalidRequest
from ohlcache.domain.market_time import midnight_utc
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.span import Span


@pytest.fixture
def exchange() -> Any:
    exchange_calendars = pytest.importorskip("exchange_calendars")
    return exchange_calendars.get_calendar("XNYS", start="2018-01-02", end="2025-12-31")


@pytest.mark.filterwarnings("ignore")  # exchange_calendars lags behind pandas; that is not ours to mend
@pytest.mark.parametrize("resolution", [r for r in Resolution if not r.is_daily])
def test_candles_are_those_of_exchange_calendars(exchange: Any, resolution: Resolution) -> None:
    """G3, G18, G19, Q1: opens and number of bars of every session of eight years, half-days included."""
    index = exchange.trading_index(
        "2018-01-02", "2025-12-31", f"{resolution.value}min", intervals=False, closed="left", force=False
    )
    expected = (index.as_unit("s").asi8).tolist()
    sessions = CALENDAR.between(Span(date(2018, 1, 2), date(2025, 12, 31)))
    assert sessions.candle_opens(resolution).tolist() == expected
    assert int(sessions.candles_in_each(resolution).sum()) == len(expected)


@given(spans(days_max=30), intraday)
def test_every_candle_is_found_in_its_session(span: Span, resolution: Resolution) -> None:
    """Locating the candles that must exist gives the session that each was made for."""
    sessions = CALENDAR.between(span)
    opens = sessions.candle_opens(resolution)
    made_for = np.repeat(np.arange(len(sessions)), sessions.candles_in_each(resolution))
    assert sessions.locate(opens, resolution).tolist() == made_for.tolist()


@given(spans(days_max=20), intraday, st.lists(st.integers(-90_000, 90_000), min_size=1, max_size=20))
def test_a_candle_belongs_where_its_bar_overlaps(span: Span, resolution: Resolution, offsets: list[int]) -> None:
    """Any time is located as by going through all sessions and looking for an overlap."""
    sessions = CALENDAR.between(span)
    if not len(sessions):
        assert sessions.locate(np.asarray(offsets, np.int64), resolution).tolist() == [-1] * len(offsets)
        return
    times = np.asarray([int(sessions.opens[n % len(sessions)]) + offset for n, offset in enumerate(offsets)], np.int64)
    naive = [
        next(
            (
                n
                for n in range(len(sessions))
                if time < sessions.closes[n] and time + resolution.seconds > sessions.opens[n]
            ),
            -1,
        )
        for time in times.tolist()
    ]
    assert sessions.locate(times, resolution).tolist() == naive


@given(spans(days_max=20), st.integers(-3, 25), st.sampled_from([0, 1, 3600]))
def test_a_daily_candle_belongs_to_its_date(span: Span, offset: int, late: int) -> None:
    """Daily times are 00:00 UTC of the market date; others, and other dates, lie in no session."""
    sessions = CALENDAR.between(span)
    day = span.start.toordinal() + offset
    [located] = sessions.locate(np.asarray([midnight_utc(day) + late]), Resolution.DAY).tolist()
    if late or day not in sessions.days:
        assert located == -1
    else:
        assert sessions.days[located] == day


@given(spans(days_max=40), st.integers(1, 30))
def test_looking_around_is_the_calendar(span: Span, count: int) -> None:
    """Last, next and n-th before agree with the list of all sessions."""
    days = [int(day) for day in CALENDAR.days if abs(day - span.start.toordinal()) < 80]
    day = span.start
    earlier = [d for d in days if d <= day.toordinal()]
    assert CALENDAR.last_on_or_before(day) == date.fromordinal(earlier[-1])
    assert CALENDAR.back_from(day, count) == date.fromordinal(earlier[-count])
    following = CALENDAR.next_after(day)
    assert following is not None
    assert following.toordinal() == next(d for d in days if d > day.toordinal())
    assert (CALENDAR.open_of(day) is None) == (CALENDAR.close_of(day) is None) == (day.toordinal() not in days)
    assert [d.toordinal() for d in CALENDAR.between(span).dates()] == [
        d for d in days if span.start.toordinal() <= d <= span.end.toordinal()
    ]


def test_the_ends_of_the_table() -> None:
    """Beyond its first and last day the table says nothing, and says so."""
    first, last = CALENDAR.span.start, CALENDAR.span.end
    before, after = date.fromordinal(first.toordinal() - 1), date.fromordinal(last.toordinal() + 1)
    assert CALENDAR.last_on_or_before(before) is None
    assert CALENDAR.next_after(last) is None
    assert CALENDAR.back_from(first, 99) == first
    year_before = date(first.year - 1, 12, 31)
    for span, field in ((Span(year_before, last), "start_date"), (Span(first, after), "end_date")):
        with pytest.raises(InvalidRequest) as refused:
            CALENDAR.between(span)
        assert refused.value.field == field
    assert len(CALENDAR.between(Span(date(first.year, 1, 1), first))) == 1
