"""How many calls a process has made in the current hour, and the allowance that it keeps to."""

from __future__ import annotations

from ohlcache.domain.errors import QuotaExceeded

HOUR_SECONDS = 3600


class HourlyCalls:
    """Counts calls by the hour of the clock; with an allowance, one that would go beyond it is not made."""

    def __init__(self, allowance: int | None) -> None:
        self.allowance = allowance
        self._hour = 0
        self._made = 0

    def made(self, now: float) -> int:
        """Return the calls of the hour of ``now``."""
        return self._made if int(now // HOUR_SECONDS) == self._hour else 0

    def left(self, now: float) -> bool:
        """Whether another call may be made."""
        return self.allowance is None or self.made(now) < self.allowance

    def check(self, now: float) -> None:
        """Raise QuotaExceeded unless another call may be made in this hour."""
        if not self.left(now):
            raise QuotaExceeded(
                f"The {self.allowance} vendor calls that are allowed in an hour are made.",
                hint="Wait for the next hour; what is held is still served. The operator sets the number.",
                retry_after_seconds=next_hour(now) - now,
            )

    def add(self, now: float) -> None:
        """Count one call."""
        self._made = self.made(now) + 1
        self._hour = int(now // HOUR_SECONDS)


def next_hour(now: float) -> float:
    """Return the instant at which the hour after that of ``now`` begins."""
    return (now // HOUR_SECONDS + 1) * HOUR_SECONDS
