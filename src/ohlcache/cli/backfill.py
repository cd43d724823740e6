"""``ohlcache backfill``: fill the store for many tickers, within a budget of vendor calls."""
# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that --help stays fast
# ruff: noqa: TC001, TC003 - Typer reads the annotations when it registers the command

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ohlcache.cli.exit_codes import ExitCode, exit_code_of
from ohlcache.cli.parameters import End, Range, ResolutionName, Start

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ohlcache.cli.backfill_run import BackfillRun, Budget
    from ohlcache.domain.resolution import Resolution
    from ohlcache.domain.span import Span
    from ohlcache.library.cache import Cache


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(backfill)


def backfill(
    tickers: Annotated[
        list[str] | None, typer.Argument(metavar="[TICKER]...", show_default=False, help="Symbols to fill.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", "-f", metavar="FILE", show_default=False, help="Symbols, one a line, # comments; - is stdin."
        ),
    ] = None,
    range_: Range = None,
    start: Start = None,
    end: End = None,
    resolution: ResolutionName = "D",
    max_calls: Annotated[
        int | None, typer.Option(min=0, metavar="N", show_default=False, help="Make at most so many vendor calls.")
    ] = None,
    calls_per_hour: Annotated[
        int | None, typer.Option(min=1, metavar="N", show_default=False, help="Spread vendor calls evenly.")
    ] = None,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="When the vendor's quota is used up, wait and go on.")] = False,
) -> None:
    """Fetch what is missing (default: five years) into the store.

    What is held is not fetched again: a run that was stopped (Ctrl-C, budget, quota) is resumed by the same command.
    Exit code 0: everything is held; 4: the budget or the quota ended first; 1: some tickers failed.
    """
    from ohlcache.cli.backfill_run import Budget
    from ohlcache.cli.running import command_settings, run
    from ohlcache.domain.errors import ConfigurationError
    from ohlcache.settings import StoreEngine

    names = _named(tickers or [], file)
    period = range_ if range_ is not None or start is not None or end is not None else "5Y"
    settings = command_settings()
    if settings.store is StoreEngine.MEMORY:
        raise ConfigurationError(
            "The store memory forgets everything when this command ends.",
            hint="Set OHLCACHE_STORE to sqlite or dynamodb.",
            field="OHLCACHE_STORE",
        )
    code = run(_backfill(names, (period, start, end, resolution), Budget(max_calls, calls_per_hour, wait)))
    raise typer.Exit(code)


async def _backfill(
    names: Sequence[str], asked: tuple[str | None, str | None, str | None, str], budget: Budget
) -> ExitCode:
    import asyncio

    from ohlcache.cli.backfill_drawing import BackfillDrawing
    from ohlcache.cli.backfill_run import BackfillRun
    from ohlcache.cli.running import opened_cache

    period, start, end, resolution = asked
    async with opened_cache() as cache:
        wanted = [_wanted(cache, name, period, start, end, resolution) for name in names]
        symbols = list(dict.fromkeys(symbol for symbol, _, _ in wanted))
        _, width, span = wanted[0]
        with BackfillDrawing(len(symbols)) as drawing:
            work = BackfillRun(cache.read_through, budget, tell=drawing.tell, say=drawing.say)
            try:
                await work.fill(symbols, width, span)
            except asyncio.CancelledError:
                drawing.summarise(work)
                drawing.say("Interrupted; the same command goes on from here.")
                raise
            drawing.summarise(work)
    return _exit_code(work)


def _wanted(
    cache: Cache, name: str, period: str | None, start: str | None, end: str | None, resolution: str
) -> tuple[str, Resolution, Span]:
    """Return what is to be filled, validated before the first call is made; the span may be longer than an answer's."""
    from ohlcache.domain.resolution import Resolution

    request = cache.parse(name, period, start, end)
    return request.ticker, Resolution.parse(resolution), request.span


def _exit_code(work: BackfillRun) -> ExitCode:
    from ohlcache.cli.backfill_run import Outcome

    if work.stopped_by is not None:
        return exit_code_of(work.stopped_by)
    failures = [report.error for report in work.reports if report.error is not None]
    if failures:
        codes = {exit_code_of(error) for error in failures}
        return codes.pop() if len(failures) == len(work.reports) and len(codes) == 1 else ExitCode.FAILED
    return ExitCode.OK if all(report.outcome is Outcome.HELD for report in work.reports) else ExitCode.QUOTA


def _named(tickers: Sequence[str], file: Path | None) -> list[str]:
    from ohlcache.domain.errors import InvalidRequest
    from ohlcache.domain.ticker import normalise_ticker

    names = [*tickers, *(_read(file) if file is not None else [])]
    if not names:
        raise InvalidRequest(
            "No ticker to fill.", hint="Name some, or give a file: ohlcache backfill AAPL MSFT, or --file tickers.txt"
        )
    return [normalise_ticker(name) for name in names]


def _read(file: Path) -> list[str]:
    from ohlcache.domain.errors import InvalidRequest

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidRequest(
            f"{file} cannot be read as text.", hint="Give a text file with one symbol a line, or - for standard input."
        ) from exc
    lines = (line.partition("#")[0] for line in text.splitlines())
    return [word for line in lines for word in line.replace(",", " ").split()]
