"""Rank tickers by momentum: the same cache feeds every run.

The first run costs a vendor call for each ticker, and so does the first run after a new daily candle is due (17:30 New
York); while that may still change, until 20:00, it is asked for again after five minutes. Every other run costs none.

Run it with ``python examples/momentum.py``; without a vendor key it answers from the bundled sample.
"""

# ruff: noqa: INP001, T201 - an example is run as it stands, and prints

from __future__ import annotations

import ohlcache

TICKERS = ["AAPL", "MSFT", "IBM"]
SKIPPED_SESSIONS = 21  # the last month is left out: it tends to turn back


def main() -> None:
    """Print last year's return without its last month, highest first."""
    with ohlcache.connect_sync() as cache:
        tables = cache.get_many(TICKERS, "1Y", adjust="all")
        momentum = {ticker: table.close[-SKIPPED_SESSIONS] / table.close[0] - 1 for ticker, table in tables.items()}
        for ticker, change in sorted(momentum.items(), key=lambda item: -item[1]):
            print(f"{ticker:<6} {change:+7.1%}  {tables[ticker].provenance.tier}")
        print(f"{cache.status().quota.calls} vendor calls")


if __name__ == "__main__":
    main()
