"""The same cache without ``await``: it runs on an event loop of its own, in a thread of its own.

So it works in a script, in a notebook whose loop is running, and from any number of threads at once. What cannot have
changed is answered on the caller's thread, without a word to the loop.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
    from datetime import date
    from types import TracebackType
    from typing import Any

    from ohlcache.library.cache import Cache
    from ohlcache.library.candle_table import CandleTable
    from ohlcache.ports import TickerInfo
    from ohlcache.service.reports import Backfilled, CacheStatus, Invalidated, SessionReport

Value = TypeVar("Value")

CLOSE_SECONDS_MAX = 35.0
"""How long closing waits for what is in flight: a lease and its margin."""


class SyncCache:
    """A read-through cache of candles for code without coroutines; thread-safe. See ``Cache`` for the arguments.

    Close it, use it in ``with``, or leave it: it closes when it is forgotten or the interpreter ends.
    """

    def __init__(self, opening: Callable[[], Awaitable[Cache]]) -> None:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=_run, args=(loop,), name="ohlcache", daemon=True)
        thread.start()
        self._loop = loop
        self._process = os.getpid()
        try:
            self._cache = self._wait(_opened(opening))
        except BaseException:
            _stop(loop, thread)
            raise
        self._entries = self._cache.shortcuts.entries
        self._now = self._cache.read_through.clock.now
        self._close = weakref.finalize(self, _close, self._cache, loop, thread, self._process)

    def get(
        self,
        ticker: str,
        range: str | None = None,  # noqa: A002 - the API's own word
        *,
        start: str | date | None = None,
        end: str | date | None = None,
        resolution: str = "D",
        adjust: str | None = None,
        partial: bool = False,
    ) -> CandleTable:
        """Return the candles of ``ticker``; see ``Cache.get``."""
        try:
            table, since, until = self._entries[ticker, range, start, end, resolution, adjust, partial]
        except (KeyError, TypeError):
            pass
        else:
            if since <= self._now() < until:
                self._cache.count_shortcut_hit()
                return table
        return self._wait(
            self._cache.get(ticker, range, start=start, end=end, resolution=resolution, adjust=adjust, partial=partial)
        )

    def get_many(
        self,
        tickers: str | Iterable[str],
        range: str | None = None,  # noqa: A002 - the API's own word
        *,
        start: str | date | None = None,
        end: str | date | None = None,
        resolution: str = "D",
        adjust: str | None = None,
        partial: bool = False,
    ) -> dict[str, CandleTable]:
        """Return the candles of several tickers; see ``Cache.get_many``."""
        return self._wait(
            self._cache.get_many(
                tickers, range, start=start, end=end, resolution=resolution, adjust=adjust, partial=partial
            )
        )

    def coverage(
        self,
        ticker: str,
        range: str | None = None,  # noqa: A002 - the API's own word
        *,
        start: str | date | None = None,
        end: str | date | None = None,
        resolution: str = "D",
    ) -> tuple[SessionReport, ...]:
        """Return what is held, session by session; see ``Cache.coverage``."""
        return self._wait(self._cache.coverage(ticker, range, start=start, end=end, resolution=resolution))

    def backfill(
        self,
        ticker: str,
        range: str | None = None,  # noqa: A002 - the API's own word
        *,
        start: str | date | None = None,
        end: str | date | None = None,
        resolution: str = "D",
    ) -> Backfilled:
        """Fetch what is missing of the span into the store; see ``Cache.backfill``."""
        return self._wait(self._cache.backfill(ticker, range, start=start, end=end, resolution=resolution))

    def invalidate(self, ticker: str) -> Invalidated:
        """Clear every tier of ``ticker``."""
        return self._wait(self._cache.invalidate(ticker))

    def suggest(self, text: str, limit: int = 10) -> Sequence[TickerInfo]:
        """Return tickers that the source knows and that match ``text``, best first."""
        return self._wait(self._cache.suggest(text, limit))

    def status(self) -> CacheStatus:
        """Return the cache at work."""
        return self._wait(_status(self._cache))

    def close(self) -> None:
        """Let what is in flight end and release store and vendors; idempotent."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _wait(self, work: Coroutine[Any, Any, Value]) -> Value:
        if os.getpid() != self._process:
            # A fork copies the cache but not the thread it runs on: nobody would ever answer.
            work.close()
            raise RuntimeError("This cache was opened before a fork: connect again in the new process.")
        try:
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:
            work.close()
            raise RuntimeError("This cache is closed: connect again.") from None
        try:
            return future.result()
        except BaseException:
            future.cancel()  # after Ctrl-C nobody waits for the answer any more
            raise


async def _opened(opening: Callable[[], Awaitable[Cache]]) -> Cache:
    return await opening()


async def _status(cache: Cache) -> CacheStatus:
    return cache.status()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()


def _close(cache: Cache, loop: asyncio.AbstractEventLoop, thread: threading.Thread, process: int) -> None:
    if os.getpid() != process:
        return
    if threading.current_thread() is thread:
        # The collector found the cache forgotten while it ran on the loop's own thread, which cannot wait for itself.
        closing = loop.create_task(cache.close())
        closing.add_done_callback(lambda _: loop.stop())
        return
    with suppress(RuntimeError, TimeoutError):
        # At the interpreter's end the pools of threads are closed already; what was fetched has been written.
        asyncio.run_coroutine_threadsafe(cache.close(), loop).result(CLOSE_SECONDS_MAX)
    _stop(loop, thread)


def _stop(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    loop.call_soon_threadsafe(loop.stop)
    thread.join(CLOSE_SECONDS_MAX)
