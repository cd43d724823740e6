"""From a command to a running cache and back: settings, event loop, and closing whatever happens."""
# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that --help stays fast

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from typing import Any

    from ohlcache.library.cache import Cache
    from ohlcache.ports import CandleStore
    from ohlcache.settings import Settings

Value = TypeVar("Value")

INTERRUPTED_SECONDS_MAX = 1.0


def run(work: Coroutine[Any, Any, Value]) -> Value:
    """Return what ``work`` returns; Ctrl-C cancels it, lets it clean up, and is raised."""
    return asyncio.run(work)


@asynccontextmanager
async def opened_cache(settings: Settings | None = None) -> AsyncIterator[Cache]:
    """Open the cache that the environment describes, and close it at the end."""
    from ohlcache.assembly import build_cache
    from ohlcache.library.cache import Cache

    cache = Cache(await build_cache(settings or command_settings()))
    try:
        yield cache
    except asyncio.CancelledError:
        await _close_soon(cache)
        raise
    except BaseException:
        await cache.close()
        raise
    await cache.close()


async def _close_soon(cache: Cache) -> None:
    """Close after Ctrl-C: what is nearly done may end, but nobody waits for a vendor's time-out any more."""
    closing = asyncio.ensure_future(cache.close())
    await asyncio.wait({closing}, timeout=INTERRUPTED_SECONDS_MAX)
    for task in asyncio.all_tasks() - {closing, asyncio.current_task()}:
        task.cancel()
    await closing


@asynccontextmanager
async def opened_store(settings: Settings) -> AsyncIterator[CandleStore]:
    """Open only the store, and close it at the end."""
    from ohlcache.assembly import build_clock, build_telemetry, open_store

    clock = build_clock(settings)
    store, _ = await open_store(settings, build_telemetry(settings, clock), clock)
    try:
        yield store
    finally:
        await store.close()


def command_settings() -> Settings:
    """Return the settings of the environment; unless it says otherwise only warnings are logged, as text."""
    from ohlcache.library.connecting import quiet_settings

    return quiet_settings({})
