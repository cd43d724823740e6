"""An event loop on virtual time for several processes at once; who runs next is drawn from the seed.

Within one process callbacks run in the order in which they were scheduled, as asyncio promises. Between processes
there is no order, as on real machines: the next one is drawn. A process may be paused (nothing of it runs) or killed.
Time stands still while anything can run, then leaps to the next timer.
"""

from __future__ import annotations

import asyncio
import heapq
from asyncio import events
from collections import deque
from contextvars import Context, ContextVar, copy_context
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

TASKS_PRUNED_AT = 64


class Process:
    """What runs, stops and dies together."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.paused = False
        self.ready: deque[asyncio.Handle] = deque()
        self._tasks: list[asyncio.Task[Any]] = []

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """Take ``task`` on the books."""
        if len(self._tasks) > TASKS_PRUNED_AT:
            self._tasks = self.tasks()
        self._tasks.append(task)

    def tasks(self) -> list[asyncio.Task[Any]]:
        """Return the tasks that have not ended, oldest first."""
        return [task for task in self._tasks if not task.done()]


PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)
"""Whose a callback is; None is nature: the network, the store, the vendor, the script of the run."""


class Deadlock(AssertionError):
    """Somebody waits and nothing will ever happen."""


class VirtualLoop(asyncio.AbstractEventLoop):
    """Enough of an event loop for tasks, futures and timers; no sockets, no threads, no wall clock."""

    def __init__(self, dice: random.Random, start: float) -> None:
        self._dice = dice
        self._now = start
        self._nature = Process("nature")
        self._runnable: list[Process] = []
        self._timers: list[tuple[float, int, asyncio.TimerHandle, Process]] = []
        self._order = count()
        self._running = False
        self._processes: dict[Process, None] = {}
        self.turns = 0
        self.failure: BaseException | None = None
        self.failed: Callable[[BaseException], None] | None = None

    # --- time and turns ------------------------------------------------------------------------------------------

    def time(self) -> float:
        """Return the true instant, epoch seconds."""
        return self._now

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> asyncio.Handle:
        """Queue ``callback`` in the process of its context."""
        context = copy_context() if context is None else context
        handle = asyncio.Handle(callback, args, self, context)
        self._queue(handle, context.get(PROCESS) or self._nature)
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Queue ``callback`` after ``delay`` seconds of virtual time."""
        return self.call_at(self._now + max(delay, 0.0), callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Queue ``callback`` at the virtual instant ``when``."""
        context = copy_context() if context is None else context
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._order), handle, context.get(PROCESS) or self._nature))
        return handle

    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds`` of virtual time; without any to wait for, let the others of this process run once."""
        future: asyncio.Future[None] = self.create_future()
        if seconds > 0:
            self.call_later(seconds, _resolve, future)
        else:
            self.call_soon(_resolve, future)
        await future

    def pause(self, process: Process, seconds: float) -> None:
        """Let nothing of ``process`` run for ``seconds``; its timers go off late."""
        if process.paused:
            return
        process.paused = True
        if process in self._runnable:
            self._runnable.remove(process)
        self.call_later(seconds, self.resume, process, context=Context())

    def resume(self, process: Process) -> None:
        """Let ``process`` run again."""
        if process.paused:
            process.paused = False
            if process.ready:
                self._runnable.append(process)

    def kill(self, process: Process) -> None:
        """Cancel every task of ``process`` wherever it waits; what it still had to run, it runs to its end now."""
        self.resume(process)
        for task in process.tasks():
            task.cancel()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work`` to its end; raise the first failure of anything that ran meanwhile."""
        before = events._get_running_loop()
        events._set_running_loop(self)
        self._running = True
        try:
            task = self.create_task(work)
            while not task.done() and self.failure is None:
                self._turn()
            if self.failure is not None:
                raise self.failure
            return task.result()
        finally:
            self._running = False
            events._set_running_loop(before)

    def abandon(self) -> None:
        """Cancel whatever is left and let it end, however it does, so that nothing is warned of later."""
        before = events._get_running_loop()
        events._set_running_loop(self)
        try:
            for process in self._processes:
                self.kill(process)
            turns = 0
            while self._runnable and turns < 100_000:
                turns += 1
                self._next()._run()
        finally:
            events._set_running_loop(before)

    def _turn(self) -> None:
        while not self._runnable:
            if not self._timers:
                raise Deadlock("everybody waits and no timer is set")
            when, _, handle, process = heapq.heappop(self._timers)
            if not handle.cancelled():
                self._now = max(self._now, when)
                self._queue(handle, process)
            while self._timers and self._timers[0][0] <= self._now:
                _, _, handle, process = heapq.heappop(self._timers)
                self._queue(handle, process)
        self.turns += 1
        handle = self._next()
        if not handle.cancelled():
            handle._run()

    def _next(self) -> asyncio.Handle:
        runnable = self._runnable
        index = int(self._dice.random() * len(runnable)) if len(runnable) > 1 else 0
        process = runnable[index]
        handle = process.ready.popleft()
        if not process.ready:
            runnable[index] = runnable[-1]
            runnable.pop()
        return handle

    def _queue(self, handle: asyncio.Handle, process: Process) -> None:
        process.ready.append(handle)
        if len(process.ready) == 1 and not process.paused:
            self._runnable.append(process)

    # --- what asyncio asks of a loop -----------------------------------------------------------------------------

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Context | None = None) -> asyncio.Task[Any]:
        """Return a task that belongs to the process of its context."""
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=name, context=context)
        process = (context.get(PROCESS) if context is not None else PROCESS.get()) or self._nature
        self._processes[process] = None
        process.adopt(task)
        return task

    def get_debug(self) -> bool:
        """Return whether asyncio should watch itself: no."""
        return False

    def is_running(self) -> bool:
        """Return whether ``run`` is under way."""
        return self._running

    def is_closed(self) -> bool:
        """Return False: there is nothing to close."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Take the first thing that went wrong without anybody to tell as the failure of the run."""
        exception = context.get("exception") or AssertionError(context.get("message", "an unknown failure"))
        if self.failure is None:
            self.failure = exception

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Nothing to do: a cancelled timer is skipped when its time comes."""


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
