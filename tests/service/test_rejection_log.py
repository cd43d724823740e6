"""What is remembered of rejected rows: as much as is asked for, no more than fits, nothing that was cleared."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from ohlcache.domain.coverage import Coverage, SessionState
from ohlcache.domain.plan import Need
from ohlcache.domain.rejections import RejectedRow
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.series import Series
from ohlcache.domain.span import Span
from ohlcache.service.rejection_log import REMEMBERED_ROWS_MAX, REMEMBERED_SERIES_MAX, RejectionLog
from ohlcache.testing import RecordingTelemetry

FIRST = date(2024, 6, 3)
AAPL = Series("AAPL", "tiingo", Resolution.DAY)


def row(day: int, value: str = "0") -> RejectedRow:
    at = FIRST + timedelta(days=day)
    return RejectedRow(Span(at, at), "open", value, "is not a positive number")


def rejected(*days: int) -> Coverage:
    count = len(days)
    ordinals = np.array([FIRST.toordinal() + day for day in days], np.int32)
    states = np.full(count, SessionState.REJECTED, np.uint8)
    return Coverage(ordinals, states, np.zeros(count, np.int64), np.zeros(count, np.int32))


def need(first: int, last: int, series: Series = AAPL) -> Need:
    return Need(series, Span(FIRST + timedelta(days=first), FIRST + timedelta(days=last)))


def test_rows_of_rejected_sessions_of_the_need_are_returned() -> None:
    """B8: of sessions that are rejected still, within what is asked for, in order; the newest row of each."""
    log = RejectionLog(RecordingTelemetry())
    log.add(AAPL, [row(2), row(0)])
    log.add(AAPL, [row(0, "-1"), row(4)])
    assert log.of(need(0, 9), rejected(0, 2, 4)) == (row(0, "-1"), row(2), row(4))
    assert log.of(need(1, 3), rejected(0, 2, 4)) == (row(2),)
    assert log.of(need(0, 9), rejected(4)) == (row(4),)
    assert log.of(need(0, 9), rejected()) == ()
    assert log.of(need(0, 9, Series("MSFT", "tiingo", Resolution.DAY)), rejected(0)) == ()


def test_a_cleared_ticker_has_none() -> None:
    """C5: at every resolution; others keep theirs."""
    log = RejectionLog(RecordingTelemetry())
    minutes, other = Series("AAPL", "tiingo", Resolution.MINUTE), Series("MSFT", "tiingo", Resolution.DAY)
    for series in (AAPL, minutes, other):
        log.add(series, [row(0)])
    log.drop("AAPL")
    assert [len(log.of(need(0, 1, series), rejected(0))) for series in (AAPL, minutes, other)] == [0, 0, 1]


def test_memory_is_bounded() -> None:
    """E12: the oldest rows and the series that had none for longest go first."""
    log = RejectionLog(RecordingTelemetry())
    log.add(AAPL, [row(day) for day in range(REMEMBERED_ROWS_MAX + 1)])
    assert log.of(need(0, 0), rejected(0)) == ()
    assert log.of(need(1, 1), rejected(1)) == (row(1),)
    for number in range(REMEMBERED_SERIES_MAX):
        log.add(Series(f"T{number}", "tiingo", Resolution.DAY), [row(0)])
    assert log.of(need(1, 1), rejected(1)) == ()
