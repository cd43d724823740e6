"""``ohlcache stats`` and ``ohlcache vacuum``: how much is held, and giving space back."""
# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that --help stays fast
# ruff: noqa: TC001, TC002 - Typer reads the annotations when it registers the command

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import typer

from ohlcache.cli.parameters import AsJson

if TYPE_CHECKING:
    from ohlcache.adapters.stores.sqlite import SqliteStore
    from ohlcache.ports import CandleStore, StoreUsage
    from ohlcache.settings import Settings

KIB = 1024


def register(app: typer.Typer) -> None:
    """Add both commands."""
    app.command()(stats)
    app.command()(vacuum)


@dataclass(frozen=True, slots=True)
class StoreReport:
    """What a store holds, in all and, where the engine can tell, by ticker (bytes)."""

    store: str
    place: str
    usage: StoreUsage
    tickers: dict[str, int | None]


def stats(*, as_json: AsJson = False) -> None:
    """Show how much the store holds, in all and by ticker."""
    from ohlcache.cli.running import command_settings, opened_store, run

    settings = command_settings()

    async def ask() -> StoreReport:
        async with opened_store(settings) as store:
            return await _report(store, settings)

    report = run(ask())
    if as_json:
        head = {"store": report.store, "place": report.place, **asdict(report.usage)}
        sys.stdout.write(json.dumps({**head, "bytes_by_ticker": report.tickers}) + "\n")
    else:
        _print(report)


def vacuum() -> None:
    """Drop what has expired from the SQLite file, and give the space back to the disk."""
    from ohlcache.cli.running import command_settings, opened_store, run
    from ohlcache.domain.errors import InvalidRequest
    from ohlcache.settings import StoreEngine

    settings = command_settings()
    if settings.store is not StoreEngine.SQLITE:
        raise InvalidRequest(
            f"Only the store sqlite has a file to tidy; this is {settings.store}.",
            hint="DynamoDB deletes what has expired by itself.",
        )

    async def tidy() -> tuple[int, int]:
        async with opened_store(settings) as store:
            sqlite: SqliteStore = store  # type: ignore[assignment]
            before = (await sqlite.usage()).bytes
            await sqlite.vacuum()
            return before, (await sqlite.usage()).bytes

    before, after = run(tidy())
    sys.stdout.write(f"{size(before)} before, {size(after)} now\n")


async def _report(store: CandleStore, settings: Settings) -> StoreReport:
    sizes = getattr(store, "sizes", None)
    tickers: dict[str, int | None] = dict.fromkeys(await store.tickers())
    if sizes is not None:
        tickers = dict(await sizes())
    return StoreReport(store.name, place_of(settings), await store.usage(), tickers)


def place_of(settings: Settings) -> str:
    """Return where the chosen store keeps its data, in words for the operator."""
    from ohlcache.assembly import DATABASE_NAME
    from ohlcache.settings import StoreEngine

    if settings.store is StoreEngine.SQLITE:
        return str(settings.data_dir / DATABASE_NAME)
    return f"table {settings.table}" if settings.store is StoreEngine.DYNAMODB else "this process's memory"


def _print(report: StoreReport) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    usage = report.usage
    console.print(f"{report.store}: {report.place}", soft_wrap=True, markup=False)
    per_candle = f", {usage.bytes / usage.candles:.1f} bytes a candle" if usage.candles else ""
    console.print(
        f"{usage.tickers:,} tickers, {usage.candles:,} candles in {usage.chunks:,} chunks, "
        f"{size(usage.bytes)}{per_candle}"
    )
    if not report.tickers:
        return
    table = Table(header_style="bold", pad_edge=False)
    table.add_column("ticker")
    table.add_column("stored", justify="right")
    for ticker, held in sorted(report.tickers.items(), key=lambda item: (-(item[1] or 0), item[0])):
        table.add_row(ticker, "" if held is None else size(held))
    console.print(table)


def size(count: float) -> str:
    """Return a number of bytes for people."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < KIB:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= KIB
    return f"{count:.1f} TiB"
