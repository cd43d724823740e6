"""A thousand simultaneous readers cause one vendor call; whatever happens to some of them, the others are answered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from ohlcache.domain.errors import OhlcacheError, VendorUnavailable
from ohlcache.domain.resolution import Resolution
from ohlcache.ports import Level, Metric
from ohlcache.service.lease_wait import LEASE_LIFE_SECONDS, WAIT_ROUNDS, WAIT_SECONDS, WAIT_TRIES
from ohlcache.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ohlcache.domain.answer import Served
    from ohlcache.domain.request import CandleRequest
    from service.world import Process, World

pytestmark = pytest.mark.asyncio

WAIT_MAX_SECONDS = WAIT_TRIES * WAIT_SECONDS


def asking(processes: Iterable[Process], ticker: str = "AAPL", **wishes: Any) -> list[asyncio.Task[Served]]:
    """Let every process ask at once."""
    return [asyncio.ensure_future(p.cache.get(p.request(ticker, **wishes))) for p in processes]


async def all_of(world: World, tasks: Iterable[asyncio.Task[Served]]) -> list[Served | BaseException]:
    """Let the clock run until every task has ended."""

    async def ended() -> list[Served | BaseException]:
        return await asyncio.gather(*tasks, return_exceptions=True)

    return await world.clock.drive(ended())


def answers(outcomes: Iterable[Served | BaseException]) -> list[Served]:
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]


# --- one process -----------------------------------------------------------------------------------------------------


async def test_fifty_callers_are_one_call(cache: Callable[..., World]) -> None:
    """D1, L4: fifty callers in one process cause one vendor call and get the same answer."""
    world = cache()
    world.vendor.latency_seconds = 2
    served = answers(await all_of(world, asking([world.first] * 50, range="1M")))
    assert world.calls == 1
    assert len({id(each.answer) for each in served}) == 1
    assert world.first.cache.status().calls_saved == 49


async def test_a_cancelled_leader_leaves_the_others_answered(cache: Callable[..., World]) -> None:
    """D1: the fetch belongs to nobody; when the first caller goes, the other forty-nine are still answered by it."""
    world = cache()
    world.vendor.latency_seconds = 2
    leader, *others = asking([world.first] * 50, range="1M")
    await world.clock.advance(1)
    leader.cancel()
    assert len(answers(await all_of(world, others))) == 49
    assert leader.cancelled()
    assert world.calls == 1


async def test_when_everybody_has_gone_the_fetch_is_still_written(cache: Callable[..., World]) -> None:
    """D1, F6: what was under way when all callers left is stored."""
    world = cache()
    world.vendor.latency_seconds = 2
    tasks = asking([world.first] * 5, range="1M")
    await world.clock.advance(1)
    for task in tasks:
        task.cancel()
    await all_of(world, tasks)
    await world.clock.advance(2)
    assert (await world.other().ask(range="1M")).tier == "memory"
    assert world.calls == 1


async def test_a_stop_lets_what_is_in_flight_end(cache: Callable[..., World]) -> None:
    """F6, F10: closing waits for the vendor and writes what it sent."""
    world = cache()
    world.vendor.latency_seconds = 2
    [task] = asking([world.first], range="1M")
    await world.clock.advance(1)
    await world.first.close()
    assert (await task).answer.certificate.complete
    assert world.vendor.closed
    assert await world.chunks()


async def test_a_failure_is_shared_at_once(cache: Callable[..., World]) -> None:
    """D1, E3: fifty callers get the failure of one call, in the time of one call; nothing of it is remembered."""
    world = cache()
    world.vendor.latency_seconds = 2
    world.vendor.faults.set(Fault.SERVER_ERROR)
    start = world.clock.now()
    outcomes = await all_of(world, asking([world.first] * 50, range="1M"))
    assert all(isinstance(outcome, VendorUnavailable) for outcome in outcomes)
    assert world.calls == 1
    assert world.clock.now() - start == 2
    world.vendor.faults.clear()
    await world.clock.advance(5)
    assert (await world.ask(range="1M")).answer.certificate.complete
    assert world.calls == 2


async def test_overlapping_ranges_share_a_fetch(cache: Callable[..., World]) -> None:
    """D12, L5: four ranges of one ticker at the same moment cost one call, and none blocks another."""
    world = cache()
    world.vendor.latency_seconds = 2
    start = world.clock.now()
    tasks = [task for name in ("1M", "1W", "1Y", "3M") for task in asking([world.first], range=name)]
    served = answers(await all_of(world, tasks))
    assert all(each.answer.certificate.complete for each in served)
    assert world.calls == 1
    assert world.clock.now() - start == 2
    assert world.first.telemetry.total(Metric.SHARED_FETCHES, scope="process") == 3


async def test_a_wider_span_fetches_only_the_rest(cache: Callable[..., World]) -> None:
    """D12: five years asked for while one year is under way wait for that year, then fetch the four."""
    world = cache()
    world.vendor.latency_seconds = 2
    tasks = [task for name in ("1Y", "5Y") for task in asking([world.first], range=name, adjust="none")]
    year, years = answers(await all_of(world, tasks))
    assert world.calls == 2
    assert world.vendor.calls[1].span.end < world.vendor.calls[0].span.start
    assert years.answer.candles == world.truth("AAPL", Resolution.DAY, years.answer.request.span)
    assert year.answer.certificate.complete


async def test_tickers_and_resolutions_never_wait_for_one_another(cache: Callable[..., World]) -> None:
    """D11, L5: six tickers and two resolutions take as long as one."""
    world = cache()
    world.vendor.latency_seconds = 2
    start = world.clock.now()
    tasks = [
        task
        for ticker in ("AAPL", "IBM", "MSFT", "F", "SPY", "META")
        for resolution in ("D", "60")
        for task in asking([world.first], ticker, range="1W", resolution=resolution, adjust="none")
    ]
    answers(await all_of(world, tasks))
    assert world.clock.now() - start == 2
    assert world.calls == 12


async def test_many_narrow_fetches_before_a_wide_one(cache: Callable[..., World]) -> None:
    """D12: a request whose span overlaps any number of fetches under way is complete in the end."""
    world = cache()
    months = [(f"2024-{month:02}-01", f"2024-{month:02}-28") for month in range(1, 6)]
    tasks: list[asyncio.Task[Served]] = []
    for number, (start, end) in enumerate(months):
        world.vendor.latency_seconds = 2.0 + number
        tasks += asking([world.first], start_date=start, end_date=end, resolution="1", adjust="none")
        await world.clock.settle()
    world.vendor.latency_seconds = 1
    wide = asking([world.first], start_date="2024-01-02", end_date="2024-05-31", resolution="1", adjust="none")
    outcome = answers(await all_of(world, [*tasks, *wide]))[-1]
    assert outcome.answer.certificate.complete


# --- many processes ----------------------------------------------------------------------------------------------------


async def test_ten_processes_are_one_call(cache: Callable[..., World]) -> None:
    """L4, D4, D5, F8: of ten processes one calls; the others poll with strong reads and get what it stored."""
    world = cache()
    world.vendor.latency_seconds = 1.5
    processes = [world.first, *(world.other() for _ in range(9))]
    served = answers(await all_of(world, asking(processes, range="1M")))
    assert world.calls == 1
    assert len({each.answer.candles.close.tobytes() for each in served}) == 1
    assert sum(each.tier == "tiingo" for each in served) == 1
    assert sum(p.telemetry.total(Metric.SHARED_FETCHES, scope="lease") for p in processes) == 9
    assert all(p.store.strong_reads > 0 for p in processes)
    assert {(await process.ask(range="1M")).tier for process in processes} == {"in-memory"}


async def test_getting_ready_uses_up_no_lease(cache: Callable[..., World]) -> None:
    """L2, L4: whose first call takes long to prepare is not displaced as one who died: still one call for all."""
    world = cache()
    world.vendor.preparing_seconds, world.vendor.latency_seconds = 2 * WAIT_MAX_SECONDS, 1
    tasks = asking([world.first, world.other()], range="1M")
    await world.clock.settle()
    await world.clock.advance(2)
    answers(await all_of(world, [*tasks, *asking([world.other(), world.other()], range="1M")]))
    assert world.calls == 1


async def test_a_winner_reads_once_more(cache: Callable[..., World]) -> None:
    """D5, L3, S2: who wins the lease after another released it finds the data and does not call."""
    world = cache()
    late = world.other()
    passed = asyncio.Event()

    async def held_up(operation: str) -> None:
        if operation == "lease" and not passed.is_set():
            await passed.wait()

    late.store.before = held_up
    [task] = asking([late], range="1M")
    await world.clock.settle()
    await world.ask(range="1M")
    passed.set()
    assert (await world.clock.drive(_result(task))).tier == "memory"
    assert world.calls == 1


async def test_waiters_share_the_holder_s_failure(cache: Callable[..., World]) -> None:
    """L2, E3: a holder's failure is told to those who wait, with its kind and its retry time; they do not call."""
    world = cache()
    world.vendor.latency_seconds = 1
    world.vendor.faults.then((Fault.TOO_MANY, 77))
    outcomes = await all_of(world, asking([world.first, *(world.other() for _ in range(4))], range="1M"))
    assert world.calls == 1
    kinds = {(o.code, o.retry_after_seconds) for o in outcomes if isinstance(o, OhlcacheError)}
    assert kinds == {("quota_exceeded", 77)}
    assert len(outcomes) == 5
    # The note binds no process that asks later; those that got it wait as long as the vendor said.
    assert (await world.other().ask("AAPL", range="1M")).answer.certificate.complete


async def test_a_crashed_holder_is_displaced_after_three_seconds_by_one(cache: Callable[..., World]) -> None:
    """D2, D8, E18, L2: when the holder says nothing for 15 times 200 ms, exactly one of the waiters fetches."""
    world = cache()
    await crash_holding_the_lease(world, range="1M")
    start = world.clock.now()
    world.vendor.latency_seconds = 1
    served = answers(await all_of(world, asking([world.other() for _ in range(5)], range="1M")))
    assert world.calls == 1
    assert WAIT_MAX_SECONDS <= world.clock.now() - start <= WAIT_MAX_SECONDS + 1.5
    assert all(each.answer.certificate.complete for each in served)
    displaced = [p for p in world.processes if "lease displaced" in p.telemetry.events(Level.WARNING)]
    assert len(displaced) == 5


async def test_a_crashed_holder_s_lease_expires(cache: Callable[..., World]) -> None:
    """D2, D14, L1, L5: thirty seconds after its holder died the lease is free; nobody waits."""
    world = cache()
    await crash_holding_the_lease(world, range="1M")
    await world.clock.advance(LEASE_LIFE_SECONDS)
    start = world.clock.now()
    await world.other().ask(range="1M")
    assert world.clock.now() == start
    assert world.calls == 1


async def test_a_slow_holder_is_never_waited_for_longer_than_the_bound(cache: Callable[..., World]) -> None:
    """L2, D8: availability first: after two rounds of three seconds a waiter fetches, lease or not."""
    world = cache()
    await crash_holding_the_lease(world, range="1M")
    world.vendor.latency_seconds = 20
    start = world.clock.now()
    served = answers(await all_of(world, asking([world.other() for _ in range(3)], range="1M")))
    assert world.clock.now() - start <= WAIT_ROUNDS * WAIT_MAX_SECONDS + 20.1
    assert all(each.answer.certificate.complete for each in served)


async def test_a_paused_holder_does_no_harm_when_it_wakes(cache: Callable[..., World]) -> None:
    """D3, D6: a holder that was displaced writes late and releases late; lease and data are the other's."""
    world = cache("2024-06-03T21:45:00Z")  # today is forming
    paused, other = world.first, world.other()
    gate = asyncio.Event()

    async def pause(operation: str) -> None:
        if operation == "write":
            await gate.wait()

    paused.store.before = pause
    [late] = asking([paused], range="1M")
    await world.clock.settle()
    world.clock.set("2024-06-04T00:30:00Z")  # and is final now
    fresh = await other.ask(range="1M", adjust="none")
    gate.set()
    await world.clock.drive(_result(late))
    third = await world.other().ask(range="1M", adjust="none")
    assert third.tier == "memory"
    assert third.answer.candles == fresh.answer.candles
    assert third.answer.certificate.forming == 0


async def test_two_writers_of_the_same_leave_one(cache: Callable[..., World]) -> None:
    """D6, D7: whoever writes the same candles at the same instant writes the same chunks."""
    world = cache()
    # The leases of two ranges are apart, and both fetch the same year.
    answers(await all_of(world, [*asking([world.first], range="1W"), *asking([world.other()], range="1M")]))
    assert world.calls == 2
    names = [chunk.name for chunk in await world.chunks()]
    assert len(names) == len(set(names)) == 2  # last year's cell and this year's


def _request(process: Process, **wishes: Any) -> CandleRequest:
    return process.request("AAPL", **wishes)


async def _result(task: asyncio.Task[Served]) -> Served:
    return await task


async def crash_holding_the_lease(world: World, **wishes: Any) -> None:
    """Leave the lease of a request as a process does that dies while it fetches."""
    request = _request(world.first, **wishes)
    await world.store.acquire(request.lock_key, "dead", now=world.clock.now(), life_seconds=LEASE_LIFE_SECONDS)
