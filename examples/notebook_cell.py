"""What to type into a notebook: no ``await``, no event loop to think of, and a frame to plot.

Run it with ``python examples/notebook_cell.py``; it needs ``pip install 'ohlcache[pandas]'``.
"""

# ruff: noqa: INP001, T201 - an example is run as it stands, and prints

from __future__ import annotations

import ohlcache

cache = ohlcache.connect_sync()  # stays open for the cells below; closes with the notebook

daily = cache.get("AAPL", "1Y").to_pandas()
print(daily["close"].describe())

bars = cache.get("AAPL", "1D", resolution="30").to_pandas().tz_convert("America/New_York")
print(bars[["open", "close"]])
