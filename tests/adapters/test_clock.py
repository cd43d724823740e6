"""The machine's clock, or one that starts elsewhere and runs on."""

from __future__ import annotations

import time

import pytest

from ohlcache.adapters.clock import SystemClock

JULY_2012 = 1_341_100_799.0


def test_it_shows_the_machine_s_time() -> None:
    """Without a start it is the wall clock."""
    before = time.time()  # noqa: TID251 - what it is compared with
    assert before <= SystemClock().now() <= time.time()  # noqa: TID251


def test_it_starts_where_told_and_runs_on() -> None:
    """``OHLCACHE_CLOCK``: the given instant first, then forward at the machine's pace."""
    clock = SystemClock(JULY_2012)
    first = clock.now()
    assert JULY_2012 <= first < JULY_2012 + 5
    while clock.now() == first:
        pass
    assert first < clock.now() < JULY_2012 + 10


@pytest.mark.asyncio(loop_scope="function")
async def test_waiting_takes_its_time_and_never_a_negative_one() -> None:
    """Sleeping is real; a time that has passed is not waited for."""
    clock = SystemClock(JULY_2012)
    start = clock.now()
    await clock.sleep(-5)
    await clock.sleep(0.01)
    assert clock.now() - start >= 0.009
