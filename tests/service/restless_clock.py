"""A clock that moves while it is read: whatever happens between two readings can happen at midnight."""

from __future__ import annotations

from ohlcache.testing import FakeClock
from ohlcache.testing.clock import instant_of


class RestlessClock(FakeClock):
    """Stands still until told otherwise; ``jump`` says after how many readings it is at another instant."""

    def __init__(self, start: float | str) -> None:
        super().__init__(start)
        self._readings_left: int | None = None
        self._target = 0.0

    def jump(self, target: float | str, *, after_readings: int) -> None:
        """Be at ``target`` from the reading after the next ``after_readings`` ones on."""
        self._readings_left, self._target = after_readings, instant_of(target)

    def now(self) -> float:
        """Return the instant it stands at, having jumped if it was time to."""
        if self._readings_left == 0:
            self._readings_left = None
            self.set(self._target)
        elif self._readings_left is not None:
            self._readings_left -= 1
        return super().now()
