"""The single rule for "today": the date in New York, wherever the process runs.

An *instant* is a float: seconds since the Unix epoch, UTC. A *market date* is the calendar date in America/New_York.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DayOrDays = TypeVar("DayOrDays", int, "NDArray[np.int64]")

NEW_YORK = ZoneInfo("America/New_York")
DAY_SECONDS = 86_400

_UNIX_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


def market_date(instant: float) -> date:
    """Return the New York date at ``instant``."""
    return datetime.fromtimestamp(instant, NEW_YORK).date()


def instant_at(day: date, at: time) -> float:
    """Return the instant at which New York clocks show ``at`` on ``day``."""
    return datetime.combine(day, at, NEW_YORK).timestamp()


def next_midnight(instant: float) -> float:
    """Return the instant at which the market date after that of ``instant`` begins."""
    return instant_at(market_date(instant) + timedelta(days=1), time())


def iso_instant(instant: float) -> str:
    """Return ``instant`` as ISO 8601 in UTC with ``Z``, to the second."""
    return datetime.fromtimestamp(int(instant), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def midnight_utc(ordinal: DayOrDays) -> DayOrDays:
    """Return the epoch seconds of 00:00 UTC of a proleptic ordinal (or of a column): a daily candle's ``time``."""
    return (ordinal - _UNIX_EPOCH_ORDINAL) * DAY_SECONDS


def ordinal_of(midnight: DayOrDays) -> DayOrDays:
    """Return the proleptic ordinal (or a column of them) whose 00:00 UTC is ``midnight``."""
    return midnight // DAY_SECONDS + _UNIX_EPOCH_ORDINAL
