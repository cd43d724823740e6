"""A store that fails is an inconvenience; a vendor that fails is worked around or said plainly."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from ohlcache.domain.adjustment import Adjustment
from ohlcache.domain.answer import IN_MEMORY, Shortfall
from ohlcache.domain.chunks import Chunk
from ohlcache.domain.errors import (
    BadVendorCredentials,
    NotEntitled,
    QuotaExceeded,
    StoreError,
    VendorUnavailable,
)
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.series import Series
from ohlcache.domain.span import Span
from ohlcache.ports import Level, Metric
from ohlcache.testing import FakeVendor, Fault
from ohlcache.testing.clock import instant_of
from ohlcache.testing.fake_vendor import PRE_ADJUSTED_TRAITS, RAW_TRAITS
from service.faulty_store import EVERYTHING
from service.world import MARKET

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.world import World

pytestmark = pytest.mark.asyncio


def vendor(name: str, **wishes: Any) -> FakeVendor:
    return FakeVendor(MARKET, None, name=name, **wishes)  # type: ignore[arg-type]


# --- the store -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "failing", [{"read"}, {"write"}, {"lease"}, {"read", "write"}, EVERYTHING], ids=lambda f: "+".join(sorted(f))
)
async def test_no_request_fails_because_of_the_store(cache: Callable[..., World], failing: set[str]) -> None:
    """E1, E2, F2, T6: whatever the store refuses, the answer is whole; failures are logged at ERROR and counted."""
    world = cache()
    world.first.store.failing = frozenset(failing)
    served = await world.ask(range="1M", adjust="none")
    assert served.answer.candles == world.truth("AAPL", Resolution.DAY, served.answer.request.span)
    assert world.calls == 1
    telemetry = world.first.telemetry
    assert telemetry.total(Metric.CACHE_ERROR, store="memory") >= 1
    assert "store failed" in telemetry.events(Level.ERROR)
    assert (await world.ask(range="1M", adjust="none")).tier == IN_MEMORY


async def test_a_miss_is_no_failure(cache: Callable[..., World]) -> None:
    """T6: a cold store is not an error: nothing is logged at ERROR, nothing is counted as one."""
    world = cache()
    served = await world.ask(range="1M")
    assert not served.degraded
    assert world.first.telemetry.total(Metric.CACHE_ERROR) == 0
    assert world.first.telemetry.events(Level.ERROR) == []


async def test_a_failing_store_marks_the_answer(cache: Callable[..., World]) -> None:
    """T6: an answer that had to do without the store says so."""
    world = cache()
    world.first.store.failing = EVERYTHING
    assert (await world.ask(range="1M")).degraded


@pytest.mark.parametrize("operation", ["read", "write", "lease"])
async def test_one_failure_is_enough_to_mark_it(cache: Callable[..., World], operation: str) -> None:
    """T6: whatever could not be done, the answer says so, and it is counted under its name."""
    world = cache()
    world.first.store.failing = frozenset({operation})
    assert (await world.ask(range="1M")).degraded
    assert world.first.telemetry.total(Metric.CACHE_ERROR, operation=operation) > 0
    assert world.first.telemetry.total(Metric.CACHE_ERROR) == world.first.telemetry.total(
        Metric.CACHE_ERROR, operation=operation
    )


async def test_a_lease_that_cannot_be_given_back_harms_nobody(cache: Callable[..., World]) -> None:
    """E1, T6: the candles are written; the failure is counted as the lease's, and marks the answer."""
    world = cache()
    store = world.first.store

    async def fail_from_now_on(operation: str) -> None:
        if operation == "write":
            store.failing = frozenset({"lease"})

    store.before = fail_from_now_on
    assert (await world.ask(range="1M")).degraded
    assert world.first.telemetry.total(Metric.CACHE_ERROR, operation="lease") == 1
    assert await world.chunks()


async def test_the_breaker_opens_at_three_and_skips_the_store(cache: Callable[..., World]) -> None:
    """D10, E7, F1: after three failures in a row the store is not asked for sixty seconds; it is counted and logged."""
    world = cache()
    store, telemetry = world.first.store, world.first.telemetry
    await open_breaker(world)
    assert world.first.breaker.state.state == "open"
    assert telemetry.total(Metric.CIRCUIT_BREAKER_OPEN, breaker="memory_cache") == 1
    asked = store.asked.total()
    assert asked == 3
    await world.clock.advance(59)
    for ticker in ("IBM", "MSFT", "F"):
        assert (await world.ask(ticker, range="1M")).degraded
    assert store.asked.total() == asked
    assert world.calls == 6
    assert "circuit breaker open" in telemetry.events(Level.ERROR)


async def open_breaker(world: World, failing: frozenset[str] = EVERYTHING) -> None:
    """Let the store fail until the breaker opens: each request finds that out once."""
    world.first.store.failing = failing
    for name in ("1W", "1M", "3M"):
        await world.ask("AAPL", range=name, adjust="none")


async def half_open(world: World) -> None:
    """Let the store fail until the breaker opens, and a minute pass in which it gets well."""
    await open_breaker(world)
    world.first.store.failing = frozenset()
    await world.clock.advance(60)


async def test_one_probe_closes_it_after_sixty_seconds(cache: Callable[..., World]) -> None:
    """E8, E13: after sixty seconds one request tries the store; it works again, and the breaker closes."""
    world = cache()
    await half_open(world)
    assert world.first.breaker.state.state == "half-open"
    await world.ask("IBM", range="1M")
    assert world.first.breaker.state.state == "closed"
    assert await world.store.tickers() == ["IBM"]


async def test_a_failing_probe_opens_it_again(cache: Callable[..., World]) -> None:
    """E8: a probe that fails costs one call to the store, and another sixty seconds pass."""
    world = cache()
    store = world.first.store
    await open_breaker(world)
    await world.clock.advance(60)
    asked = store.asked.total()
    await world.ask("IBM", range="1M")
    assert store.asked.total() == asked + 1
    assert world.first.breaker.state.state == "open"


async def test_a_restart_forgets_the_breaker(cache: Callable[..., World]) -> None:
    """E17: a new process asks the store at once."""
    world = cache()
    await open_breaker(world)
    process = await world.restart()
    assert process.breaker.state.state == "closed"
    await world.ask("IBM", range="1M")
    assert process.store.asked.total() > 0


async def test_a_probe_that_ends_in_a_fault_of_ours_keeps_no_place(cache: Callable[..., World]) -> None:
    """E8: whatever a probe ends with, another may follow."""
    world = cache()
    store = world.first.store
    await half_open(world)

    async def stumble(operation: str) -> None:
        raise RuntimeError(operation)

    store.before = stumble
    with pytest.raises(RuntimeError):
        await world.ask("IBM", range="1M")
    store.before = None
    assert not (await world.ask("MSFT", range="1M")).degraded
    assert world.first.breaker.state.state == "closed"


async def test_a_store_that_cannot_say_is_no_missing_session(cache: Callable[..., World]) -> None:
    """T2, F2: what is held is told, or that it cannot be told; never that nothing is held."""
    world = cache()
    await world.ask(range="1M")
    may = Span(date(2024, 5, 6), date(2024, 5, 31))
    assert {told.state for told in await world.first.cache.coverage("AAPL", Resolution.DAY, may)} == {"final"}
    world.first.store.failing = frozenset({"read"})
    with pytest.raises(StoreError) as refused:
        await world.first.cache.coverage("AAPL", Resolution.DAY, may)
    assert "again" in refused.value.hint


async def test_a_burst_of_a_cold_start_counts_once(cache: Callable[..., World]) -> None:
    """E28, F7: fifty first reads that fail together are one failure; the next attempts find the store well."""
    world = cache()
    store = world.first.store
    gate = asyncio.Event()

    async def fail_the_burst(operation: str) -> None:
        if not gate.is_set():
            await gate.wait()
            raise StoreError("The store is still waking up.")

    store.before = fail_the_burst
    tickers = ["AAPL", "IBM", "MSFT", "F", "SPY", "META", "GOOGL", "TWTR"]
    tasks = [asyncio.ensure_future(world.first.cache.get(world.first.request(t, range="1W"))) for t in tickers]
    await world.clock.settle()
    gate.set()

    async def ended() -> None:
        await asyncio.gather(*tasks)

    await world.clock.drive(ended())
    assert world.first.breaker.state.state == "closed"
    assert world.first.telemetry.total(Metric.CIRCUIT_BREAKER_OPEN) == 0
    for ticker in tickers:
        assert not (await world.ask(ticker, range="1M")).degraded
    assert await world.store.tickers() == sorted(tickers)


# --- the vendor -------------------------------------------------------------------------------------------------------


async def test_an_unavailable_vendor_is_an_error_that_is_not_kept(cache: Callable[..., World]) -> None:
    """E3, E19, T5: 503 says to try again; a request some seconds later does."""
    world = cache()
    world.vendor.faults.then(Fault.SERVER_ERROR)
    with pytest.raises(VendorUnavailable) as refused:
        await world.ask(range="1M")
    assert (refused.value.status, refused.value.code) == (503, "vendor_unavailable")
    assert "again" in refused.value.hint
    assert world.first.telemetry.total(Metric.REQUEST_FAILURES, code="vendor_unavailable") == 1
    await world.clock.advance(5)
    assert (await world.ask(range="1M")).answer.certificate.complete


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.HANG, Fault.RESET, Fault.CUT_JSON, Fault.FORBIDDEN])
async def test_another_vendor_stands_in(cache: Callable[..., World], fault: Fault) -> None:
    """E5, F3: where the source fails and another is configured, that one answers, and the answer says so."""
    world = cache(vendors=[vendor("tiingo"), vendor("finnhub", traits=PRE_ADJUSTED_TRAITS)])
    world.vendor.faults.set(fault)
    served = await world.ask(range="1M")
    assert (served.tier, served.answer.source, served.degraded) == ("finnhub", "finnhub", True)
    assert served.answer.certificate.complete
    assert served.answer.fallback is None
    assert world.first.telemetry.events(Level.WARNING) == ["source failed"]


async def test_every_vendor_that_fails_is_told(cache: Callable[..., World]) -> None:
    """F3, E3: where none can answer, the failure is the source's; the log has them all."""
    world = cache(vendors=[vendor("tiingo"), vendor("finnhub", traits=PRE_ADJUSTED_TRAITS)])
    world.vendors[0].faults.set(Fault.SERVER_ERROR)
    world.vendors[1].faults.set(Fault.FORBIDDEN)
    with pytest.raises(VendorUnavailable):
        await world.ask(range="1M")
    assert world.first.telemetry.events(Level.WARNING) == ["source failed"] * 2


async def test_a_stand_in_gives_way_to_the_source(cache: Callable[..., World]) -> None:
    """F3: what another vendor gave in a bad minute is repeated for five, not until the next session is due."""
    world = cache(vendors=[vendor("tiingo"), vendor("finnhub", traits=PRE_ADJUSTED_TRAITS)])
    world.vendor.faults.then(Fault.SERVER_ERROR)
    assert (await world.ask(range="1M")).answer.source == "finnhub"
    await world.clock.advance(299)
    assert (await world.ask(range="1M")).tier == IN_MEMORY
    await world.clock.advance(1)
    served = await world.ask(range="1M")
    assert (served.tier, served.answer.source, served.degraded) == ("tiingo", "tiingo", False)


async def test_the_stand_in_is_asked_only_for_what_it_can(cache: Callable[..., World]) -> None:
    """F3: what was asked to be raw is not answered with adjusted prices."""
    world = cache(vendors=[vendor("tiingo"), vendor("finnhub", traits=PRE_ADJUSTED_TRAITS)])
    world.vendor.faults.set(Fault.SERVER_ERROR)
    with pytest.raises(VendorUnavailable):
        await world.ask(range="1M", adjust="none")
    assert world.vendors[1].asked == 0


async def test_a_quota_is_respected(cache: Callable[..., World]) -> None:
    """F4, E22, E29: 429 is passed on with its waiting time; no other vendor is bothered, nothing is kept."""
    world = cache(vendors=[vendor("tiingo"), vendor("finnhub")])
    world.vendor.faults.then((Fault.TOO_MANY, 42))
    with pytest.raises(QuotaExceeded) as refused:
        await world.ask(range="1M")
    assert (refused.value.status, refused.value.retry_after_seconds) == (429, 42)
    assert world.vendors[1].asked == 0
    assert await world.chunks() == []


@pytest.mark.parametrize(
    ("fault", "error", "status"),
    [(Fault.UNAUTHORIZED, BadVendorCredentials, 503), (Fault.FORBIDDEN, NotEntitled, 403)],
)
async def test_refusals_keep_their_kind(
    cache: Callable[..., World], fault: Fault, error: type[NotEntitled], status: int
) -> None:
    """E3, E23: a key the vendor refuses and a plan that is too small are told apart."""
    world = cache()
    world.vendor.faults.set(fault)
    with pytest.raises(error) as refused:
        await world.ask(range="1M")
    assert refused.value.status == status


async def test_older_data_is_given_while_the_vendor_is_down(cache: Callable[..., World]) -> None:
    """F3: what is complete but for the newest session is given, marked stale with what is missing, for a few seconds."""
    world = cache()
    await world.ask(range="1M")
    world.clock.set("2024-06-05T01:00:00Z")
    world.vendor.faults.set(Fault.SERVER_ERROR)
    served = await world.ask(range="1M")
    answer = served.answer
    assert (answer.stale, served.degraded, served.tier) == (True, True, "memory")
    assert answer.certificate.missing == ("2024-06-04",)
    assert not answer.certificate.complete
    assert answer.fresh_until == world.clock.now() + 5
    assert world.first.telemetry.total(Metric.STALE_ANSWERS) == 1
    calls = world.calls
    await world.ask(range="1M")
    assert world.calls == calls
    world.vendor.faults.clear()
    await world.clock.advance(5)
    fresh = await world.ask(range="1M")
    assert not fresh.answer.stale
    assert fresh.answer.certificate.complete


async def test_what_is_held_of_a_span_is_given(cache: Callable[..., World]) -> None:
    """W1: however much of a span is missing, what is held of it is the answer, with the reason and what is missing."""
    world = cache("2024-06-04T01:00:00Z")
    await world.ask(start_date="2024-05-01", end_date="2024-05-10", resolution="60", adjust="none")
    world.vendor.faults.set(Fault.SERVER_ERROR)
    wishes = {"start_date": "2010-01-04", "end_date": "2024-05-10", "resolution": "60", "adjust": "none"}
    served = await world.ask(**wishes)
    held = Span(date.fromordinal(int(served.answer.days[0])), date(2024, 5, 10))
    assert held.start <= date(2024, 5, 1)
    assert served.answer.candles == world.truth("AAPL", Resolution.HOUR, held)
    assert (served.answer.stale, served.answer.certificate.complete) == (True, False)
    assert served.answer.certificate.missing[0] == "2010-01-04"
    assert "2024-05-01" not in served.answer.certificate.missing
    assert served.answer.shortfall == Shortfall("vendor_unavailable", "The vendor does not answer.")


async def test_expired_data_is_better_than_none(cache: Callable[..., World]) -> None:
    """E13: what has passed its ninety days is still given while the vendor is down, marked stale."""
    world = cache()
    wishes = {"start_date": "2024-05-28", "end_date": "2024-06-03", "adjust": "none"}
    await world.ask(**wishes)
    await world.clock.advance(91 * 86_400)
    world.vendor.faults.set(Fault.SERVER_ERROR)
    served = await world.ask(**wishes)
    assert served.answer.stale
    assert len(served.answer.candles) == 5


async def test_days_stand_in_for_minutes(cache: Callable[..., World]) -> None:
    """F3: minutes that nobody can give are answered with days, flagged as such."""
    only_days = replace(RAW_TRAITS, limits={Resolution.DAY: RAW_TRAITS.limits[Resolution.DAY]})
    world = cache(traits=only_days)
    served = await world.ask(range="1M", resolution="5")
    answer = served.answer
    assert answer.fallback is not None
    assert answer.fallback.asked is Resolution.MINUTES_5
    assert "daily" in answer.fallback.message
    assert answer.resolution is Resolution.DAY
    assert answer.adjustment is Adjustment.SPLITS
    assert answer.request.resolution is Resolution.MINUTES_5
    assert served.degraded


async def test_the_day_that_stands_in_for_today_is_the_newest_there_is(cache: Callable[..., World]) -> None:
    """F3: at eleven the minutes of 1D are today's, of which there is no daily candle yet: yesterday's stands in."""
    only_days = replace(RAW_TRAITS, limits={Resolution.DAY: RAW_TRAITS.limits[Resolution.DAY]})
    world = cache("2024-06-04T15:00:00Z", traits=only_days)
    answer = (await world.ask(range="1D", resolution="5")).answer
    assert answer.fallback is not None
    assert answer.days.tolist() == [date(2024, 6, 3).toordinal()]
    assert (await world.ask(range="1D")).answer.candles == answer.candles


async def test_minutes_come_back_after_the_days(cache: Callable[..., World]) -> None:
    """F3: daily candles stand in for five minutes at most."""
    world = cache()

    async def no_minutes(series: Any, span: Any) -> None:
        if not series.resolution.is_daily:
            raise VendorUnavailable("The vendor does not answer.")

    world.vendor.before = no_minutes
    assert (await world.ask(range="1W", resolution="60")).answer.fallback is not None
    world.vendor.before = None
    await world.clock.advance(300)
    assert (await world.ask(range="1W", resolution="60")).answer.fallback is None


async def test_part_of_a_fetch_is_kept_when_the_rest_fails(cache: Callable[..., World]) -> None:
    """T1, W2: of three slices the one that came is stored; after the refusal of another the third is not asked for."""
    world = cache()
    world.vendor.faults.then(None, (Fault.TOO_MANY, 9), None)
    served = await world.ask(range="1Y", resolution="5", adjust="none")
    assert world.calls == 2
    assert served.answer.stale_reason == "The vendor's allowance is used up."
    assert len(served.answer.candles) > len(served.answer.certificate.missing) > 0
    await world.clock.advance(9)
    served = await world.ask(range="1Y", resolution="5", adjust="none")
    assert world.calls == 4
    assert served.answer.certificate.complete


async def test_slices_do_not_pay_for_one_that_is_doubted(cache: Callable[..., World]) -> None:
    """T1, T5: one of three slices is empty and cannot be asked for again: the other two are kept all the same."""
    world = cache()
    world.vendor.tells_listings = False
    world.vendor.faults.then(None, Fault.EMPTY, None, (Fault.TOO_MANY, 9))
    wishes = {"range": "1Y", "resolution": "5", "adjust": "none"}
    assert (await world.ask(**wishes)).answer.certificate.missing
    calls = world.vendor.calls
    assert [call.outcome for call in calls] == ["ok", "ok", "ok", "quota_exceeded"]
    await world.clock.advance(9)
    assert (await world.ask(**wishes)).answer.certificate.complete
    assert [call.span for call in calls[4:]] == [calls[1].span]


async def test_held_candles_before_an_unknown_split_are_left_out(cache: Callable[..., World]) -> None:
    """T2, G12: where prices jump over a hole in the ledger, those of before are missing rather than wrong."""
    world = cache("2020-12-01T01:00:00Z")
    await world.ask(start_date="2019-01-02", end_date="2020-11-30")
    whole = (await world.ask(start_date="2019-06-03", end_date="2020-11-30")).answer
    series = Series("AAPL", "tiingo", Resolution.DAY)
    for chunk in await world.store.read(series, Span(date(2020, 1, 2), date(2020, 11, 30))):
        split = date(2020, 8, 31).toordinal()
        days = chunk.holding.coverage.days
        await world.store.write([Chunk(series, chunk.holding.select(days != split))], delete=[chunk])
    await world.restart()
    world.vendor.faults.set(Fault.SERVER_ERROR)
    served = await world.ask(start_date="2019-06-03", end_date="2020-11-30")
    candles, certificate = served.answer.candles, served.answer.certificate
    assert candles == whole.candles[-len(candles) :]
    assert (candles.time >= instant_of("2020-09-01T00:00:00Z")).all()
    assert "2020-08-31" in certificate.missing
    assert not certificate.complete


async def test_nothing_private_is_told(cache: Callable[..., World]) -> None:
    """S1, S3, S4: what is logged and counted during failures names no key, path or trace."""
    world = cache()
    world.first.store.failing = EVERYTHING
    world.vendor.faults.set(Fault.SERVER_ERROR)
    with pytest.raises(VendorUnavailable) as refused:
        await world.ask(range="1M")
    for text in (world.first.telemetry.text(), refused.value.message, refused.value.hint):
        assert "Traceback" not in text
        assert "/work" not in text
        assert ".py" not in text


async def test_a_stale_forming_session_is_not_called_complete(cache: Callable[..., World]) -> None:
    """T2, F3: minutes of this morning, given this afternoon because the vendor is down, name today as missing."""
    world = cache("2024-06-03T15:00:00Z")
    await world.ask(range="1W", resolution="5", adjust="none")
    world.vendor.faults.set(Fault.SERVER_ERROR)
    await world.clock.advance(3 * 3600)
    served = await world.ask(range="1W", resolution="5", adjust="none")
    certificate = served.answer.certificate
    assert served.answer.stale
    assert not certificate.complete
    assert certificate.missing == ("2024-06-03",)
    assert certificate.expected > certificate.count
    assert certificate.forming == 18


@pytest.mark.parametrize("adjust", ["none", "all"])
async def test_a_span_without_sessions_needs_no_vendor(cache: Callable[..., World], adjust: str) -> None:
    """W1, G1: a weekend is an empty answer, whatever the vendor refuses of the ledger behind it."""
    world = cache()
    world.vendor.faults.set(Fault.TOO_MANY)
    served = await world.ask(start_date="2024-06-01", end_date="2024-06-02", adjust=adjust)
    assert (len(served.answer.candles), served.answer.certificate.complete) == (0, True)


async def test_minutes_over_quota_are_no_days(cache: Callable[..., World]) -> None:
    """F4: where no minute is held, a used-up allowance is passed on though days are held; an outage gives the days."""
    world = cache()
    await world.ask(range="1M")
    world.vendor.faults.set(Fault.TOO_MANY)
    with pytest.raises(QuotaExceeded):
        await world.ask(range="1W", resolution="5")
    world.vendor.faults.clear()
    world.vendor.faults.set(Fault.SERVER_ERROR)
    await world.clock.advance(300)
    assert (await world.ask(range="1W", resolution="5")).answer.fallback is not None


async def test_one_day_begins_with_the_newest_session_that_is_held(cache: Callable[..., World]) -> None:
    """W1: at 17:31, over quota, ``1D`` is yesterday with today missing; a month later there is nothing to begin with."""
    world = cache()
    await world.ask(range="1M", adjust="none")
    world.clock.set("2024-06-04T21:31:00Z")
    world.vendor.faults.set(Fault.TOO_MANY)
    answer = (await world.ask(range="1D", adjust="none")).answer
    assert [date.fromordinal(int(day)) for day in answer.days] == [date(2024, 6, 3)]
    assert (answer.certificate.missing, answer.request.span.end) == (("2024-06-04",), date(2024, 6, 4))
    world.clock.set("2024-07-10T21:31:00Z")
    with pytest.raises(QuotaExceeded):
        await world.ask(range="1D", adjust="none")
