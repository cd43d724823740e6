"""One task per key: whoever asks while it runs shares its outcome.

The task belongs to the flight, not to the caller who started it. Three races end here: (1) the first caller is
cancelled and the others must still be answered; (2) the work fails and nobody may repeat it in series; (3) everybody is
cancelled and what was fetched must still be written.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

Value = TypeVar("Value")


class SingleFlight(Generic[Value]):
    """Runs each key's work once at a time; belongs to one event loop."""

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[Value]] = {}
        self._forgotten: set[asyncio.Task[Value]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    async def do(self, key: Hashable, work: Callable[[], Awaitable[Value]]) -> tuple[Value, bool]:
        """Return the outcome of ``work`` for ``key``, and whether it was shared with a call already under way."""
        task = self._tasks.get(key)
        shared = task is not None
        if task is None:
            task = self.start(key, work)
        return await asyncio.shield(task), shared

    def start(self, key: Hashable, work: Callable[[], Awaitable[Value]]) -> asyncio.Task[Value]:
        """Start ``work`` under ``key`` and return its task; whoever awaits it must shield it."""

        async def run() -> Value:
            return await work()

        task = asyncio.get_running_loop().create_task(run())
        self._tasks[key] = task
        task.add_done_callback(lambda done: self._landed(key, done))
        return task

    def forget(self, doomed: Callable[[Hashable], bool]) -> None:
        """Let the work under matching keys finish for those who wait, but let nobody new join it."""
        for key in [key for key in self._tasks if doomed(key)]:
            self._forgotten.add(self._tasks.pop(key))

    async def drain(self) -> None:
        """Wait until all work has ended, however it ended."""
        while pending := [*self._tasks.values(), *self._forgotten]:
            await asyncio.wait(pending)
            # One more turn of the loop: done callbacks take finished tasks off the books.
            await asyncio.gather(*pending, return_exceptions=True)

    def _landed(self, key: Hashable, task: asyncio.Task[Value]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]
        self._forgotten.discard(task)
        if not task.cancelled():
            task.exception()  # retrieved: a failure that every caller was cancelled for is not "never retrieved"
