"""From start to stop: when the cache may be asked, and when it may be closed.

::

    starting ──open──▶ ready ──stop──▶ stopping ──last request answered──▶ closed

While stopping, requests that are under way (and those that still come on open connections) are answered; load
balancers see ``/readyz`` fail and send nobody new.
"""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING

from ohlcache.http.errors import NotReady

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ohlcache.service.read_through import ReadThrough


class State(StrEnum):
    """Where the server is in its life."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    CLOSED = "closed"


class Lifecycle:
    """Holds the cache from opening to closing; belongs to one event loop."""

    def __init__(self, open_cache: Callable[[], Awaitable[ReadThrough]]) -> None:
        self.state = State.STARTING
        self._open_cache = open_cache
        self._cache: ReadThrough | None = None
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def cache(self) -> ReadThrough:
        """The open cache; NotReady before it is open and after it is closed."""
        if self._cache is None:
            raise NotReady(f"This server is {'stopping' if self.state is State.CLOSED else self.state}.")
        return self._cache

    @property
    def opened(self) -> ReadThrough | None:
        """The open cache, None where there is none."""
        return self._cache

    async def open(self) -> None:
        """Open the cache; whatever that raises ends the start."""
        self._cache = await self._open_cache()
        self.state = State.READY

    def stop(self) -> None:
        """Stop being ready; what is under way goes on."""
        if self.state is State.READY:
            self.state = State.STOPPING

    async def close(self) -> None:
        """Stop, wait for the requests under way, and close the cache; idempotent."""
        self.stop()
        await self._idle.wait()
        cache, self._cache = self._cache, None
        self.state = State.CLOSED
        if cache is not None:
            await cache.close()

    def request_begins(self) -> None:
        """Count a request that must be answered before the cache is closed."""
        self._under_way += 1
        self._idle.clear()

    def request_ends(self) -> None:
        """Take a request off the count."""
        self._under_way -= 1
        if not self._under_way:
            self._idle.set()
