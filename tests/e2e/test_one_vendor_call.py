"""One vendor call, seen from outside: real processes, one SQLite file, a fake vendor on a socket that counts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ohlcache.testing import FakeClock, FakeVendors, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.alone

ASKING = Path(__file__).with_name("asking.py")
EVENING = "2024-06-03T21:00:00-04:00"
NEXT_EVENING = "2024-06-04T21:00:00-04:00"
START_SECONDS = 4.0
"""Enough for all processes to be at the line."""


@pytest.fixture
def vendor() -> Iterator[FakeVendors]:
    with FakeVendors(clock=FakeClock(EVENING), latency_seconds=0.4) as fake:
        yield fake


def ask(
    vendor: FakeVendors, folder: Path, *asked: str, clock: str = EVENING, start: float = 0.0, callers: int = 1
) -> subprocess.Popen[str]:
    """Start a process that asks; ``asked`` is ticker, range, resolution and ``cancel``."""
    environment = {
        **os.environ,  # noqa: TID251 - a child's environment
        "OHLCACHE_DATA_DIR": str(folder),
        "OHLCACHE_CLOCK": clock,
        "TIINGO_API_KEY": "a-key",
        "TIINGO_BASE_URL": vendor.tiingo_url,
    }
    command = [sys.executable, str(ASKING), str(start), str(callers), *asked]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def outcome(process: subprocess.Popen[str]) -> dict[str, object]:
    said, _ = process.communicate(timeout=60)
    result: dict[str, object] = json.loads(said)
    return result


def asked_of(vendor: FakeVendors) -> list[tuple[str, str]]:
    return [call.span for call in vendor.calls]


def test_a_herd_of_processes_costs_one_call(vendor: FakeVendors, tmp_path: Path) -> None:
    """D1, L4: 8 processes with 20 callers each, cold, at the same moment: one vendor call, everybody answered."""
    start = time.time() + START_SECONDS  # noqa: TID251 - real processes in real time
    herd = [ask(vendor, tmp_path, "AAPL", "1Y", "D", start=start, callers=20) for _ in range(8)]
    outcomes = [outcome(process) for process in herd]
    assert [(each["answered"], each["failed"]) for each in outcomes] == [(20, [])] * 8
    assert len({str(each["counts"]) for each in outcomes}) == 1
    assert len(vendor.calls) == 1


def test_a_cancelled_leader_does_not_cost_the_others_their_answer(vendor: FakeVendors, tmp_path: Path) -> None:
    """D1: of 50 callers the first is cancelled while the vendor is asked; 49 are answered from the one call."""
    result = outcome(ask(vendor, tmp_path, "AAPL", "1Y", "D", "cancel", callers=50))
    assert (result["answered"], result["cancelled"], result["failed"]) == (49, 1, [])
    assert len(vendor.calls) == 1


def test_a_failure_reaches_everybody_from_one_call(vendor: FakeVendors, tmp_path: Path) -> None:
    """D10: the vendor fails; 8 processes with 10 callers hear of it, and nobody tries in series."""
    vendor.tiingo.faults.set(Fault.SERVER_ERROR)
    start = time.time() + START_SECONDS  # noqa: TID251 - real processes in real time
    herd = [ask(vendor, tmp_path, "AAPL", "1Y", "D", start=start, callers=10) for _ in range(8)]
    outcomes = [outcome(process) for process in herd]
    assert [each["failed"] for each in outcomes] == [["vendor_unavailable"] * 10] * 8
    assert len(vendor.calls) == 1


def test_ranges_in_any_order_cost_one_call_and_the_next_day_one_more(vendor: FakeVendors, tmp_path: Path) -> None:
    """G13, T1: 1W, 1M, 3M and 1Y one after the other in processes of their own; next evening the new session only."""
    for name in ("1W", "1Y", "1M", "3M"):
        assert outcome(ask(vendor, tmp_path, "MSFT", name, "D"))["failed"] == []
    assert asked_of(vendor) == [("2023-05-26", "2024-06-03")]
    vendor.clock.set(NEXT_EVENING)  # type: ignore[attr-defined] - a FakeClock
    for name in ("1Y", "1W"):
        assert outcome(ask(vendor, tmp_path, "MSFT", name, "D", clock=NEXT_EVENING))["failed"] == []
    assert asked_of(vendor)[1:] == [("2024-06-04", "2024-06-04")]


def test_a_killed_holder_is_displaced(vendor: FakeVendors, tmp_path: Path) -> None:
    """D2, D8, E18: the lease's holder is killed in the middle of its call; another process answers within the bound."""
    vendor.tiingo.faults.set(Fault.LATENCY, 30.0)
    holder = ask(vendor, tmp_path, "AAPL", "1Y", "D")
    deadline = time.monotonic() + 20
    while not vendor.calls and time.monotonic() < deadline:
        time.sleep(0.02)
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    vendor.tiingo.faults.clear()
    assert outcome(ask(vendor, tmp_path, "AAPL", "1Y", "D"))["failed"] == []
    assert len(vendor.calls) == 2
