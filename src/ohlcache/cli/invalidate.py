"""``ohlcache invalidate``: clear every tier of a ticker."""
# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that --help stays fast

from __future__ import annotations

import sys
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(invalidate)


def invalidate(
    tickers: Annotated[list[str], typer.Argument(metavar="TICKER...", show_default=False, help="Symbols to clear.")],
) -> None:
    """Drop everything that the store holds of the tickers; the next request fetches it anew.

    A running server keeps finished answers in memory: send it POST /api/v2/tickers/TICKER/invalidate, too. Of several
    workers one gets that request, so restart such a server.
    """
    from ohlcache.cli.running import opened_cache, run

    async def clear() -> None:
        async with opened_cache() as cache:
            symbols = [cache.parse(name).ticker for name in tickers]  # all of them, before the first is cleared
            for symbol in symbols:
                removed = await cache.invalidate(symbol)
                sys.stdout.write(f"{symbol}: {removed.removed_chunks} stored chunks removed\n")

    run(clear())
