"""Values of the domain, made by Hypothesis."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from ohlcache.adapters.calendar import load_xnys
from ohlcache.domain.adjustment import Actions
from ohlcache.domain.candles import Candles
from ohlcache.domain.coverage import Coverage, Holding, SessionState
from ohlcache.domain.market_time import DAY_SECONDS, midnight_utc
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.span import Span

if TYPE_CHECKING:
    from collections.abc import Iterable

CALENDAR = load_xnys()
FIRST_DAY, LAST_DAY = date(2019, 1, 2), date(2024, 12, 31)

dates = st.dates(FIRST_DAY, LAST_DAY)
resolutions = st.sampled_from(list(Resolution))
intraday = st.sampled_from([resolution for resolution in Resolution if not resolution.is_daily])
instants = st.floats(
    min_value=1_546_400_000,
    max_value=1_735_600_000,
    allow_nan=False,
    allow_infinity=False,
    width=64,
)


@st.composite
def spans(draw: st.DrawFn, days_max: int = 400) -> Span:
    """Draw a span within the years of these tests."""
    start = draw(dates)
    length = draw(st.integers(0, days_max))
    return Span(start, date.fromordinal(min(start.toordinal() + length, LAST_DAY.toordinal())))


Row = tuple[int, SessionState, int, int]
"""What is known of one session: day ordinal, state, instant of observation, number of candles."""


def holding_of(rows: Iterable[Row], *, split_days: Iterable[int] = ()) -> Holding:
    """Return a daily holding of ``rows``; a candle's price follows from (day, observation), so that each is its own."""
    rows = sorted(rows)
    days, states, observed, counts = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [], [])
    times = [midnight_utc(day) + bar * 60 for day, _, _, count in rows for bar in range(count)]
    prices = [1 + (day * 31 + at * 7 + bar) % 1000 / 7 for day, _, at, count in rows for bar in range(count)]
    price = np.asarray(prices, np.float64)
    splits = sorted(set(split_days) & set(days))
    return Holding(
        Coverage(
            np.asarray(days, np.int32),
            np.asarray(states, np.uint8),
            np.asarray(observed, np.int64),
            np.asarray(counts, np.int32),
        ),
        Candles.from_columns(times, price, price + 1, price - 0.5, price, price.astype(np.int64)),
        Actions.from_rows((day, 0.0, 2.0, 10.0) for day in splits),
    )


def rows_of(holding: Holding) -> list[tuple[int, int, int, bytes]]:
    """Return a holding taken apart by session: day, state, observation, candles to the bit."""
    days = holding.candle_days()
    return [
        (day, state, at, b"".join(column.tobytes() for column in holding.candles[days == day].columns()))
        for day, state, at, _ in zip(*(column.tolist() for column in holding.coverage.columns()), strict=True)
    ]


SESSION_DAYS: list[int] = CALENDAR.between(Span(date(2023, 11, 20), date(2024, 2, 9))).days.tolist()
"""Ordinals of some sessions on both sides of a year's end: two cells of daily chunks."""


@st.composite
def daily_rows(draw: st.DrawFn, *, states: Iterable[SessionState] = tuple(SessionState)) -> list[Row]:
    """Draw rows of some sessions as one vendor answer may have left them."""
    days = draw(st.sets(st.sampled_from(SESSION_DAYS), max_size=12))
    rows = []
    for day in sorted(days):
        state = draw(st.sampled_from(list(states)))
        # Observed after the session, on one of few instants so that ties happen.
        at = midnight_utc(day) + DAY_SECONDS + draw(st.integers(0, 3)) * 3600
        unsettled = state in {SessionState.FORMING, SessionState.REJECTED}
        count = 1 if state is SessionState.FINAL else at // 3600 % 2 if unsettled else 0
        rows.append((day, state, at, count))
    return rows


def holdings(*, states: Iterable[SessionState] = tuple(SessionState)) -> st.SearchStrategy[Holding]:
    return daily_rows(states=states).map(holding_of)
