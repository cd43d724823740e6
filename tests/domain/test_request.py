"""A request says what was asked, or what is wrong with it and how to mend it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.strategies import CALENDAR, instants, resolutions, spans
from ohlcache.domain.adjustment import Adjustment
from ohlcache.domain.errors import InvalidRequest
from ohlcache.domain.market_time import market_date
from ohlcache.domain.request import CANDLES_MAX, CandleRequest, Range, months_before, years_before
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.span import Span
from ohlcache.testing.clock import instant_of

MONDAY_NOON = instant_of("2024-06-03T16:00:00Z")


def asked(ticker: str = "AAPL", as_of: float = MONDAY_NOON, **wishes: Any) -> CandleRequest:
    return CandleRequest.parse(ticker, calendar=CALENDAR, as_of=as_of, **wishes)


@pytest.mark.parametrize(
    ("wishes", "field"),
    [
        ({"ticker": ""}, "ticker"),
        ({"ticker": "A PPL"}, "ticker"),
        ({"ticker": "ABCDEFGHIJKLM"}, "ticker"),
        ({"ticker": "-AAPL"}, "ticker"),
        ({"ticker": "AÄPL"}, "ticker"),
        ({"ticker": "../etc/passwd"}, "ticker"),
        ({"ticker": "AAPL\n"}, None),
        ({"ticker": "AA\nPL"}, "ticker"),
        ({"ticker": "A#B"}, "ticker"),
        ({"ticker": "A:B"}, "ticker"),
        ({"resolution": "5m"}, "resolution"),
        ({"resolution": "d"}, "resolution"),
        ({"resolution": ""}, "resolution"),
        ({"range": "2W"}, "range"),
        ({"range": "custom"}, "range"),
        ({"range": ""}, "range"),
        ({"adjust": "dividends"}, "adjust"),
        ({"start_date": "2024-13-01"}, "start_date"),
        ({"start_date": "2024-2-1"}, "start_date"),
        ({"start_date": "20240201"}, "start_date"),
        ({"start_date": "2024-W05-1"}, "start_date"),
        ({"start_date": "2024-02-30"}, "start_date"),
        ({"start_date": "2024-01-02", "end_date": "yesterday"}, "end_date"),
        ({"end_date": "2024-01-02"}, "start_date"),
        ({"start_date": "2024-03-01", "end_date": "2024-02-01"}, "start_date"),
        ({"start_date": "2024-06-04"}, "start_date"),
        ({"start_date": "2024-06-03", "end_date": "2024-06-04"}, "end_date"),
        ({"start_date": "1969-12-31", "end_date": "1970-02-01"}, "start_date"),
        ({"range": "1W", "start_date": "2024-01-02"}, "range"),
        ({"range": "5Y", "resolution": "1"}, "range"),
        ({"start_date": "2000-01-03", "end_date": "2004-01-02", "resolution": "1"}, "start_date"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field_and_an_example(wishes: dict[str, str], field: str | None) -> None:
    """E21, C10: a bad request names the field to mend and shows how; a future date is refused."""
    if field is None:
        assert asked(**wishes).ticker == "AAPL"
        return
    with pytest.raises(InvalidRequest) as refused:
        asked(**wishes)
    assert (refused.value.code, refused.value.status, refused.value.field) == ("invalid_request", 400, field)
    assert any(example in refused.value.hint for example in ("=", "for example", "AAPL"))


@given(
    st.text(max_size=16),
    st.text(max_size=6),
    st.text(max_size=12) | st.none(),
    st.text(max_size=12) | st.none(),
    st.text(max_size=6) | st.none(),
)
def test_any_text_is_a_request_or_refused(
    ticker: str, resolution: str, start: str | None, end: str | None, name: str | None
) -> None:
    """Whatever is written, it is either a valid request or an InvalidRequest that names a field."""
    outcome: CandleRequest | InvalidRequest
    try:
        outcome = asked(ticker, resolution=resolution, start_date=start, end_date=end, range=name)
    except InvalidRequest as refused:
        outcome = refused
    if isinstance(outcome, InvalidRequest):
        assert outcome.field in {"ticker", "resolution", "start_date", "end_date", "range"}
        assert outcome.hint
    else:
        assert outcome.span.end <= market_date(MONDAY_NOON)


@given(spans(days_max=200), resolutions)
def test_a_custom_span_is_taken_as_written(span: Span, resolution: Resolution) -> None:
    """A4: strings and dates mean the same, and the span is the one that was asked for."""
    as_of = instant_of("2025-01-02T12:00:00Z")
    by_text = asked(as_of=as_of, start_date=str(span.start), end_date=str(span.end), resolution=resolution.value)
    by_date = asked(as_of=as_of, start_date=span.start, end_date=span.end, resolution=resolution.value)
    assert by_text == by_date
    assert by_text.span == span


@given(instants, st.sampled_from(list(Range)))
def test_every_range_ends_today(as_of: float, name: Range) -> None:
    """A1, K4: a named range ends on the New York date, and starts where its name says."""
    span = asked(as_of=as_of, range=name.value).span
    today = market_date(as_of)
    assert span.end == today
    longest = {Range.WEEK: 7, Range.MONTH: 31, Range.MONTHS_3: 92, Range.MONTHS_6: 184, Range.YEAR: 366}
    if name in longest:
        assert longest[name] - 4 <= (today - span.start).days <= longest[name]
    if name is Range.YEAR_TO_DATE:
        assert span.start == date(today.year, 1, 1)


@given(instants)
def test_one_day_holds_one_due_session(as_of: float) -> None:
    """G1, G14: 1D shows exactly one session that is due, so a weekend shows Friday."""
    span = asked(as_of=as_of, range="1D").span
    sessions = list(CALENDAR.between(span).dates())
    assert sessions[0] == span.start
    assert len(sessions) <= 2
    assert sessions[1:] in ([], [market_date(as_of)])


@given(st.dates(date(1971, 1, 1), date(2100, 1, 1)), st.integers(0, 600))
def test_months_before_keeps_to_the_month(day: date, months: int) -> None:
    """The same day of an earlier month, or that month's last day (29 February becomes 28)."""
    earlier = day.year * 12 + day.month - 1 - months
    assume(earlier >= 12)
    result = months_before(day, months)
    assert result.year * 12 + result.month - 1 == earlier
    assert result.day == day.day or (result + timedelta(days=1)).day == 1
    assert years_before(date(2024, 2, 29), 1) == date(2023, 2, 28)


def test_defaults() -> None:
    """Without anything said it is the month up to today, daily, adjusted as the source does."""
    request = asked()
    assert (request.range, request.resolution, request.adjustment) == ("1M", Resolution.DAY, None)
    assert request.span == Span(date(2024, 5, 3), date(2024, 6, 3))
    assert asked(start_date="2024-05-31").span.end == date(2024, 6, 3)
    assert asked(adjust="all").adjustment is Adjustment.ALL
    assert asked(range="ytd").range == "YTD"


def test_the_longest_answer_is_bounded() -> None:
    """G13, G16: five years daily and a year of 5 minutes are fine; more than 200,000 candles are not."""
    assert asked(range="5Y").span.start == date(2019, 6, 3)
    assert asked(range="1Y", resolution="5").resolution is Resolution.MINUTES_5
    with pytest.raises(InvalidRequest, match=str(CANDLES_MAX)):
        asked(range="5Y", resolution="1")
