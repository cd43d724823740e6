"""A breaker that stops asking what keeps failing.

::

    closed ── 3 consecutive failures ──▶ open ── 60 s ──▶ half-open ── the one probe succeeds ──▶ closed
                                          ▲                   │
                                          └─── it fails ──────┘

Calls that were under way together when one of them failed count as one failure: a burst of a cold start does not
trip the breaker at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ohlcache.ports import BreakerState, Level, Metric

if TYPE_CHECKING:
    from ohlcache.ports import Clock, Telemetry

FAILURES_MAX = 3
OPEN_SECONDS = 60.0


class CircuitBreaker:
    """Counts consecutive failures of one dependency; a new one, as after a restart, is closed."""

    def __init__(
        self,
        name: str,
        *,
        clock: Clock,
        telemetry: Telemetry,
        failures_max: int = FAILURES_MAX,
        open_seconds: float = OPEN_SECONDS,
    ) -> None:
        self.name = name
        self._clock = clock
        self._telemetry = telemetry
        self._failures_max = failures_max
        self._open_seconds = open_seconds
        self._failures = 0
        self._failures_ever = 0
        self._open_until: float | None = None
        self._probing = False

    @property
    def state(self) -> BreakerState:
        """What the breaker is doing now."""
        if self._open_until is None:
            return BreakerState(self.name, "closed", self._failures)
        waiting = self._clock.now() < self._open_until
        return BreakerState(self.name, "open" if waiting else "half-open", self._failures, self._open_until)

    def enter(self) -> int | None:
        """Return a ticket for one call, or None when it must not be made; every ticket is handed back exactly once."""
        if self._open_until is not None:
            if self._probing or self._clock.now() < self._open_until:
                return None
            self._probing = True
        return self._failures_ever

    def succeeded(self, ticket: int) -> None:
        """Note that the call of ``ticket`` worked."""
        if self._open_until is not None:
            if not self._probing or ticket != self._failures_ever:
                return  # a straggler from before the breaker opened proves nothing
            self._telemetry.log(Level.INFO, "circuit breaker closed", breaker=self.name)
        self._open_until = None
        self._probing = False
        self._failures = 0

    def failed(self, ticket: int) -> None:
        """Note that the call of ``ticket`` failed."""
        if ticket != self._failures_ever:
            return
        self._failures_ever += 1
        self._failures += 1
        self._probing = False
        if self._failures >= self._failures_max:
            self._open_until = self._clock.now() + self._open_seconds
            self._telemetry.count(Metric.CIRCUIT_BREAKER_OPEN, breaker=self.name)
            self._telemetry.log(
                Level.ERROR,
                "circuit breaker open",
                breaker=self.name,
                failures=self._failures,
                seconds=self._open_seconds,
            )

    def abandoned(self, ticket: int) -> None:
        """Note that the call of ``ticket`` was cancelled and says nothing; a probe is free again."""
        if ticket == self._failures_ever:
            self._probing = False
