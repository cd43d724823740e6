"""``ohlcache coverage``: what is held, drawn as a calendar."""
# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that --help stays fast
# ruff: noqa: TC001, TC002 - Typer reads the annotations when it registers the command

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import typer

from ohlcache.cli.parameters import AsJson, End, Range, ResolutionName, Start, Ticker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ohlcache.service.reports import SessionReport


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(coverage)


def coverage(
    ticker: Ticker,
    range_: Range = None,
    start: Start = None,
    end: End = None,
    resolution: ResolutionName = "D",
    *,
    as_json: AsJson = False,
) -> None:
    """Show what the store holds of a ticker, session by session (default: one year). Asks no vendor."""
    from ohlcache.cli.running import opened_cache, run
    from ohlcache.domain.ticker import normalise_ticker

    period = range_ if range_ is not None or start is not None or end is not None else "1Y"

    async def ask() -> tuple[str, tuple[SessionReport, ...]]:
        async with opened_cache() as cache:
            reports = await cache.coverage(ticker, period, start=start, end=end, resolution=resolution)
            return cache.status().source, reports

    source, reports = run(ask())
    symbol = normalise_ticker(ticker)
    if as_json:
        sys.stdout.write(_document(symbol, resolution, source, reports) + "\n")
        return
    from ohlcache.cli.calendar_drawing import print_calendar

    print_calendar(f"{symbol} {resolution} ({source})", reports)


def _document(ticker: str, resolution: str, source: str, reports: Sequence[SessionReport]) -> str:
    """Return the JSON that the HTTP API gives for the same question."""
    from ohlcache.domain.market_time import iso_instant

    sessions = [
        {
            "date": report.day.isoformat(),
            "state": report.state,
            "candles": report.candles,
            "observed_at": None if report.observed_at is None else iso_instant(report.observed_at),
        }
        for report in reports
    ]
    head = {"ticker": ticker, "resolution": resolution, "source": source}
    return json.dumps({**head, "sessions": sessions})
