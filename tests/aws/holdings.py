"""Small invented holdings, for tests that care about where they are kept and not what is in them."""

from __future__ import annotations

from datetime import date

import numpy as np

from ohlcache.domain.adjustment import Actions
from ohlcache.domain.candles import Candles
from ohlcache.domain.chunks import Chunk, cut
from ohlcache.domain.coverage import Coverage, Holding, SessionState
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.series import Series

OBSERVED_AT = 1_717_420_000
"""A little before the instant at which a FakeClock starts."""
EPOCH = date(1970, 1, 1).toordinal()


def daily(*days: date, state: SessionState = SessionState.FINAL, observed_at: int = OBSERVED_AT) -> Holding:
    """Return one candle for each of ``days``."""
    ordinals = np.array([day.toordinal() for day in days], np.int32)
    count = len(days)
    close = 100 + np.arange(count) / 4
    return Holding(
        Coverage(
            ordinals,
            np.full(count, state, np.uint8),
            np.full(count, observed_at, np.int64),
            np.ones(count, np.int32),
        ),
        Candles.from_columns(
            (ordinals.astype(np.int64) - EPOCH) * 86_400, close, close + 1, close - 1, close, np.arange(count) * 1000
        ),
        Actions.none(),
    )


def series(ticker: str = "AAPL", resolution: Resolution = Resolution.DAY, source: str = "tiingo") -> Series:
    return Series(ticker, source, resolution)


def chunks(*days: date, ticker: str = "AAPL", state: SessionState = SessionState.FINAL) -> list[Chunk]:
    return cut(series(ticker), daily(*days, state=state))
