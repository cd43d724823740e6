"""Finnhub's answers, written from a market in the vendor's own format: parallel arrays, ints among floats."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from ohlcache.domain.candles import Candles
from ohlcache.domain.market_time import DAY_SECONDS, instant_at, market_date
from ohlcache.domain.span import Span
from ohlcache.testing.faults import Fault, tamper
from ohlcache.testing.market import BELL, Hours, Labels
from ohlcache.testing.phantoms import with_phantom_bars

if TYPE_CHECKING:
    from ohlcache.domain.resolution import Resolution
    from ohlcache.testing.market import DailyRows, Market
    from ohlcache.testing.tiingo_bodies import Asked

INTRADAY_DAYS_MAX = 31
NO_DATA = b'{"s":"no_data"}'
LIMIT_REACHED = "API limit reached. Please try again later. Remaining Limit: 0"
LIMIT_REACHED_TEXT = b"API limit reached. Please try again later."
SIGN_UP = "API limit reached. Please sign up for a free account to continue using the API."
NO_ACCESS = "You don't have access to this resource."
INVALID_KEY = "Invalid API key"


def error(text: str) -> bytes:
    """Return an error body."""
    return json.dumps({"error": text}, separators=(",", ":")).encode()


def candles(asked: Asked, resolution: Resolution, first: int, last: int) -> Candles:
    """Return the candles of ``/api/v1/stock/candle`` that begin from ``first`` through ``last`` (epoch seconds)."""
    if not asked.market.knows(asked.ticker) or first > last:
        return Candles.empty()
    if not resolution.is_daily:
        first = max(first, last - INTRADAY_DAYS_MAX * DAY_SECONDS)
    calendar = asked.market.calendar.span
    start, end = max(market_date(first), calendar.start), min(market_date(last + DAY_SECONDS), calendar.end)
    if start > end:
        return Candles.empty()
    span = Span(start, end)
    bars = _daily(asked, span) if resolution.is_daily else _intraday(asked, resolution, span)
    if Fault.PHANTOM_BARS in asked.faults:
        bars = with_phantom_bars(bars, resolution, span, asked.market.calendar, asked.now)
    bars = bars[(bars.time >= first) & (bars.time <= last)]
    return tamper(bars, asked.faults)


def stamped_at_the_open(bars: Candles) -> Candles:
    """Return daily candles with the stamps of 2020: the session's open instead of 00:00 UTC."""
    epoch = date(1970, 1, 1).toordinal()
    opens = [int(instant_at(date.fromordinal(epoch + t // DAY_SECONDS), BELL)) for t in bars.time.tolist()]
    return Candles(np.asarray(opens, np.int64), bars.open, bars.high, bars.low, bars.close, bars.volume)


def columns(bars: Candles) -> bytes:
    """Return the arrays of an answer, keys sorted; without a bar the arrays are absent."""
    if not len(bars):
        return NO_DATA
    body = {
        "c": _numbers(bars.close),
        "h": _numbers(bars.high),
        "l": _numbers(bars.low),
        "o": _numbers(bars.open),
        "s": "ok",
        "t": bars.time.tolist(),
        "v": bars.volume.tolist(),
    }
    return json.dumps(body, separators=(",", ":")).encode()


def search(market: Market, text: str) -> bytes:
    """Return ``/api/v1/search``."""
    found = sorted(ticker for ticker in market.stocks if ticker.startswith(text.upper()))
    result = [
        {"description": market.stocks[t].name.upper(), "displaySymbol": t, "symbol": t, "type": "Common Stock"}
        for t in found
    ]
    return json.dumps({"count": len(result), "result": result}, separators=(",", ":")).encode()


def _intraday(asked: Asked, resolution: Resolution, span: Span) -> Candles:
    market = asked.market
    return market.bars(asked.ticker, resolution, span, asked.now, hours=Hours.EXTENDED, labels=Labels.CLOCK)


def _daily(asked: Asked, span: Span) -> Candles:
    """Return daily candles divided by every later split, float noise included; volumes as they were."""
    life = asked.market.listing(asked.ticker, asked.now)
    if life is None:
        return Candles.empty()
    rows = asked.market.daily(asked.ticker, life, asked.now)
    later = _later_splits(rows)
    raw = rows.candles
    whole = Candles(raw.time, raw.open / later, raw.high / later, raw.low / later, raw.close / later, raw.volume)
    return whole[(rows.days >= span.start.toordinal()) & (rows.days <= span.end.toordinal())]


def _later_splits(rows: DailyRows) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    product, later = 1.0, np.ones(len(rows))
    for index in range(len(rows) - 1, -1, -1):
        later[index] = product
        product *= float(rows.splits[index])
    return later


def _numbers(column: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[float]:
    """Return the values as the vendor writes them: without a fraction where there is none."""
    return [int(value) if value.is_integer() else value for value in column.tolist()]
