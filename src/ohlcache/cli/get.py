"""``ohlcache get``: candles to look at or to pipe on."""
# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that --help stays fast
# ruff: noqa: TC001, TC003 - Typer reads the annotations when it registers the command

from __future__ import annotations

import sys
import warnings
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ohlcache.cli.exit_codes import ExitCode
from ohlcache.cli.parameters import AsJson, End, Range, ResolutionName, Start, Ticker

if TYPE_CHECKING:
    from ohlcache.library.candle_table import CandleTable

TABLE_ROWS_MAX = 40
MISSING_DATES_MAX = 10


class Shape(StrEnum):
    """How candles are written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(get)


def get(
    ticker: Ticker,
    range_: Range = None,
    start: Start = None,
    end: End = None,
    resolution: ResolutionName = "D",
    adjust: Annotated[
        str | None, typer.Option(metavar="HOW", show_default=False, help="splits, all (and dividends) or none.")
    ] = None,
    *,
    partial: Annotated[
        bool, typer.Option("--partial", help="Accepted and without effect: what is held is always given.")
    ] = False,
    csv: Annotated[
        bool, typer.Option("--csv", help="Write CSV; the default when the output is not a terminal.")
    ] = False,
    json: AsJson = False,
    parquet: Annotated[
        Path | None, typer.Option(metavar="FILE", show_default=False, help="Write a Parquet file (extra: arrow).")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help=f"A table of more than {TABLE_ROWS_MAX} rows, too.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not say where the candles came from.")] = False,
) -> None:
    """Get candles: a table, CSV, JSON or Parquet. Where they came from goes to standard error."""
    from ohlcache.cli.running import opened_cache, run
    from ohlcache.domain.errors import IncompleteDataWarning, InvalidRequest

    if csv + json + (parquet is not None) > 1:
        raise InvalidRequest("Choose one of --csv, --json and --parquet.", hint="For example: ohlcache get AAPL --csv")
    if parquet is not None:
        _check_writable(parquet)

    async def ask() -> CandleTable:
        async with opened_cache() as cache:
            warnings.simplefilter("ignore", IncompleteDataWarning)  # said in a line of our own
            return await cache.get(
                ticker, range_, start=start, end=end, resolution=resolution, adjust=adjust, partial=partial
            )

    table = run(ask())
    if parquet is not None:
        table.to_parquet(parquet)
    else:
        _write(table, _shape(csv=csv, json=json), None if everything else TABLE_ROWS_MAX)
    if not quiet:
        sys.stderr.write(provenance_line(table) + "\n")
    shortfall = shortfall_line(table)
    if shortfall is not None:
        sys.stderr.write(shortfall + "\n")
        raise typer.Exit(ExitCode.INCOMPLETE)


def _shape(*, csv: bool, json: bool) -> Shape:
    if json:
        return Shape.JSON
    return Shape.CSV if csv or not _is_terminal() else Shape.TABLE


def _write(table: CandleTable, shape: Shape, rows_max: int | None) -> None:
    if shape is Shape.TABLE:
        from ohlcache.cli.candle_drawing import print_candles

        print_candles(table, rows_max)
    else:
        sys.stdout.write(table.to_csv() if shape is Shape.CSV else table.to_json() + "\n")
    sys.stdout.flush()


def _check_writable(path: Path) -> None:
    from ohlcache.domain.errors import InvalidRequest

    if path.is_dir() or not path.absolute().parent.is_dir():
        raise InvalidRequest(
            f"{path} cannot be written: it is a folder, or its folder does not exist.",
            hint="Give a file in an existing folder, for example --parquet aapl.parquet",
            field="parquet",
        )


def provenance_line(table: CandleTable) -> str:
    """Return one line that says what the candles are worth and where they came from."""
    from ohlcache.library.candle_table import completeness_text

    origin, certificate = table.provenance, table.certificate
    facts = [
        f"{table.ticker} {table.resolution} {table.start}..{table.end}: {len(table)} candles, "
        + completeness_text(certificate),
        f"adjusted for {table.adjustment}" if table.adjustment != "none" else "not adjusted",
        f"from {origin.tier}" + ("" if origin.tier == origin.source else f" ({origin.source})"),
        f"{_age(origin.age_seconds)} old",
    ]
    if certificate.forming:
        facts.append(f"{certificate.forming} still forming")
    if origin.data_until is not None:
        from ohlcache.domain.market_time import market_date

        facts.append(f"data ends {market_date(origin.data_until.timestamp())}")
    if origin.synthetic:
        facts.append("synthetic")
    if origin.fallback:
        facts.append(origin.fallback)
    return "; ".join(facts)


def shortfall_line(table: CandleTable) -> str | None:
    """Return one line that says why the candles are old or some are missing, and which; None where neither is so."""
    origin, missing = table.provenance, table.certificate.missing
    reason = origin.stale_reason or origin.missing_reason
    if reason is None:
        return None
    dates = ", ".join(missing[:MISSING_DATES_MAX]) + (" …" if len(missing) > MISSING_DATES_MAX else "")
    state = "STALE" if origin.stale else "INCOMPLETE"
    return f"{state}: {reason}" + (f" Missing: {dates}" if missing else "")


def _age(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _is_terminal() -> bool:
    return sys.stdout.isatty()
