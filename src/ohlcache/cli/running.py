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


def run(work: Coroutine[Any, Any, Value]) -> Value:
    """Return what ``work`` returns; Ctrl-C cancels it, lets it clean up, and is raised."""
    return asyncio.run(work)


@asynccontextmanager
async def opened_cache(settings: Settings | None = None) -> AsyncIterator[Cache]:
    """Open the cache that the environment describes, and close it at the end."""
    from ohlcache.assembly import build_cache
    from ohlcache.library.cache import Cache

    async with Cache(await build_cache(settings or command_settings())) as cache:
        yield cache


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
