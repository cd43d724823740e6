"""``ohlcache fake-vendor``: Tiingo and Finnhub as they might be, on this machine, without a key and without a quota."""
# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that --help stays fast

from __future__ import annotations

import sys
from typing import Annotated

import typer

PLAY = """\
Generated market data at {url} (not real prices). Try, in another terminal:

  export TIINGO_API_KEY=anything TIINGO_BASE_URL={url} OHLCACHE_DATA_DIR=$(mktemp -d)
  ohlcache get AAPL --range 1M
  ohlcache serve

Ctrl-C ends it."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("fake-vendor")(fake_vendor)


def fake_vendor(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 picks a free one.")] = 0,
    latency: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="Wait so long before every answer.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Of the generated market.")] = 1,
    clock: Annotated[
        str | None, typer.Option(metavar="INSTANT", show_default=False, help="ISO instant at which its clock starts.")
    ] = None,
) -> None:
    """Run local fakes of the Tiingo and Finnhub APIs until Ctrl-C, to play and to test with."""
    import asyncio
    import contextlib
    import signal

    from ohlcache.adapters.clock import SystemClock
    from ohlcache.domain.errors import InvalidRequest
    from ohlcache.testing import FakeVendors, Market
    from ohlcache.testing.clock import instant_of

    try:
        starting_at = None if clock is None else instant_of(clock)
    except ValueError as exc:
        raise InvalidRequest(
            f"{clock!r} is not an ISO instant.", hint="For example --clock 2024-06-03T15:00:00Z", field="clock"
        ) from exc
    fake = FakeVendors(Market(seed), SystemClock(starting_at), port=port, latency_seconds=latency)

    async def serve() -> None:
        async with fake:
            with contextlib.suppress(NotImplementedError):  # Windows raises KeyboardInterrupt only
                for told in (signal.SIGTERM, signal.SIGINT):
                    asyncio.get_running_loop().add_signal_handler(told, fake.ask_to_stop)
            sys.stdout.write(PLAY.format(url=fake.tiingo_url) + "\n")
            sys.stdout.flush()
            await fake.until_stopped()

    try:
        asyncio.run(serve())
    except OSError as exc:
        raise InvalidRequest(
            f"Port {port} cannot be had.", hint="Choose another with --port, or 0 for any.", field="port"
        ) from exc
