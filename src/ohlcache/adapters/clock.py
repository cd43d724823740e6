"""The machine's clock: the one place that reads the wall clock or waits.

With a start it is set to that instant when it is made and runs on from there, for replay and demonstrations: waiting
still takes real time.
"""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """A Clock (see ports) that shows the machine's time, or one that began at ``starting_at`` (epoch seconds, UTC)."""

    def __init__(self, starting_at: float | None = None) -> None:
        self._ahead_seconds = 0.0 if starting_at is None else starting_at - _wall_clock()

    def now(self) -> float:
        """Return the current instant: epoch seconds, UTC."""
        return _wall_clock() + self._ahead_seconds

    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``; at once when it is not positive, after giving others a turn."""
        await asyncio.sleep(max(seconds, 0.0))  # noqa: TID251 - this is the clock that others take


def _wall_clock() -> float:
    return time.time()  # noqa: TID251 - this is the clock that others take
