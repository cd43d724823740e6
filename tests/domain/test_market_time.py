"""Today is the date in New York, wherever the process runs."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest
from freezegun import freeze_time
from hypothesis import given
from hypothesis import strategies as st

from domain.strategies import dates, instants
from ohlcache.adapters.clock import SystemClock
from ohlcache.domain.market_time import (
    instant_at,
    iso_instant,
    market_date,
    midnight_utc,
    next_midnight,
    ordinal_of,
)
from ohlcache.testing.clock import instant_of

MOMENTS = {
    "2024-06-03T23:59:00Z": "2024-06-03",  # 19:59 in New York
    "2024-06-04T03:59:59Z": "2024-06-03",
    "2024-06-04T04:00:00Z": "2024-06-04",
    "2024-01-04T04:59:59Z": "2024-01-03",  # winter
    "2024-01-04T05:00:00Z": "2024-01-04",
    "2024-03-10T06:59:59Z": "2024-03-10",  # the hour that does not exist
    "2024-03-10T07:00:00Z": "2024-03-10",
    "2024-11-03T05:30:00Z": "2024-11-03",  # the hour that comes twice
    "2024-11-03T06:30:00Z": "2024-11-03",
    "2024-11-04T04:59:59Z": "2024-11-03",
    "2024-12-31T23:59:59Z": "2024-12-31",
    "2025-01-01T04:59:59Z": "2024-12-31",
    "2016-12-31T23:59:59Z": "2016-12-31",  # a leap second follows: the epoch does not count it
    "2017-01-01T00:00:00Z": "2016-12-31",
}


@pytest.mark.parametrize(("instant", "day"), MOMENTS.items())
def test_the_date_is_new_york_s(instant: str, day: str) -> None:
    """C4, C8, C9, G17, K4: midnight UTC, both clock changes and a leap second move nothing."""
    assert market_date(instant_of(instant)).isoformat() == day


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "Pacific/Kiritimati", "America/Los_Angeles", "America/New_York"])
def test_the_machine_s_zone_does_not_matter(zone: str) -> None:
    """C13, K4, O5: a process started in any time zone says the same."""
    code = (
        "import sys, time; time.tzset()\n"
        "from ohlcache.domain.market_time import market_date\n"
        "print(*[market_date(float(text)).isoformat() for text in sys.argv[1:]])"
    )
    asked = [str(instant_of(instant)) for instant in MOMENTS]
    fresh = subprocess.run(
        [sys.executable, "-c", code, *asked], env={"TZ": zone}, capture_output=True, text=True, check=True
    )
    assert fresh.stdout.split() == list(MOMENTS.values())


@given(instants)
def test_the_date_is_that_of_the_zone_database(instant: float) -> None:
    """K4: whatever the instant, it is the date that New York's clocks show."""
    assert market_date(instant) == datetime.fromtimestamp(instant, UTC).astimezone(ZoneInfo("America/New_York")).date()


@given(instants)
def test_the_next_midnight_begins_the_next_date(instant: float) -> None:
    """A day is 23, 24 or 25 hours long."""
    midnight = next_midnight(instant)
    assert instant < midnight <= instant + 25 * 3600
    assert market_date(midnight).toordinal() == market_date(instant).toordinal() + 1
    assert market_date(midnight - 1) == market_date(instant)


@given(dates, st.times().filter(lambda at: at.hour >= 4))
def test_an_instant_has_its_date(day: date, at: time) -> None:
    """What New York's clocks show on a day lies on that day."""
    assert market_date(instant_at(day, at.replace(microsecond=0))) == day


@given(st.dates(date(1900, 1, 1), date(2200, 1, 1)))
def test_midnight_and_ordinal_are_inverse(day: date) -> None:
    """B6: a daily candle's time is 00:00 UTC of its market date."""
    ordinal = day.toordinal()
    assert ordinal_of(midnight_utc(ordinal)) == ordinal
    assert iso_instant(midnight_utc(ordinal)) == f"{day.isoformat()}T00:00:00Z" if day.year >= 1970 else True


def test_the_machine_s_clock_is_the_only_one_that_is_read() -> None:
    """Q1: with time frozen the system clock stands still."""
    with freeze_time("2024-06-04T03:59:59Z"):
        assert market_date(SystemClock().now()) == date(2024, 6, 3)
