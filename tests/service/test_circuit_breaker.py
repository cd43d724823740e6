"""A breaker stops asking what keeps failing, and finds out by one probe whether it still does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohlcache.ports import Level, Metric
from ohlcache.service.circuit_breaker import FAILURES_MAX, OPEN_SECONDS, CircuitBreaker, Operation
from ohlcache.testing import FakeClock, RecordingTelemetry


class Guarded:
    """A breaker with its clock and telemetry."""

    def __init__(self) -> None:
        self.clock = FakeClock(0.0)
        self.telemetry = RecordingTelemetry()
        self.breaker = CircuitBreaker("dynamodb_cache", clock=self.clock, telemetry=self.telemetry)

    def call(self, operation: Operation = Operation.READ, *, fails: bool) -> bool:
        """Make one call; return whether it was allowed."""
        ticket = self.breaker.enter(operation)
        if ticket is None:
            return False
        (self.breaker.failed if fails else self.breaker.succeeded)(ticket)
        return True

    def open(self) -> None:
        for _ in range(FAILURES_MAX):
            self.call(fails=True)


def test_three_in_a_row_open_it() -> None:
    """E7, F1: two failures and a success are none; three in a row open it for sixty seconds, counted once."""
    guarded = Guarded()
    for fails in (True, True, False, True, True):
        assert guarded.call(fails=fails)
    assert guarded.breaker.state.state == "closed"
    assert guarded.call(fails=True)
    state = guarded.breaker.state
    assert (state.name, state.state, state.failures, state.open_until) == ("dynamodb_cache", "open", 3, OPEN_SECONDS)
    assert guarded.telemetry.total(Metric.CIRCUIT_BREAKER_OPEN, breaker="dynamodb_cache") == 1
    guarded.clock.set(59.9)
    assert not guarded.call(fails=False)


@pytest.mark.parametrize("fails", [False, True])
def test_one_probe_decides(fails: bool) -> None:
    """E8: after sixty seconds one call goes through, alone; it closes the breaker or opens it anew."""
    guarded = Guarded()
    guarded.open()
    guarded.clock.set(60.0)
    assert guarded.breaker.state.state == "half-open"
    probe = guarded.breaker.enter()
    assert probe is not None
    assert guarded.breaker.enter() is None
    (guarded.breaker.failed if fails else guarded.breaker.succeeded)(probe)
    assert guarded.breaker.state.state == ("open" if fails else "closed")
    assert guarded.call(fails=False) != fails


def test_opening_and_closing_are_told() -> None:
    """E7, E8: one line each, loud when it opens."""
    guarded = Guarded()
    guarded.open()
    guarded.clock.set(60.0)
    guarded.call(fails=False)
    assert guarded.telemetry.events(Level.ERROR) == ["circuit breaker open"]
    assert guarded.telemetry.events(Level.INFO) == ["circuit breaker closed"]
    assert guarded.breaker.state.failures == 0
    guarded.call(fails=True)
    guarded.call(fails=True)
    assert guarded.breaker.state.state == "closed"


def test_a_cancelled_probe_leaves_the_place_free() -> None:
    """E8: a probe whose caller went away says nothing, and another may try."""
    guarded = Guarded()
    guarded.open()
    guarded.clock.set(60.0)
    probe = guarded.breaker.enter()
    assert probe is not None
    guarded.breaker.abandoned(probe)
    assert guarded.call(fails=False)
    assert guarded.breaker.state.state == "closed"


def test_a_burst_counts_once() -> None:
    """E28: calls that were under way together when the first failed are one failure."""
    guarded = Guarded()
    tickets = [guarded.breaker.enter() for _ in range(50)]
    for ticket in tickets:
        assert ticket is not None
        guarded.breaker.failed(ticket)
    assert guarded.breaker.state.failures == 1


def test_a_straggler_proves_nothing() -> None:
    """E8: a call from before the breaker opened that succeeds late neither closes it nor ends the probe."""
    guarded = Guarded()
    straggler = guarded.breaker.enter()
    assert straggler is not None
    guarded.open()
    guarded.breaker.succeeded(straggler)
    assert guarded.breaker.state.state == "open"
    guarded.clock.set(60.0)
    assert guarded.breaker.enter() is not None
    guarded.breaker.failed(straggler)
    guarded.breaker.abandoned(straggler)
    assert guarded.breaker.enter() is None


@pytest.mark.parametrize("operation", [Operation.WRITE, Operation.LEASE])
def test_writes_open_it_though_reads_succeed(operation: Operation) -> None:
    """W4, F1: reads between failing writes, or failing leases, set nothing back, and go on when those are skipped."""
    guarded = Guarded()
    for _ in range(FAILURES_MAX):
        assert guarded.call(operation, fails=True)
        assert guarded.call(fails=False)
    assert guarded.breaker.state.state == "open"
    assert not guarded.call(Operation.WRITE, fails=False)
    assert not guarded.call(Operation.LEASE, fails=False)
    assert guarded.call(fails=False)
    assert guarded.breaker.state.state == "open"


def test_writes_go_on_though_reads_are_skipped() -> None:
    """F1: failing reads leave writes to whoever needs no read before them."""
    guarded = Guarded()
    guarded.open()
    assert guarded.call(Operation.WRITE, fails=False)
    assert not guarded.call(fails=False)


def test_a_lease_that_is_taken_shows_little() -> None:
    """W4: on a full disk a lease still fits: it neither sets the count of failing writes back nor closes the circuit."""
    guarded = Guarded()
    for _ in range(FAILURES_MAX):
        assert guarded.call(Operation.LEASE, fails=False)
        assert guarded.call(Operation.WRITE, fails=True)
    assert guarded.breaker.state.state == "open"
    guarded.clock.set(60.0)
    assert guarded.call(Operation.LEASE, fails=False)
    assert guarded.breaker.state.state == "half-open"
    assert guarded.call(Operation.WRITE, fails=False)
    assert guarded.breaker.state.state == "closed"


def test_the_side_that_is_left_alone_is_named() -> None:
    """F1: the log says whether reads or writes are left alone, under the store's one name."""
    guarded = Guarded()
    for _ in range(FAILURES_MAX):
        guarded.call(Operation.WRITE, fails=True)
    [opened] = guarded.telemetry.lines
    assert (opened.event, opened.fields["breaker"], opened.fields["operations"]) == (
        *("circuit breaker open", "dynamodb_cache"),
        "writes",
    )


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 50)), max_size=40))
def test_against_a_model(steps: list[tuple[bool, float]]) -> None:
    """E7, E8: calls one after the other are allowed and refused as the drawing in the module says."""
    guarded = Guarded()
    failures, open_until = 0, -1.0
    for fails, seconds in steps:
        guarded.clock.set(guarded.clock.now() + seconds)
        now = guarded.clock.now()
        allowed = guarded.call(fails=fails)
        assert allowed == (open_until < 0 or now >= open_until)
        if not allowed:
            continue
        failures = failures + 1 if fails else 0
        open_until = now + OPEN_SECONDS if failures >= FAILURES_MAX else -1.0
