"""A time limit cancels what takes too long, by the clock it is given, and nothing else."""

from __future__ import annotations

import asyncio

import pytest

from ohlcache.service.time_limit import TimeLimit
from ohlcache.testing import FakeClock

pytestmark = pytest.mark.asyncio


class Worker:
    """Work that takes a given time of its clock, under a limit of two seconds; ``ended`` says how it ended."""

    def __init__(self) -> None:
        self.clock = FakeClock(0.0)
        self.ended = ""

    async def work(self, seconds: float) -> str:
        async with TimeLimit(self.clock, 2.0):
            try:
                await self.clock.sleep(seconds)
            except asyncio.CancelledError:
                self.ended = "cancelled"
                raise
            self.ended = "done"
        return "value"


async def test_what_takes_too_long_is_cancelled_and_is_a_timeout() -> None:
    """W4: at two seconds of its clock, not of the machine's."""
    worker = Worker()
    with pytest.raises(TimeoutError):
        await worker.clock.drive(worker.work(3600.0))
    assert (worker.clock.now(), worker.ended) == (2.0, "cancelled")


async def test_what_ends_in_time_is_left_alone() -> None:
    """W4: the alarm goes with it, and does not ring in what comes after."""
    worker = Worker()

    async def and_more() -> str:
        value = await worker.work(1.9)
        await worker.clock.sleep(10.0)
        return value

    assert await worker.clock.drive(and_more()) == "value"
    assert worker.ended == "done"


async def test_a_cancellation_from_elsewhere_stays_one() -> None:
    """F6: a caller that goes away is not mistaken for a store that hangs."""
    worker = Worker()
    task = asyncio.ensure_future(worker.work(3600.0))
    await worker.clock.settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_an_error_of_the_work_stays_that_error() -> None:
    """W4: what fails in time fails as itself."""
    with pytest.raises(ZeroDivisionError):
        async with TimeLimit(FakeClock(0.0), 2.0):
            raise ZeroDivisionError
