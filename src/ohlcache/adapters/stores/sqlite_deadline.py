"""How long one operation waits in all: for its turn, for the file to open, for the locks of other processes."""

from __future__ import annotations

import time

BUSY_SECONDS_MAX = 1.5
"""How long an operation waits before it is refused; in health it waits a millisecond for the write of another process.

Below ``STORE_SECONDS_MAX`` of the ports, so that who is refused learns why instead of only that time was up.
"""


class Deadline:
    """The moment at which an operation that waits gives up; it runs from the moment at which it is made."""

    def __init__(self, seconds: float | None = None) -> None:
        self._at = time.monotonic() + (BUSY_SECONDS_MAX if seconds is None else seconds)

    @property
    def seconds_left(self) -> float:
        """How long may still be waited, 0 when the time is up."""
        return max(0.0, self._at - time.monotonic())
