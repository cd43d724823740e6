"""One call clears every tier of a ticker, also while it is being read and written."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ohlcache.domain.errors import StoreError
from ohlcache.ports import Level

if TYPE_CHECKING:
    from collections.abc import Callable

    from ohlcache.domain.answer import Served
    from service.world import World

pytestmark = pytest.mark.asyncio


async def ended(task: asyncio.Task[Served]) -> Served:
    return await task


async def test_every_tier_of_one_ticker_and_of_no_other(cache: Callable[..., World]) -> None:
    """F1, T4: memory and store of the ticker are empty, those of others untouched; the next request calls the vendor."""
    world = cache()
    for ticker in ("AAPL", "IBM"):
        await world.ask(ticker, range="1M")
        await world.ask(ticker, range="1M", resolution="60")
    calls = world.calls
    removed = await world.first.cache.invalidate_all_caches("aapl")
    assert removed.removed_answers == 2
    assert removed.removed_chunks > 2
    assert await world.store.tickers() == ["IBM"]
    assert world.first.telemetry.events(Level.INFO) == ["ticker invalidated"]
    assert (await world.ask("IBM", range="1M")).tier == "in-memory"
    assert world.calls == calls
    assert (await world.ask("AAPL", range="1M")).tier == "tiingo"


async def test_what_is_being_fetched_is_not_put_back(cache: Callable[..., World]) -> None:
    """F7: an answer that was under way during an invalidation reaches its caller, but no tier."""
    world = cache()
    world.vendor.latency_seconds = 2
    task = asyncio.ensure_future(world.first.cache.get(world.first.request(range="1M")))
    await world.clock.advance(1)
    await world.first.cache.invalidate_all_caches("AAPL")
    assert (await world.clock.drive(ended(task))).answer.certificate.complete
    assert await world.chunks() == []
    assert world.first.memory.statistics().entries == 0


async def test_nobody_joins_what_was_under_way_before(cache: Callable[..., World]) -> None:
    """F7: who asks after the invalidation gets the vendor's word of after it."""
    world = cache()
    world.vendor.latency_seconds = 2
    before = asyncio.ensure_future(world.first.cache.get(world.first.request(range="1M")))
    await world.clock.advance(1)
    await world.first.cache.invalidate_all_caches("AAPL")
    after = await world.ask(range="1M")
    await world.clock.drive(ended(before))
    assert world.calls == 2
    assert after.answer.certificate.complete
    assert await world.chunks()


@pytest.mark.parametrize("held_up", ["before", "after"])
async def test_a_write_under_way_does_not_survive(cache: Callable[..., World], held_up: str) -> None:
    """F7: chunks whose writing had begun are gone in the end, whether they landed before or after the deletion."""
    world = cache()
    gate = asyncio.Event()

    async def hold(operation: str) -> None:
        if operation == "write" and not gate.is_set():
            await gate.wait()

    world.first.store.before = hold
    task = asyncio.ensure_future(world.first.cache.get(world.first.request(range="1M")))
    await world.clock.settle()
    if held_up == "before":
        await world.first.cache.invalidate_all_caches("AAPL")
        gate.set()
    else:
        gate.set()
        await world.first.cache.invalidate_all_caches("AAPL")
    await world.clock.drive(ended(task))
    assert await world.chunks() == []
    assert world.first.memory.statistics().entries == 0


async def test_an_invalidation_that_fails_says_so(cache: Callable[..., World]) -> None:
    """F1, T4: when the store cannot delete, the caller is told; memory is cleared all the same."""
    world = cache()
    await world.ask(range="1M")
    world.first.store.failing = frozenset({"delete"})
    with pytest.raises(StoreError):
        await world.first.cache.invalidate_all_caches("AAPL")
    assert world.first.memory.statistics().entries == 0


async def test_a_cold_deployment_starts_from_the_store(cache: Callable[..., World]) -> None:
    """F9: a new process has an empty memory and the whole store."""
    world = cache()
    await world.ask(range="1M")
    fresh = world.other()
    assert fresh.memory.statistics().entries == 0
    assert (await fresh.ask(range="1M")).tier == "memory"


@pytest.mark.parametrize(
    ("adjust", "served_until", "asked_again"),
    [
        ("splits", "2024-06-04T21:29:00Z", "2024-06-04T21:31:00Z"),
        ("none", "2024-09-01T00:59:00Z", "2024-09-02T01:01:00Z"),
    ],
)
async def test_other_processes_keep_finished_answers(
    cache: Callable[..., World], adjust: str, served_until: str, asked_again: str
) -> None:
    """The README's limit: adjusted until the next daily candle is due, closed days without adjustment for the retention."""
    world = cache()
    other, wishes = world.other(), {"start_date": "2024-03-04", "end_date": "2024-03-28", "adjust": adjust}
    await other.ask(**wishes)
    await world.first.cache.invalidate_all_caches("AAPL")
    world.clock.set(served_until)
    assert (await other.ask(**wishes)).tier == "in-memory"
    world.clock.set(asked_again)
    assert (await other.ask(**wishes)).tier == "tiingo"
