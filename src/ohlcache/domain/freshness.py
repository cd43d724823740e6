"""When candles are due, when they are final, and until when an answer cannot change.

Nothing here guesses a lifetime: an answer is fresh until the next moment at which it could change. Two instants are
told apart: ``now`` is the clock's and ages what is stored; ``as_of`` is the market's (the same, but never past the
end of a source whose data ends) and decides which sessions exist.

========  =====================  ==========================
          due                    final
========  =====================  ==========================
daily     17:30 New York         20:00 New York
intraday  its first bar closed   20 minutes after the close
========  =====================  ==========================
"""

from __future__ import annotations

import math
from datetime import date, time, timedelta
from typing import TYPE_CHECKING

from ohlcache.domain.market_time import DAY_SECONDS, instant_at, market_date, midnight_utc

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ohlcache.domain.resolution import Resolution
    from ohlcache.domain.sessions import SessionTable

DAILY_DUE = time(17, 30)
DAILY_FINAL = time(20, 0)
INTRADAY_DUE_SECONDS_MAX = 300
INTRADAY_FINAL_SECONDS = 20 * 60

FINAL_LIFE_DAYS_DEFAULT = 90
FORMING_LIFE_SECONDS = 300
REJECTED_LIFE_SECONDS = 5
"""Long enough for those who wait for the same fetch to find it in the store; when to ask again is decided elsewhere."""
KNOWN_EMPTY_LIFE_SECONDS_MIN = 300
KNOWN_EMPTY_LIFE_SECONDS_MAX = DAY_SECONDS
CLOCK_SKEW_SECONDS_MAX = 300


def due_at(day: date, resolution: Resolution, calendar: SessionTable) -> float:
    """Return the instant from which the vendor should have candles of the session on ``day``."""
    if resolution.is_daily:
        return instant_at(day, DAILY_DUE)
    opened = calendar.open_of(day)
    assert opened is not None, f"no session on {day}"
    return float(opened + min(resolution.seconds, INTRADAY_DUE_SECONDS_MAX))


def final_at(day: date, resolution: Resolution, calendar: SessionTable) -> float:
    """Return the instant from which the vendor no longer changes the candles of the session on ``day``."""
    if resolution.is_daily:
        return instant_at(day, DAILY_FINAL)
    closed = calendar.close_of(day)
    assert closed is not None, f"no session on {day}"
    return float(closed + INTRADAY_FINAL_SECONDS)


def last_due_day(resolution: Resolution, calendar: SessionTable, as_of: float) -> date | None:
    """Return the newest session that is due at ``as_of``; None before the calendar's first."""
    today = market_date(as_of)
    day = calendar.last_on_or_before(today)
    if day == today and as_of < due_at(today, resolution, calendar):
        day = calendar.last_on_or_before(today - timedelta(days=1))
    return day


def last_final_day(resolution: Resolution, calendar: SessionTable, as_of: float) -> date | None:
    """Return the newest session that is final at ``as_of``; None before the calendar's first."""
    today = market_date(as_of)
    day = calendar.last_on_or_before(today)
    if day == today and as_of < final_at(today, resolution, calendar):
        day = calendar.last_on_or_before(today - timedelta(days=1))
    return day


def next_due_at(resolution: Resolution, calendar: SessionTable, as_of: float) -> float:
    """Return the next instant after ``as_of`` at which a session becomes due; infinity where the calendar ends."""
    last = last_due_day(resolution, calendar, as_of)
    following = calendar.next_after(last) if last is not None else calendar.span.start
    return math.inf if following is None else due_at(following, resolution, calendar)


def known_empty_life_seconds(days: NDArray[np.int32], observed_at: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for how long the vendor's "I have none" is believed, per session: as long as the session has been over.

    A vendor that publishes late is asked again soon, and each time twice as late; an old hole once a day.
    """
    over_for = observed_at - (midnight_utc(days.astype("int64")) + DAY_SECONDS)
    return over_for.clip(KNOWN_EMPTY_LIFE_SECONDS_MIN, KNOWN_EMPTY_LIFE_SECONDS_MAX)
