"""Candles as a table for a terminal."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

if TYPE_CHECKING:
    from datetime import date

    from ohlcache.library.candle_table import CandleTable


UNLIMITED = 1000
"""Columns that no table of candles needs."""


def print_candles(candles: CandleTable, rows_max: int | None) -> None:
    """Print the last ``rows_max`` candles (None: all), and say how many earlier ones there are."""
    console = Console(highlight=False)
    rows = candles[:] if rows_max is None else candles[-rows_max:]
    table = Table(title=f"{candles.ticker} {candles.resolution}", header_style="bold", pad_edge=False)
    table.add_column("date", no_wrap=True)
    for name in ("open", "high", "low", "close", "volume"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        prices = [_price(price) for price in (row.open, row.high, row.low)]
        colour = "green" if row.close >= row.open else "red"
        table.add_row(_when(row.date), *prices, f"[{colour}]{_price(row.close)}[/]", f"{row.volume:,}")
    # In a narrow terminal lines wrap: a price that is cut off would be another price.
    wanted = Measurement.get(console, console.options.update(max_width=UNLIMITED), table).maximum
    console.width = max(console.width, wanted)
    console.print(table)
    if len(rows) < len(candles):
        console.print(f"{len(candles) - len(rows)} earlier candles are left out; --all shows them.", style="dim")


def _when(when: date) -> str:
    return f"{when:%Y-%m-%d %H:%M}Z" if isinstance(when, datetime) else when.isoformat()


def _price(price: float) -> str:
    """Return a price with at least two decimals, and more where it has more."""
    whole, _, decimals = f"{price:.6f}".rstrip("0").partition(".")
    return f"{int(whole):,}.{decimals.ljust(2, '0')}"
