"""Flat bars without volume where no trade can have been: vendors send them off hours and on holidays."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from ohlcache.domain.candles import Candles
from ohlcache.domain.market_time import instant_at, midnight_utc
from ohlcache.testing.market import BELL

if TYPE_CHECKING:
    from ohlcache.domain.resolution import Resolution
    from ohlcache.domain.sessions import SessionTable
    from ohlcache.domain.span import Span

SATURDAY = 5
BARS_OFF_HOURS = 3


def with_phantom_bars(
    candles: Candles, resolution: Resolution, span: Span, calendar: SessionTable, now: float
) -> Candles:
    """Return ``candles`` with flat bars on the holidays of ``span`` and, intraday, after each close; ascending."""
    sessions = calendar.between(span)
    holidays = [
        day
        for day in range(span.start.toordinal(), span.end.toordinal() + 1)
        if date.fromordinal(day).weekday() < SATURDAY and not np.isin(day, sessions.days)
    ]
    if resolution.is_daily:
        times = [midnight_utc(day) for day in holidays]
    else:
        bells = [int(instant_at(date.fromordinal(day), BELL)) for day in holidays]
        starts = [*bells, *sessions.closes.tolist()]
        times = [start + bar * resolution.seconds for start in starts for bar in range(BARS_OFF_HOURS)]
    phantoms = np.asarray(sorted(t for t in set(times) - set(candles.time.tolist()) if t <= now), np.int64)
    if not len(candles) or not len(phantoms):
        return candles
    before = np.maximum(np.searchsorted(candles.time, phantoms) - 1, 0)
    price = candles.close[before]
    flat = Candles(phantoms, price, price, price, price, np.zeros(len(phantoms), np.int64))
    joined = Candles.concatenate([candles, flat])
    return joined[np.argsort(joined.time, kind="stable")]
