"""One task per key, which belongs to nobody."""

from __future__ import annotations

import asyncio

import pytest

from ohlcache.service.single_flight import SingleFlight

pytestmark = pytest.mark.asyncio


async def test_callers_of_one_key_share_and_others_do_not() -> None:
    """D1, D11: the first caller starts, the rest share; another key is another task."""
    flights: SingleFlight[str] = SingleFlight()
    gate, begun = asyncio.Event(), []

    def work(name: str) -> asyncio.Future[str]:
        async def run() -> str:
            begun.append(name)
            await gate.wait()
            return name

        return asyncio.ensure_future(run())

    tasks = [asyncio.ensure_future(flights.do(key, lambda key=key: work(key))) for key in ("a", "a", "b", "a")]  # type: ignore[misc]
    for _ in range(5):
        await asyncio.wait({tasks[0]}, timeout=0)
    assert len(flights) == 2
    gate.set()
    assert await asyncio.gather(*tasks) == [("a", False), ("a", True), ("b", False), ("a", True)]
    assert begun == ["a", "b"]
    await flights.drain()
    assert len(flights) == 0


async def test_a_failure_reaches_everybody_and_is_forgotten() -> None:
    """E3: the next caller starts anew."""
    flights: SingleFlight[int] = SingleFlight()
    outcomes = iter([ValueError("no"), None])

    async def work() -> int:
        outcome = next(outcomes)
        if outcome is not None:
            raise outcome
        return 7

    results = await asyncio.gather(*(flights.do("key", work) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [ValueError] * 3
    assert await flights.do("key", work) == (7, False)


async def test_forgotten_work_finishes_for_those_who_wait() -> None:
    """F7: nobody new joins it, and a drain still waits for it."""
    flights: SingleFlight[int] = SingleFlight()
    gate = asyncio.Event()

    async def old() -> int:
        await gate.wait()
        return 1

    async def new() -> int:
        return 2

    first = asyncio.ensure_future(flights.do("key", old))
    await asyncio.wait({first}, timeout=0)
    flights.forget(lambda key: key == "key")
    assert await flights.do("key", new) == (2, False)
    gate.set()
    await flights.drain()
    assert await first == (1, False)
