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
    from collections.abc import Sequence

    from ohlcache.adapters.stores.sqlite import SeriesSize, VacuumReport
    from ohlcache.ports import CandleStore, StoreUsage
    from ohlcache.settings import Settings

KIB = 1024


def register(app: typer.Typer) -> None:
    """Add both commands."""
    app.command()(stats)
    app.command()(vacuum)


@dataclass(frozen=True, slots=True)
class StoreReport:
    """What a store holds in all, of which tickers, and by series where the engine can tell (None elsewhere)."""

    store: str
    place: str
    usage: StoreUsage
    tickers: Sequence[str]
    series: Sequence[SeriesSize] | None


def stats(*, as_json: AsJson = False) -> None:
    """Show how much the store holds: in all, and by ticker and resolution."""
    from ohlcache.cli.running import command_settings, opened_store, run

    settings = command_settings()

    async def ask() -> StoreReport:
        async with opened_store(settings) as store:
            return await _report(store, settings)

    report = run(ask())
    if as_json:
        totals = {"store": report.store, "place": report.place, **asdict(report.usage)}
        series = None if report.series is None else [asdict(entry) for entry in report.series]
        sys.stdout.write(json.dumps({"totals": totals, "tickers": list(report.tickers), "series": series}) + "\n")
    else:
        _print(report)


def vacuum() -> None:
    """Drop what has expired from the SQLite file, and give the space back to the disk."""
    from ohlcache.adapters.stores.sqlite import SqliteStore
    from ohlcache.cli.running import command_settings, opened_store, run
    from ohlcache.domain.errors import InvalidRequest
    from ohlcache.settings import StoreEngine

    settings = command_settings()
    if settings.store is not StoreEngine.SQLITE:
        raise InvalidRequest(
            f"Only the store sqlite has a file to tidy; this is {settings.store}.",
            hint="DynamoDB deletes what has expired by itself.",
        )

    async def tidy() -> VacuumReport:
        async with opened_store(settings) as store:
            assert isinstance(store, SqliteStore), "the settings chose it"
            return await store.vacuum()

    report = run(tidy())
    sys.stdout.write(
        f"{size(report.bytes_before)} before, {size(report.bytes_after)} now; {report.purged} expired chunks dropped\n"
    )


async def _report(store: CandleStore, settings: Settings) -> StoreReport:
    from ohlcache.adapters.stores.sqlite import SqliteStore

    series = await store.size_report() if isinstance(store, SqliteStore) else None
    return StoreReport(store.name, place_of(settings), await store.usage(), await store.tickers(), series)


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
    if report.series is None:
        console.print(" ".join(report.tickers), soft_wrap=True)
        return
    table = Table(header_style="bold", pad_edge=False)
    for name in ("ticker", "source", "resolution"):
        table.add_column(name)
    for name in ("candles", "chunks", "stored"):
        table.add_column(name, justify="right")
    for entry in sorted(report.series, key=lambda entry: (-entry.bytes, entry.ticker)):
        held = (f"{entry.candles:,}", f"{entry.chunks:,}", size(entry.bytes))
        table.add_row(entry.ticker, entry.source, entry.resolution.value, *held)
    if report.series:
        console.print(table)


def size(count: float) -> str:
    """Return a number of bytes for people."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < KIB:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= KIB
    return f"{count:.1f} TiB"
