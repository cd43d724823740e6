"""Several server processes on one port: forked before any event loop runs, replaced when one dies, stopped together."""

from __future__ import annotations

import os
import signal
import time
from threading import Thread
from typing import TYPE_CHECKING

from ohlcache.ports import Level

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from ohlcache.ports import Telemetry

START_FAILURE_EXIT_CODE = 3
"""How a worker ends that could not start: another try would fail as well."""
WORKER_LIFE_SECONDS_MIN = 1.0
EARLY_DEATHS_MAX = 5
"""So many workers in a row that died within a second: something is wrong that another try will not mend."""


def supervise(work: Callable[[int], None], count: int, telemetry: Telemetry) -> int:
    """Run ``work(number)`` in ``count`` processes until told to stop; return 0, or 1 when a worker cannot start."""
    return _Supervisor(work, telemetry).run(count)


class _Supervisor:
    def __init__(self, work: Callable[[int], None], telemetry: Telemetry) -> None:
        self._work = work
        self._telemetry = telemetry
        self._numbers: dict[int, int] = {}
        self._born: dict[int, float] = {}
        self._early_deaths = 0
        self._lifeline = os.pipe()
        self._stopping = False

    def run(self, count: int) -> int:
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            for number in range(count):
                self._start(number)
            return self._watch()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            for end in self._lifeline:
                os.close(end)

    def _start(self, number: int) -> None:
        # A signal that arrives between the fork and the entry in the table would miss the new worker.
        signals = {signal.SIGINT, signal.SIGTERM}
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        pid = os.fork()
        if pid == 0:
            os._exit(self._run_worker(number, signals))
        self._numbers[pid] = number
        self._born[pid] = time.monotonic()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        if self._stopping:
            # Told to stop after its predecessor's death was seen and before the fork.
            os.kill(pid, signal.SIGTERM)

    def _run_worker(self, number: int, signals: set[signal.Signals]) -> int:
        for each in signals:
            signal.signal(each, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        reading, writing = self._lifeline
        os.close(writing)
        Thread(target=_stop_with_parent, args=(reading,), name="lifeline", daemon=True).start()
        try:
            self._work(number)
        except BaseException as exc:  # noqa: BLE001 - a forked process must never run on in its parent's frames
            self._telemetry.log(Level.ERROR, "worker failed", worker=number, error=type(exc).__name__, reason=str(exc))
            return START_FAILURE_EXIT_CODE
        return 0

    def _watch(self) -> int:
        """Wait for workers to end: replace those that died, give up when one could not start."""
        failed = False
        while self._numbers:
            pid, status = os.wait()
            number = self._numbers.pop(pid, None)
            if number is None or self._stopping:
                continue
            code = os.waitstatus_to_exitcode(status)
            early = time.monotonic() - self._born.pop(pid) < WORKER_LIFE_SECONDS_MIN
            self._early_deaths = self._early_deaths + 1 if early else 0
            if code == START_FAILURE_EXIT_CODE or self._early_deaths >= EARLY_DEATHS_MAX:
                self._telemetry.log(Level.ERROR, "workers given up", worker=number, exit_code=code)
                failed = True
                self._stop()
                continue
            self._telemetry.log(Level.ERROR, "worker replaced", worker=number, exit_code=code)
            self._start(number)
        return 1 if failed else 0

    def _stop(self, number: int = signal.SIGTERM, frame: FrameType | None = None) -> None:
        del number, frame
        self._stopping = True
        for pid in self._numbers:
            os.kill(pid, signal.SIGTERM)


def _stop_with_parent(lifeline: int) -> None:
    """Stop this process when the parent is gone: only the parent can write to the pipe, and it never does."""
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGTERM)
