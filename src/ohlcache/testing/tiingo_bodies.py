"""Tiingo's answers, written from a market in the vendor's own format: key order, dates, floats and all."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from ohlcache.domain.candles import Candles
from ohlcache.domain.market_time import iso_instant
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.span import Span
from ohlcache.testing.faults import Fault, spoil, tamper, tampered_rows
from ohlcache.testing.market import DailyRows, Hours, Labels
from ohlcache.testing.phantoms import with_phantom_bars

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ohlcache.testing.market import Market

ADJUSTED_DECIMALS = 10
IEX_ROWS_MAX = 10_000
IEX_COLUMNS_DEFAULT = ("close", "high", "low", "open")

HOURLY_QUOTA = "Error: You have run over your hourly request allocation."
SYMBOL_QUOTA = (
    "You have run over your 500 symbol look up for this month. "
    "Please upgrade at https://api.tiingo.com/pricing to have your limits increased."
)
WRONG_FREQUENCY = "Error: resampleFreq must be in 'Min' or 'Hour' only"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request wants to see of a market, and what goes wrong with it."""

    market: Market
    ticker: str
    now: float
    faults: Mapping[Fault, float]


def detail(text: str) -> bytes:
    """Return an error body."""
    return written({"detail": text})


def written(value: object) -> bytes:
    """Return ``value`` as compact JSON, NaN as JavaScript would."""
    return json.dumps(value, separators=(",", ":")).encode()


def daily(asked: Asked, span: Span) -> bytes:
    """Return the rows of ``span`` as ``/tiingo/daily/<ticker>/prices`` with dates gives them."""
    rows = _daily_rows(asked, span)
    return written([{"date": f"{day}T00:00:00.000Z", **values} for day, values in rows])


def latest(asked: Asked) -> bytes:
    """Return the newest row as the same resource without dates gives it: keys sorted, another date format."""
    listing = asked.market.listing(asked.ticker, asked.now)
    rows = _daily_rows(asked, Span(listing.end, listing.end)) if listing else []
    dated = [{"date": f"{day}T00:00:00+00:00", **values} for day, values in rows]
    return written([dict(sorted(row.items())) for row in dated])


def metadata(asked: Asked) -> bytes:
    """Return ``/tiingo/daily/<ticker>``."""
    listing = asked.market.listing(asked.ticker, asked.now)
    stock = asked.market.stocks[asked.ticker]
    return written(
        {
            "ticker": asked.ticker.replace(".", "-"),
            "name": stock.name,
            "exchangeCode": "NYSE",
            "description": f"{stock.name} is made of a seed.",
            "startDate": listing.start.isoformat() if listing else None,
            "endDate": listing.end.isoformat() if listing else None,
        }
    )


def intraday(asked: Asked, resolution: Resolution, span: Span, columns: Sequence[str], hours: Hours) -> bytes:
    """Return ``/iex/<ticker>/prices``: bar starts in UTC, hours on the clock, volume (a float) only when asked for."""
    bars = asked.market.bars(asked.ticker, resolution, span, asked.now, hours=hours, labels=Labels.CLOCK)
    if Fault.PHANTOM_BARS in asked.faults:
        bars = with_phantom_bars(bars, resolution, span, asked.market.calendar, asked.now)
    bars = tamper(bars[-IEX_ROWS_MAX:], asked.faults)
    of_name = {
        "open": bars.open.tolist(),
        "high": bars.high.tolist(),
        "low": bars.low.tolist(),
        "close": bars.close.tolist(),
        "volume": bars.volume.astype(np.float64).tolist(),
    }
    names = [name for name in columns if name in of_name]
    dates = [f"{iso_instant(start)[:-1]}.000Z" for start in bars.time.tolist()]
    chosen = zip(dates, *(of_name[name] for name in names), strict=True)
    return written([dict(zip(("date", *names), row, strict=True)) for row in chosen])


def search(market: Market, text: str) -> bytes:
    """Return ``/tiingo/utilities/search``."""
    found = sorted(ticker for ticker in market.stocks if ticker.startswith(text.upper()))
    return written(
        [
            {"ticker": ticker.replace(".", "-"), "name": market.stocks[ticker].name, "assetType": "Stock"}
            for ticker in found
        ]
    )


def _daily_rows(asked: Asked, span: Span) -> list[tuple[str, dict[str, float]]]:
    life = asked.market.listing(asked.ticker, asked.now)
    if life is None:
        return []
    whole = asked.market.daily(asked.ticker, life, asked.now)
    price, shares = adjustment_factors(whole)
    inside = (whole.days >= span.start.toordinal()) & (whole.days <= span.end.toordinal())
    rows, price, shares = whole[inside], price[inside], shares[inside]
    if Fault.PHANTOM_BARS in asked.faults:
        rows, price, shares = _with_phantoms(rows, price, shares, span, asked)
    order = np.asarray(tampered_rows(len(rows), asked.faults), np.int64)
    rows, price, shares = rows[order], price[order], shares[order]
    rows = replace(rows, candles=spoil(rows.candles, asked.faults))
    return [_daily_row(rows, index, float(price[index]), float(shares[index])) for index in range(len(rows))]


def _daily_row(rows: DailyRows, index: int, price: float, shares: float) -> tuple[str, dict[str, float]]:
    candles = rows.candles
    raw = {name: float(getattr(candles, name)[index]) for name in ("close", "high", "low", "open")}
    volume = int(candles.volume[index])
    adjusted = {f"adj{name.capitalize()}": round(value * price, ADJUSTED_DECIMALS) for name, value in raw.items()}
    values = {
        **raw,
        "volume": volume,
        **adjusted,
        "adjVolume": round(volume * shares),
        "divCash": float(rows.dividends[index]),
        "splitFactor": float(rows.splits[index]),
    }
    return date.fromordinal(int(rows.days[index])).isoformat(), values


def adjustment_factors(rows: DailyRows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return per row the factors of price and of volume, by the vendor's documented formula, up to the last row.

    Written as the vendor describes it, row by row, so that it can check what computes them in columns.
    """
    price, shares = 1.0, 1.0
    prices, volumes = np.ones(len(rows)), np.ones(len(rows))
    close = rows.candles.close
    for index in range(len(rows) - 1, -1, -1):
        prices[index], volumes[index] = price, shares
        price *= float(close[index] / (close[index] + rows.dividends[index])) / float(rows.splits[index])
        shares *= float(rows.splits[index])
    return prices, volumes


def _with_phantoms(
    rows: DailyRows, price: NDArray[np.float64], shares: NDArray[np.float64], span: Span, asked: Asked
) -> tuple[DailyRows, NDArray[np.float64], NDArray[np.float64]]:
    more = with_phantom_bars(rows.candles, Resolution.DAY, span, asked.market.calendar, asked.now)
    real = np.isin(more.time, rows.candles.time)
    columns = []
    for values, nothing in ((rows.dividends, 0.0), (rows.splits, 1.0), (price, 1.0), (shares, 1.0)):
        column = np.full(len(more), nothing)
        column[real] = values
        columns.append(column)
    return DailyRows(Candles(*more.columns()), columns[0], columns[1]), columns[2], columns[3]
