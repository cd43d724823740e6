"""A request asks a store that fails once and no more: it costs two seconds at most, and marks no other request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ohlcache.domain.errors import StoreError, VendorUnavailable
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.series import Series
from ohlcache.ports import STORE_SECONDS_MAX, Metric
from ohlcache.service.circuit_breaker import OPEN_SECONDS
from ohlcache.service.guarded_store import OPERATIONS_AT_ONCE_MAX, GuardedStore
from ohlcache.testing import Fault
from service.world import CALENDAR

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ohlcache.domain.answer import Served
    from ohlcache.domain.span import Span
    from service.world import World

pytestmark = pytest.mark.asyncio

ADJUSTED_MINUTES = {"range": "1W", "resolution": "5", "adjust": "splits"}
"""Needs two series, the ticker's minutes and the ledger of its days: two fetches at a time."""
WRITES = frozenset({"write", "lease"})
AAPL_DAYS = Series("AAPL", "tiingo", Resolution.DAY)


async def together(world: World, tickers: Sequence[str], **wishes: str) -> list[Served]:
    """Ask the first process for all tickers at once."""
    cache = world.first.cache

    async def ask() -> list[Served]:
        return await asyncio.gather(*(cache.get(world.first.request(ticker, **wishes)) for ticker in tickers))

    return await world.clock.drive(ask())


def guard_of(world: World) -> GuardedStore:
    store = world.first.store
    return GuardedStore(store, store, breaker=world.first.breaker, telemetry=world.first.telemetry)


# --- once and no more ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["read", "lease", "write"])
async def test_the_first_refusal_is_the_last_operation(cache: Callable[..., World], operation: str) -> None:
    """W4: whichever operation is refused, the request and the fetches that it started begin no other."""
    world = cache()
    store = world.first.store
    store.failing = frozenset({operation})
    begun: list[str] = []

    async def note(name: str) -> None:
        begun.append(name)

    store.before = note
    served = await world.ask(**ADJUSTED_MINUTES)
    assert served.degraded
    assert served.answer.certificate.complete
    assert begun.count(operation) == 1
    assert begun[-1] == operation


@pytest.mark.parametrize("operation", ["read", "lease", "write"])
async def test_a_store_that_hangs_costs_two_seconds(cache: Callable[..., World], operation: str) -> None:
    """W4: three cold tickers at once, adjusted minutes; whatever hangs, all are answered after two seconds."""
    world = cache()

    async def hang(name: str) -> None:
        if name == operation:
            await world.clock.sleep(3600)

    world.first.store.before = hang
    began = world.clock.now()
    served = await together(world, ["AAPL", "IBM", "MSFT"], **ADJUSTED_MINUTES)
    assert world.clock.now() - began == STORE_SECONDS_MAX
    assert all(each.degraded and each.answer.certificate.complete for each in served)
    assert world.first.telemetry.total(Metric.CACHE_ERROR, operation=operation) > 0
    await world.clock.advance(3600)


async def test_a_fallback_to_days_asks_a_failing_store_no_more(cache: Callable[..., World]) -> None:
    """W4, F3: minutes that are missing are answered with days, by the same request, without another two seconds."""
    world = cache()
    world.first.store.failing = WRITES

    async def no_minutes(series: Series, _: Span) -> None:
        if not series.resolution.is_daily:
            raise VendorUnavailable("The vendor has no minutes at the moment.")

    world.vendor.before = no_minutes
    served = await world.ask(range="1W", resolution="5", adjust="none")
    assert served.answer.fallback is not None
    assert world.first.store.asked["lease"] == 1


async def test_all_who_queue_for_a_failing_store_give_up_together(cache: Callable[..., World]) -> None:
    """W4: more than are let in at a time wait two seconds in all, not two seconds after those before them."""
    world = cache()
    guard, store = guard_of(world), world.first.store

    async def hang(_: str) -> None:
        await world.clock.sleep(3600)

    store.before = hang
    began = world.clock.now()

    async def crowd() -> list[object]:
        visits = [guard.visit() for _ in range(3 * OPERATIONS_AT_ONCE_MAX)]
        return await asyncio.gather(
            *(visit.acquire(f"{n}", "me", now=began, life_seconds=30) for n, visit in enumerate(visits))
        )

    assert set(await world.clock.drive(crowd())) == {None}
    assert world.clock.now() - began == STORE_SECONDS_MAX
    assert world.first.breaker.state.failures == 1
    await world.clock.advance(3600)


async def test_a_long_queue_for_a_healthy_store_is_no_failure(cache: Callable[..., World]) -> None:
    """W4: who waits for others in this process, longer than two seconds even, waits for no failing store."""
    world = cache()
    guard = guard_of(world)

    async def work(_: str) -> None:
        await world.clock.sleep(1.0)

    world.first.store.before = work
    began = world.clock.now()

    async def crowd() -> list[bool]:
        visits = [guard.visit() for _ in range(4 * OPERATIONS_AT_ONCE_MAX)]
        await asyncio.gather(*(visit.read(AAPL_DAYS, CALENDAR.span) for visit in visits))
        return [visit.ended for visit in visits]

    assert not any(await world.clock.drive(crowd()))
    assert world.clock.now() - began == 4.0


# --- other requests -----------------------------------------------------------------------------------------------------


async def test_a_failure_of_another_request_marks_no_answer(cache: Callable[..., World]) -> None:
    """T6: while one request reads the store, another fails at it; only that one is degraded."""
    world = cache()
    store, gate = world.first.store, asyncio.Event()

    async def wait(_: str) -> None:
        store.before = None
        await gate.wait()

    store.before = wait
    healthy = asyncio.ensure_future(world.first.cache.get(world.first.request("IBM", range="1M", adjust="none")))
    await world.clock.settle()
    store.failing = frozenset({"read"})
    assert (await world.ask("AAPL", range="1M", adjust="none")).degraded
    store.failing = frozenset()
    gate.set()
    assert not (await healthy).degraded


async def test_a_failure_of_another_request_breaks_no_coverage(cache: Callable[..., World]) -> None:
    """T2: what is held is reported although another request fails at the store meanwhile."""
    world = cache()
    await world.ask("AAPL", range="1M")
    store, gate = world.first.store, asyncio.Event()

    async def wait(_: str) -> None:
        store.before = None
        await gate.wait()

    store.before = wait
    span = world.first.request(range="1W").span
    asked = asyncio.ensure_future(world.first.cache.coverage("AAPL", Resolution.DAY, span))
    await world.clock.settle()
    store.failing = frozenset({"read"})
    await world.ask("IBM", range="1M")
    store.failing = frozenset()
    gate.set()
    assert {report.state for report in await asked} == {"final"}


async def test_a_shared_fetch_that_the_store_failed_marks_all_who_share_it(cache: Callable[..., World]) -> None:
    """T6, W4: whoever joins a fetch waits for its store, too: the answer is marked, and no other operation begins."""
    world = cache()
    store, vendor = world.first.store, world.vendor
    store.failing = frozenset({"write"})
    vendor.faults.set(Fault.LATENCY, 1.0)
    month = asyncio.ensure_future(world.first.cache.get(world.first.request(range="1M", adjust="none")))
    await world.clock.settle()
    week = await world.ask(range="1W", adjust="none")
    assert world.calls == 1
    assert (await month).degraded
    assert week.degraded
    assert store.asked == {"read": 3, "lease": 1, "write": 1}


# --- held is served --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failing", [frozenset({"lease"}), frozenset({"write"}), WRITES])
async def test_writes_that_fail_open_the_breaker_though_reads_succeed(
    cache: Callable[..., World], failing: frozenset[str]
) -> None:
    """W4, F1: after three of them in a row nothing is written for a minute, and what is held is read as before."""
    world = cache()
    await world.ask("AAPL", range="1M", adjust="none")
    store = world.first.store
    store.failing = failing
    for ticker in ("IBM", "MSFT", "F"):
        assert (await world.ask(ticker, range="1M", adjust="none")).degraded
    assert world.first.breaker.state.state == "open"
    asked = store.asked.copy()
    assert (await world.ask("META", range="1M", adjust="none")).degraded
    held = await world.ask("AAPL", range="1W", adjust="none")
    assert (held.tier, held.degraded) == ("memory", False)
    assert store.asked - asked == {"read": 2}


async def test_a_read_does_not_close_what_writes_opened(cache: Callable[..., World]) -> None:
    """W4, E8: a minute later reads leave the breaker half open; the first write decides."""
    world = cache()
    await world.ask("AAPL", range="1M", adjust="none")
    store = world.first.store
    store.failing = WRITES
    for ticker in ("IBM", "MSFT", "F"):
        await world.ask(ticker, range="1M", adjust="none")
    await world.clock.advance(OPEN_SECONDS)
    assert (await world.ask("AAPL", range="1W", adjust="none")).tier == "memory"
    assert world.first.breaker.state.state == "half-open"
    await world.ask("META", range="1M", adjust="none")
    assert world.first.breaker.state.state == "open"
    store.failing = frozenset()
    await world.clock.advance(OPEN_SECONDS)
    assert not (await world.ask("SPY", range="1M", adjust="none")).degraded
    assert world.first.breaker.state.state == "closed"


async def test_what_is_held_is_served_although_the_lease_is_refused(cache: Callable[..., World]) -> None:
    """W1, W4: the store refuses the lease and the vendor the rest: what the request has read before is its answer."""
    world = cache()
    await world.ask(range="1M", adjust="none")
    await world.restart()
    await world.clock.advance(86_400)
    world.first.store.failing = WRITES
    world.vendor.faults.set(Fault.SERVER_ERROR)
    served = await world.ask(range="1M", adjust="none")
    assert served.answer.stale
    assert len(served.answer.candles) == 20
    assert world.first.store.asked == {"read": 1, "lease": 1}


async def test_what_was_not_read_yet_is_read_after_a_refused_lease(cache: Callable[..., World]) -> None:
    """W1, W4, F3: no minute is held and the vendor fails; the days that are held are found, without another call."""
    world = cache()
    await world.ask(range="1M", adjust="none")
    await world.restart()
    world.first.store.failing = WRITES
    world.vendor.faults.set(Fault.SERVER_ERROR)
    served = await world.ask(range="1W", resolution="5", adjust="none")
    assert served.answer.fallback is not None
    assert len(served.answer.candles) == 5
    assert [call.series.resolution for call in world.vendor.calls] == [Resolution.DAY, Resolution.MINUTES_5]
    assert world.first.store.asked["lease"] == 1
    assert world.first.store.asked["write"] == 0


async def test_nothing_is_read_of_a_store_that_cannot_be_read(cache: Callable[..., World]) -> None:
    """W4: after a read that was refused the days are not looked for in the store either: the first was the last."""
    world = cache()
    world.first.store.failing = frozenset({"read"})
    world.vendor.faults.set(Fault.SERVER_ERROR)
    with pytest.raises(VendorUnavailable):
        await world.ask(range="1D", resolution="5", adjust="none")
    assert world.first.store.asked == {"read": 1}


async def test_what_came_is_served_although_it_could_not_be_stored(cache: Callable[..., World]) -> None:
    """W1, W4: of two slices one came, and the store did not take it: it is in the answer all the same."""
    world = cache()
    world.first.store.failing = WRITES
    world.vendor.faults.then(None, Fault.SERVER_ERROR)
    wishes = {"start_date": "2024-01-02", "end_date": "2024-06-03", "resolution": "5", "adjust": "none"}
    served = await world.ask(**wishes)
    assert len(world.vendor.calls) > 1
    assert not served.answer.certificate.complete
    assert len(served.answer.candles) > 0


async def test_an_invalidation_that_the_store_refuses_has_cleared_memory(cache: Callable[..., World]) -> None:
    """W4: the error says that the store may still hold the ticker and that memory is cleared, and it is."""
    world = cache()
    await world.ask(range="1M")
    world.first.store.failing = frozenset({"delete"})
    with pytest.raises(StoreError, match=r"could not be cleared of AAPL .* memory is cleared") as refused:
        await world.first.cache.invalidate_all_caches("aapl")
    assert "invalidate AAPL again" in refused.value.hint
    assert world.first.telemetry.total(Metric.CACHE_ERROR, operation="delete") == 1
    assert world.first.memory.statistics().entries == 0
