"""The shipped exchange calendar says what exchange_calendars says, and is there at once."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from ohlcache.adapters.calendar import XNYS_TABLE, decode_sessions, encode_sessions, load_xnys
from ohlcache.domain.errors import InvalidRequest
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.span import Span

if TYPE_CHECKING:
    from ohlcache.domain.sessions import SessionTable

NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture(scope="module")
def table() -> SessionTable:
    return load_xnys()


def sessions_in(table: SessionTable, first: str, last: str) -> list[str]:
    span = Span(date.fromisoformat(first), date.fromisoformat(last))
    return [day.isoformat() for day in table.between(span).dates()]


def clock(instant: int | None) -> str:
    assert instant is not None
    return datetime.fromtimestamp(instant, NEW_YORK).strftime("%H:%M")


@pytest.mark.filterwarnings("ignore")  # exchange_calendars lags behind pandas; that is not ours to mend
def test_every_session_equals_the_source(table: SessionTable) -> None:
    """Day by day the table has the sessions, opens and closes of exchange_calendars, and no other."""
    exchange_calendars = pytest.importorskip("exchange_calendars")
    schedule = exchange_calendars.get_calendar("XNYS", start=date(1970, 1, 1), end=table.span.end).schedule
    assert [date.fromordinal(int(day)) for day in table.days] == [stamp.date() for stamp in schedule.index]
    assert table.opens.tolist() == [int(stamp.timestamp()) for stamp in schedule["open"]]
    assert table.closes.tolist() == [int(stamp.timestamp()) for stamp in schedule["close"]]


def test_columns_have_the_promised_types(table: SessionTable) -> None:
    """Days are int32, opens and closes int64; all three ascend and a session opens before it closes."""
    assert (table.days.dtype, table.opens.dtype, table.closes.dtype) == (np.int32, np.int64, np.int64)
    assert np.all(np.diff(table.days) > 0)
    assert np.all(table.opens < table.closes)
    assert np.all(table.closes[:-1] < table.opens[1:])


def test_version_names_the_source_and_the_last_session(table: SessionTable) -> None:
    """The version changes whenever the source or the reach does."""
    assert table.version.endswith("+" + table.span.end.isoformat())
    assert table.version[0].isdigit()
    assert table.span.start == date(1970, 1, 2)


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        ("2024-11-29", "09:30-13:00"),  # the day after Thanksgiving
        ("2024-07-03", "09:30-13:00"),
        ("2013-07-03", "09:30-13:00"),  # one of a kind
        ("1999-12-31", "09:30-13:00"),
        ("1992-12-24", "09:30-14:00"),  # half-days ended at two until 1993
        ("2014-06-09", "09:30-16:00"),
        ("2024-03-11", "09:30-16:00"),  # the first session of summer time
        ("2024-11-04", "09:30-16:00"),  # the first session of winter time
    ],
)
def test_hours(table: SessionTable, day: str, hours: str) -> None:
    """Half-days close early; New York's clock changes leave the hours alone."""
    on = date.fromisoformat(day)
    assert f"{clock(table.open_of(on))}-{clock(table.close_of(on))}" == hours


@pytest.mark.parametrize(
    ("first", "last", "sessions"),
    [
        ("2025-01-08", "2025-01-10", ["2025-01-08", "2025-01-10"]),  # Carter's funeral
        ("2012-10-26", "2012-10-31", ["2012-10-26", "2012-10-31"]),  # hurricane Sandy
        ("2001-09-10", "2001-09-17", ["2001-09-10", "2001-09-17"]),
        ("2007-01-01", "2007-01-03", ["2007-01-03"]),  # Ford's funeral
        ("1985-09-26", "1985-09-30", ["1985-09-26", "1985-09-30"]),  # hurricane Gloria
        ("2022-06-17", "2022-06-21", ["2022-06-17", "2022-06-21"]),  # the first Juneteenth
    ],
)
def test_closures(table: SessionTable, first: str, last: str, sessions: list[str]) -> None:
    """Days on which the exchange unexpectedly stayed closed are no sessions."""
    assert sessions_in(table, first, last) == sessions


def test_half_day_has_fewer_candles(table: SessionTable) -> None:
    """A half-day of 5-minute candles has 42, the last one beginning at 12:55."""
    half = table.between(Span(date(2024, 11, 29), date(2024, 11, 29)))
    opens = half.candle_opens(Resolution.MINUTES_5)
    assert len(opens) == 42
    assert clock(int(opens[-1])) == "12:55"


def test_dates_outside_the_table_are_refused(table: SessionTable) -> None:
    """The table does not guess: 1968 and the day after its last are errors that name the field."""
    with pytest.raises(InvalidRequest) as before:
        table.between(Span(date(1968, 6, 12), date(1970, 1, 9)))
    assert before.value.field == "start_date"
    with pytest.raises(InvalidRequest) as after:
        table.between(Span(date(2024, 1, 2), table.span.end + timedelta(days=1)))
    assert after.value.field == "end_date"


def test_the_format_is_deterministic_and_lossless(table: SessionTable) -> None:
    """Written again, the same sessions make the same bytes."""
    again = encode_sessions(table, "XNYS")
    assert again == encode_sessions(decode_sessions(again), "XNYS")
    decoded = decode_sessions(again)
    assert decoded.version == table.version
    for column in ("days", "opens", "closes"):
        assert np.array_equal(getattr(decoded, column), getattr(table, column))
    assert XNYS_TABLE.stat().st_size < 4096


def test_loading_needs_no_calendar_library() -> None:
    """A fresh process that loads the table has imported neither pandas nor exchange_calendars."""
    program = (
        "import sys; from ohlcache.adapters.calendar import load_xnys; load_xnys(); "
        "print(sorted({'pandas', 'exchange_calendars'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
