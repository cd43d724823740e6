"""A vendor without a network: daily candles that ship with the package, intraday ones derived from them.

It needs no key and never changes, so everything can be tried, taught and tested with it. Its data ends on 2014-12-31,
and its intraday candles are synthetic; both are in its traits.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ohlcache.adapters.vendors.sample_files import SAMPLE_LAST_DAY, SAMPLE_NAMES, SampleHistory, read_sample
from ohlcache.adapters.vendors.sample_intraday import intraday_candles
from ohlcache.domain.adjustment import Adjustment
from ohlcache.domain.candles import Candles
from ohlcache.domain.errors import TickerNotFound
from ohlcache.domain.freshness import DAILY_FINAL
from ohlcache.domain.market_time import instant_at
from ohlcache.domain.observation import VendorAnswer
from ohlcache.domain.plan import SliceLimit
from ohlcache.domain.resolution import Resolution
from ohlcache.ports import QuotaState, TickerInfo, VendorTraits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ohlcache.domain.series import Series
    from ohlcache.domain.sessions import SessionTable
    from ohlcache.domain.span import Span

# Bounds the work of one call, some ten milliseconds: a year of 5-minute candles.
INTRADAY_CANDLES_MAX = 20_000
INTRADAY_DAYS_MAX = 370

_INTRADAY = tuple(resolution for resolution in Resolution if not resolution.is_daily)
_TRAITS = VendorTraits(
    limits={resolution: SliceLimit(INTRADAY_CANDLES_MAX, INTRADAY_DAYS_MAX) for resolution in _INTRADAY}
    | {Resolution.DAY: SliceLimit()},
    adjustments=dict.fromkeys(Resolution, (Adjustment.SPLITS, Adjustment.ALL, Adjustment.NONE)),
    data_until=instant_at(SAMPLE_LAST_DAY, DAILY_FINAL),
    synthetic=frozenset(_INTRADAY),
)


class SampleVendor:
    """The CandleVendor named ``sample``. A ticker's file is read when it is first asked for, in a worker thread."""

    name = "sample"
    traits = _TRAITS

    def __init__(self, calendar: SessionTable) -> None:
        self._calendar = calendar
        self._histories: dict[str, SampleHistory] = {}
        self._calls = 0

    async def prepare(self) -> None:
        """Do nothing: a file is read soon enough when it is asked for."""

    async def fetch(self, series: Series, span: Span) -> VendorAnswer:
        """Return the raw candles in ``span`` (daily: with the actions) and the ticker's first and last session.

        Raises TickerNotFound for a ticker that is not in the sample.
        """
        self._calls += 1
        if series.ticker not in SAMPLE_NAMES:
            raise TickerNotFound(
                f"{series.ticker} is not in the sample data.",
                hint=f"Check the spelling: the sample has {', '.join(SAMPLE_NAMES)}; others need a vendor key.",
                field="ticker",
            )
        return await asyncio.to_thread(self._answer, series, span)

    async def listing(self, series: Series, span: Span) -> Span | None:  # noqa: ARG002 - the port's signature
        """Return the ticker's first and last session, as every answer tells; None of one it does not have."""
        if series.ticker not in SAMPLE_NAMES:
            return None
        return (await asyncio.to_thread(self._history, series.ticker)).span

    async def suggest(self, text: str, limit: int) -> Sequence[TickerInfo]:
        """Return the tickers that begin with ``text``, then those with a word in their name that does."""
        wanted = text.strip().upper()
        infos = [TickerInfo(ticker, name) for ticker, name in SAMPLE_NAMES.items()]
        by_ticker = [info for info in infos if info.ticker.startswith(wanted)]
        by_name = [info for info in infos if f" {wanted}" in f" {info.name.upper()}" and info not in by_ticker]
        return (by_ticker + by_name)[:limit]

    def quota(self) -> QuotaState:
        """Return the number of calls; there is no allowance."""
        return QuotaState(self._calls)

    async def key_replaced(self) -> bool:
        """Return False: there is no key."""
        return False

    async def check(self) -> str:
        """Read every file; return what there is."""
        histories = [await asyncio.to_thread(self._history, ticker) for ticker in SAMPLE_NAMES]
        sessions = sum(len(history.days) for history in histories)
        first = min(history.span.start for history in histories)
        return f"Sample data: {', '.join(SAMPLE_NAMES)}; {sessions} sessions from {first} to {SAMPLE_LAST_DAY}."

    async def close(self) -> None:
        """Do nothing: nothing is held open."""

    def _answer(self, series: Series, span: Span) -> VendorAnswer:
        history = self._history(series.ticker)
        part = history.within(span)
        if series.resolution.is_daily:
            return VendorAnswer(part.candles, part.actions, history.span)
        if not len(part.days):
            return VendorAnswer(Candles.empty(), listing=history.span)
        sessions = self._calendar.between(part.span)
        candles = intraday_candles(series.ticker, part.candles, sessions, series.resolution)
        return VendorAnswer(candles, listing=history.span)

    def _history(self, ticker: str) -> SampleHistory:
        history = self._histories.get(ticker)
        if history is None:
            history = self._histories[ticker] = read_sample(ticker)
        return history
