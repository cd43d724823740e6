"""A breaker that stops asking what keeps failing: one circuit for reads, one for writes.

::

    closed ── 3 consecutive failures ──▶ open ── 60 s ──▶ half-open ── the one probe succeeds ──▶ closed
                                          ▲                   │
                                          └─── it fails ──────┘

Each side counts its own failures and closes by its own probe: a file that another process has locked can be read all
the time, so a read that works shows nothing about writes, and writes that fail are no reason not to read what is held.
A lease is a write that may fail like any other; but it is the smallest there is, and one that is taken on a full disk
does not show that candles can be kept: only those close the circuit again.

Calls that were under way together when one of them failed count as one failure: a burst of a cold start does not
trip the breaker at once.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from ohlcache.ports import BreakerState, Level, Metric

if TYPE_CHECKING:
    from ohlcache.ports import Clock, Telemetry

FAILURES_MAX = 3
OPEN_SECONDS = 60.0


class Operation(StrEnum):
    """What a call does to the store; leases are on the side of the writes."""

    READ = "read"
    WRITE = "write"
    LEASE = "lease"


class Ticket(NamedTuple):
    """The right to make one call: which, and how many failures its circuit had had by then."""

    operation: Operation
    failures_before: int


class CircuitBreaker:
    """Counts consecutive failures of one store; a new one, as after a restart, is closed."""

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
        self.clock = clock
        reads, writes = (
            _Circuit(name, side, clock, telemetry, failures_max, open_seconds) for side in ("reads", "writes")
        )
        self._circuits = {Operation.READ: reads, Operation.WRITE: writes, Operation.LEASE: writes}

    @property
    def state(self) -> BreakerState:
        """What the breaker is doing now: the state of the side that is worse off."""
        return max((circuit.state for circuit in self._circuits.values()), key=_severity)

    def enter(self, operation: Operation = Operation.READ) -> Ticket | None:
        """Return a ticket for one call, or None when it must not be made; every ticket is handed back exactly once."""
        circuit = self._circuits[operation]
        return Ticket(operation, circuit.failures_ever) if circuit.enter() else None

    def failed_since(self, ticket: Ticket) -> bool:
        """Whether another call of the same side has failed since ``ticket`` was given out."""
        return self._circuits[ticket.operation].failures_ever != ticket.failures_before

    def succeeded(self, ticket: Ticket) -> None:
        """Note that the call of ``ticket`` worked."""
        circuit = self._circuits[ticket.operation]
        if ticket.operation is Operation.LEASE:
            circuit.abandoned(ticket)
        else:
            circuit.succeeded(ticket)

    def failed(self, ticket: Ticket) -> None:
        """Note that the call of ``ticket`` failed."""
        self._circuits[ticket.operation].failed(ticket)

    def abandoned(self, ticket: Ticket) -> None:
        """Note that the call of ``ticket`` was cancelled and says nothing; a probe is free again."""
        self._circuits[ticket.operation].abandoned(ticket)


class _Circuit:
    """One side of a breaker."""

    def __init__(
        self, name: str, side: str, clock: Clock, telemetry: Telemetry, failures_max: int, open_seconds: float
    ) -> None:
        self._name = name
        self._side = side
        self._clock = clock
        self._telemetry = telemetry
        self._failures_max = failures_max
        self._open_seconds = open_seconds
        self._failures = 0
        self.failures_ever = 0
        self._open_until: float | None = None
        self._probing = False

    @property
    def state(self) -> BreakerState:
        if self._open_until is None:
            return BreakerState(self._name, "closed", self._failures)
        waiting = self._clock.now() < self._open_until
        return BreakerState(self._name, "open" if waiting else "half-open", self._failures, self._open_until)

    def enter(self) -> bool:
        if self._open_until is not None:
            if self._probing or self._clock.now() < self._open_until:
                return False
            self._probing = True
        return True

    def succeeded(self, ticket: Ticket) -> None:
        if self._open_until is not None:
            if not self._probing or ticket.failures_before != self.failures_ever:
                return  # a straggler from before the breaker opened proves nothing
            self._telemetry.log(Level.INFO, "circuit breaker closed", breaker=self._name, operations=self._side)
        self._open_until = None
        self._probing = False
        self._failures = 0

    def failed(self, ticket: Ticket) -> None:
        if ticket.failures_before != self.failures_ever:
            return
        self.failures_ever += 1
        self._failures += 1
        self._probing = False
        if self._failures >= self._failures_max:
            self._open_until = self._clock.now() + self._open_seconds
            self._telemetry.count(Metric.CIRCUIT_BREAKER_OPEN, breaker=self._name)
            self._telemetry.log(
                Level.ERROR,
                "circuit breaker open",
                breaker=self._name,
                operations=self._side,
                failures=self._failures,
                seconds=self._open_seconds,
            )

    def abandoned(self, ticket: Ticket) -> None:
        if ticket.failures_before == self.failures_ever:
            self._probing = False


_SEVERITY = {"closed": 0, "half-open": 1, "open": 2}


def _severity(state: BreakerState) -> tuple[int, int]:
    return _SEVERITY[state.state], state.failures
