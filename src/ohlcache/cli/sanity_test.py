"""``ohlcache sanity-test``: whether this table, with these permissions, does what a fleet relies on.

Everything it writes has keys that begin with ``TEST#{run}#``, lives five minutes, and is deleted at the end: it may run
beside a cache that is in use.
"""
# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that --help stays fast

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

if TYPE_CHECKING:
    from ohlcache.adapters.stores.dynamodb import DynamoStore
    from ohlcache.domain.chunks import Chunk
    from ohlcache.ports import Clock, Telemetry
    from ohlcache.settings import Settings

TICKER = "SANITY"
LOCK_KEY = f"LOCK#{TICKER}#D#1W#2024-05-24"
RACERS = 20
LEASE_SECONDS = 30.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sanity-test")(sanity_test)


def sanity_test(
    table: Annotated[
        str | None, typer.Option("--table", show_default=False, help="The table (default: OHLC_CACHE_TABLE).")
    ] = None,
    region: Annotated[
        str | None, typer.Option("--region", show_default=False, help="Its region (default: AWS_REGION).")
    ] = None,
) -> None:
    """Check a real DynamoDB table: writes, both kinds of reads, leases, expiry, deletion; leaves nothing behind."""
    from ohlcache.assembly import build_clock, build_telemetry
    from ohlcache.cli.running import run
    from ohlcache.cli.table_settings import table_settings

    settings = table_settings(table, region=region)
    clock = build_clock(settings)
    run(_sanity(settings, clock, build_telemetry(settings, clock)))


async def _sanity(settings: Settings, clock: Clock, telemetry: Telemetry) -> None:
    from ohlcache.adapters.stores.dynamodb import DynamoStore
    from ohlcache.cli.checks import check, expect
    from ohlcache.domain.market_time import DAY_SECONDS

    run_id = uuid4().hex[:12]
    store = DynamoStore(
        settings.table or "",
        region=settings.aws_region,
        endpoint_url=settings.dynamodb_endpoint_url,
        telemetry=telemetry,
        clock=clock,
        final_life_seconds=DAY_SECONDS,
        key_prefix=f"TEST#{run_id}#",
    )
    sys.stdout.write(f"table {settings.table}, keys under TEST#{run_id}#\n")
    try:
        await _chunks(store, clock)
        await _leases(store, clock)
    finally:
        with check("what was written is deleted"):
            await store.drop_test_run([LOCK_KEY])
            expect(not await store.tickers(), "Items of this run are still there; they expire in five minutes.")
        await store.close()


async def _chunks(store: DynamoStore, clock: Clock) -> None:
    from ohlcache.cli.checks import check, expect
    from ohlcache.domain.span import Span

    chunks = _invented_chunks(clock)
    series, names = chunks[0].series, sorted(chunk.name for chunk in chunks)
    span = Span(chunks[0].name.first_day, chunks[-1].last_day)
    with check("chunks are written"):
        await store.write(chunks)
    with check("a strong read sees them at once"):
        found = await store.read(series, span, strongly=True)
        expect(sorted(chunk.name for chunk in found) == names, f"{len(found)} of {len(chunks)} chunks were read back.")
    with check("an eventual read sees nothing else"):
        found = await store.read(series, span)
        expect({chunk.name for chunk in found} <= set(names), "A read found chunks that nobody wrote.")
    with check("usage and tickers count them"):
        expect(list(await store.tickers()) == [TICKER], "The ticker that was written is not listed.")
        expect((await store.usage()).chunks == len(chunks), "Usage does not count what was written.")
    with check("a ticker is deleted whole"):
        expect(await store.delete_ticker(TICKER) == len(chunks), "Deleting did not find every chunk.")
        expect(not await store.read(series, span, strongly=True), "Chunks outlived their deletion.")


async def _leases(store: DynamoStore, clock: Clock) -> None:
    from ohlcache.cli.checks import check, expect
    from ohlcache.ports import Lease

    async def race() -> list[Lease]:
        now = clock.now()
        tries = (store.acquire(LOCK_KEY, uuid4().hex, now=now, life_seconds=LEASE_SECONDS) for _ in range(RACERS))
        return [outcome for outcome in await asyncio.gather(*tries) if isinstance(outcome, Lease)]

    with check(f"one of {RACERS} gets a lease"):
        winners = await race()
        expect(len(winners) == 1, f"{len(winners)} callers hold one lease.")
    with check("a released lease is free, and its fence rises"):
        await store.release(winners[0])
        again = await race()
        expect([lease.fence for lease in again] == [winners[0].fence + 1], "The fence did not rise by one.")
    with check("only the holder releases"):
        await store.release(winners[0])
        expect(await store.look(LOCK_KEY, now=clock.now()) is not None, "A former holder released another's lease.")


def _invented_chunks(clock: Clock) -> list[Chunk]:
    """Return a candle on each of two days of different years, so that there are two chunks."""
    from datetime import date

    import numpy as np

    from ohlcache.domain.adjustment import Actions
    from ohlcache.domain.candles import Candles
    from ohlcache.domain.chunks import cut
    from ohlcache.domain.coverage import Coverage, Holding, SessionState
    from ohlcache.domain.market_time import midnight_utc
    from ohlcache.domain.resolution import Resolution
    from ohlcache.domain.series import Series

    days = np.array([date(2023, 5, 24).toordinal(), date(2024, 5, 24).toordinal()], np.int32)
    opened, high, low, close = (np.array([price, price + 0.5]) for price in (100.0, 110.0, 90.0, 105.0))
    times = midnight_utc(days.astype(np.int64))
    return cut(
        Series(TICKER, "sanity", Resolution.DAY),
        Holding(
            Coverage(
                days,
                np.full(2, SessionState.FINAL, np.uint8),
                np.full(2, int(clock.now()), np.int64),
                np.ones(2, np.int32),
            ),
            Candles(times, opened, high, low, close, np.array([1, 2], np.int64)),
            Actions.none(),
        ),
    )
