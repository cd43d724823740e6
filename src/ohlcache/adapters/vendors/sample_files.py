"""The daily history that ships with the package: five tickers, raw, with their dividends and splits.

One gzipped CSV per ticker, ``date,open,high,low,close,volume,dividend,split``, a row per session and none missing;
``PROVENANCE.md`` beside the files says where they come from.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ohlcache.domain.adjustment import Actions
from ohlcache.domain.candles import Candles
from ohlcache.domain.market_time import midnight_utc
from ohlcache.domain.span import Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLE_FOLDER = Path(__file__).parents[2] / "data" / "sample"

SAMPLE_NAMES = {
    "AAPL": "Apple Inc.",
    "BRK.A": "Berkshire Hathaway Inc. Class A",
    "IBM": "International Business Machines Corporation",
    "MSFT": "Microsoft Corporation",
    "ZEN": "Zendesk, Inc.",
}
SAMPLE_LAST_DAY = date(2014, 12, 31)


@dataclass(frozen=True, slots=True, eq=False)
class SampleHistory:
    """Sessions of one ticker, ascending: market-date ordinals (int32), raw daily candles, the actions among them."""

    days: NDArray[np.int32]
    candles: Candles
    actions: Actions

    @property
    def span(self) -> Span:
        """The first and the last session."""
        return Span(date.fromordinal(int(self.days[0])), date.fromordinal(int(self.days[-1])))

    def within(self, span: Span) -> SampleHistory:
        """Return the sessions and actions of ``span``; there may be none."""
        low, high = np.searchsorted(self.days, [span.start.toordinal(), span.end.toordinal() + 1]).tolist()
        first, last = np.searchsorted(self.actions.days, [span.start.toordinal(), span.end.toordinal() + 1]).tolist()
        return SampleHistory(self.days[low:high], self.candles[low:high], self.actions[first:last])


def read_sample(ticker: str) -> SampleHistory:
    """Return the history of ``ticker``, one of SAMPLE_NAMES."""
    with gzip.open(SAMPLE_FOLDER / f"{ticker}.csv.gz", "rt", encoding="ascii") as lines:
        next(lines)
        rows = [line.rstrip("\n").split(",") for line in lines]
    dates, opens, highs, lows, closes, volumes, dividends, splits = zip(*rows, strict=True)
    days = np.array([date.fromisoformat(text).toordinal() for text in dates], np.int32)
    times = midnight_utc(days.astype(np.int64))
    candles = Candles(
        times,
        _prices(opens),
        _prices(highs),
        _prices(lows),
        _prices(closes),
        np.array([int(text) for text in volumes], np.int64),
    )
    numbers = zip(days.tolist(), map(float, dividends), map(float, splits), map(float, closes), strict=True)
    return SampleHistory(days, candles, Actions.from_rows(numbers))


def _prices(texts: tuple[str, ...]) -> NDArray[np.float64]:
    return np.array([float(text) for text in texts])
