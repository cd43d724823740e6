"""A thousand clients at once, and two workers against one.

Needs wrk. Two workers can double the rate only where they have two cores for themselves; here the load generator shares
the machine with them.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from benchmarks.measure import ratio
from benchmarks.processes import body_of, ohlcache_server, require, wrk
from benchmarks.table import Row

TARGET = "/api/v2/tickers/AAPL/ohlc?range=1Y"
FEW, MANY = 16, 1000
ROUNDS = 5
SECONDS = 2
ANY_YEAR = Path(__file__).parent / "any_year.lua"
NO_MEMORY = {"OHLCACHE_STORE": "sqlite", "OHLCACHE_MEMORY_BYTES": "1"}


def run() -> list[Row]:
    """Measure both."""
    require("wrk")
    return [*_crowd(), *_workers()]


def _crowd() -> list[Row]:
    with ohlcache_server(core=None) as (port, _):
        body_of(port, TARGET)
        crowds, handfuls = [], []
        for _ in range(ROUNDS):
            handfuls.append(wrk(port, TARGET, connections=FEW, seconds=SECONDS, core=None)[0])
            crowds.append(wrk(port, TARGET, connections=MANY, seconds=SECONDS, core=None)[0])
    share = ratio(crowds, handfuls)
    return [
        Row(
            f"Clients, {MANY:,} at once, hits from memory",
            f"{max(crowds):,.0f} req/s, no error",
            f"{FEW} clients: {max(handfuls):,.0f} req/s",
            share,
        )
    ]


def _workers() -> list[Row]:
    rows = []
    for name, settings, script in (
        ("hits from memory", {"OHLCACHE_STORE": "sqlite"}, None),
        ("hits from SQLite, any year", NO_MEMORY, ANY_YEAR),
    ):
        with (
            tempfile.TemporaryDirectory() as folder,
            ohlcache_server(core=None, OHLCACHE_DATA_DIR=folder, **settings) as (one, _),
            ohlcache_server(core=None, workers=2, OHLCACHE_DATA_DIR=folder, **settings) as (two, _),
        ):
            for port in (one, two, two, two):
                body_of(port, TARGET)
                for ticker in ("AAPL", "MSFT", "IBM"):
                    body_of(port, f"/api/v2/tickers/{ticker}/ohlc?start_date=2001-01-01&end_date=2013-12-31")
            singles, doubles = [], []
            for _ in range(ROUNDS):
                singles.append(wrk(one, TARGET, connections=64, seconds=SECONDS, core=None, script=script)[0])
                doubles.append(wrk(two, TARGET, connections=64, seconds=SECONDS, core=None, script=script)[0])
        rows.append(
            Row(
                f"Workers, two against one, {name}",
                f"{max(doubles):,.0f} req/s",
                f"one worker: {max(singles):,.0f} req/s ({os.cpu_count()} cores for servers and load)",
                ratio(doubles, singles),
            )
        )
    return rows
