"""A limit on how long something may take, measured by the clock that everything else goes by.

``asyncio.timeout`` does the same by the event loop's own time, which a test cannot turn. What takes too long is
cancelled in the task that waits for it, and a TimeoutError is raised in its place; a cancellation that comes from
elsewhere stays one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

    from ohlcache.ports import Clock


class TimeLimit:
    """``async with TimeLimit(clock, 2.0):`` raises TimeoutError when the block takes longer."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._task: asyncio.Task[object] | None = None
        self._alarm: asyncio.Task[None] | None = None
        self._cancelled_before = 0
        self._rang = False

    async def __aenter__(self) -> Self:
        self._task = asyncio.current_task()
        assert self._task is not None, "a time limit needs a task to cancel"
        self._cancelled_before = self._task.cancelling()
        self._alarm = asyncio.get_running_loop().create_task(self._ring())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None, "entered before it is left"
        assert self._alarm is not None, "entered before it is left"
        if not self._rang:
            self._alarm.cancel()
        elif self._task.uncancel() <= self._cancelled_before and kind is asyncio.CancelledError:
            raise TimeoutError from error

    async def _ring(self) -> None:
        await self._clock.sleep(self._seconds)
        assert self._task is not None, "the alarm is set on entering"
        self._rang = True
        self._task.cancel()
