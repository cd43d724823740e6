"""The fake vendors with any number of tickers (T0000, T0001, ...) beside the usual ones: ``--tickers 200``."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys

from ohlcache.testing import FakeVendors, Market, Stock
from ohlcache.testing.market import DEFAULT_STOCKS


def ticker_names(count: int) -> list[str]:
    """Return the tickers that are made up."""
    return [f"T{number:04}" for number in range(count)]


def main() -> None:
    """Serve until told to stop, the address on the first line of standard output."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tickers", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS")
    chosen = parser.parse_args()
    made_up = {ticker: Stock(f"Company {ticker}", price=20.0) for ticker in ticker_names(chosen.tickers)}
    fake = FakeVendors(Market(stocks={**DEFAULT_STOCKS, **made_up}), latency_seconds=chosen.latency)
    asyncio.run(_serve(fake))


async def _serve(fake: FakeVendors) -> None:
    await fake.start()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, fake.ask_to_stop)
    sys.stdout.write(json.dumps({"tiingo_url": fake.tiingo_url}) + "\n")
    sys.stdout.flush()
    await fake.until_stopped()
    await fake.stop()


if __name__ == "__main__":
    main()
