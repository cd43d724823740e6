"""A clock that moves only when told to; whoever sleeps on it wakes in the order of the wake-up times."""

from __future__ import annotations

import asyncio
import heapq
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator
    from typing import Any

T = TypeVar("T")

SETTLE_TURNS = 50
"""Turns of the event loop after a wake-up: enough for a chain of awaits that waits for nothing real."""

_REAL_WAIT_SECONDS = 0.001


class FakeClock:
    """Implements ``ohlcache.ports.Clock``. ``start`` is epoch seconds or an ISO instant (UTC unless it says).

    Sleepers belong to the event loop they sleep in; ``now`` may be read from any thread.
    """

    def __init__(self, start: float | str = "2024-06-03T15:00:00Z") -> None:
        self._now = instant_of(start)
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()

    def now(self) -> float:
        """Return the instant it stands at: epoch seconds, UTC."""
        return self._now

    @property
    def sleepers(self) -> int:
        """How many are asleep."""
        return sum(not future.done() for _, _, future in self._sleepers)

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been moved on by ``seconds``; without any to wait for, let others run once."""
        if seconds <= 0:
            await _Turn()
            return
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), future))
        await future

    def set(self, instant: float | str) -> None:
        """Stand at ``instant``, earlier or later, and wake those whose time has come."""
        self._now = instant_of(instant)
        while self._sleepers and self._sleepers[0][0] <= self._now:
            self._wake_next()

    async def advance(self, seconds: float) -> None:
        """Move on by ``seconds``, stopping at every wake-up on the way so that sleepers run at their own instants."""
        target = self._now + seconds
        await self.settle()
        while self._sleepers and self._sleepers[0][0] <= target:
            self._now = max(self._now, self._sleepers[0][0])
            self._wake_next()
            await self.settle()
        self._now = target
        await self.settle()

    async def settle(self) -> None:
        """Let the event loop run what is ready."""
        for _ in range(SETTLE_TURNS):
            await _Turn()

    async def drive(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of ``work``, moving on to the next wake-up whenever everybody waits for this clock."""
        task = asyncio.get_running_loop().create_task(work)
        try:
            while not task.done():
                await self.settle()
                if task.done():
                    break
                if self.sleepers:
                    self._now = max(self._now, self._sleepers[0][0])
                    self._wake_next()
                else:
                    await asyncio.wait({task}, timeout=_REAL_WAIT_SECONDS)
            return task.result()
        finally:
            task.cancel()

    def _wake_next(self) -> None:
        _, _, future = heapq.heappop(self._sleepers)
        if not future.done():
            future.set_result(None)


class _Turn:
    """One turn of the event loop."""

    def __await__(self) -> Generator[None, None, None]:
        yield


def instant_of(when: float | str) -> float:
    """Return epoch seconds of epoch seconds or of an ISO instant."""
    if not isinstance(when, str):
        return float(when)
    parsed = datetime.fromisoformat(when)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
