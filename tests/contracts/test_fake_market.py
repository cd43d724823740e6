"""The generated market and its clock: the same from every side, or tests made of them would prove nothing."""

from __future__ import annotations

import asyncio
from datetime import date, time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohlcache.domain.candles import check_possible
from ohlcache.domain.market_time import instant_at
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.span import Span
from ohlcache.ports import Level, Metric
from ohlcache.testing import FakeClock, Fault, Faults, Halt, Market, RecordingTelemetry, Stock
from ohlcache.testing.clock import instant_of
from ohlcache.testing.market import DEFAULT_STOCKS, Hours, Labels, aggregate

MARKET = Market(seed=3)
NOW = instant_of("2024-06-14T22:00:00Z")
YEAR = Span(date(2023, 6, 15), date(2024, 6, 14))
INTRADAY = [resolution for resolution in Resolution if not resolution.is_daily]


@pytest.mark.parametrize("ticker", sorted(DEFAULT_STOCKS))
def test_every_candle_is_possible(ticker: str) -> None:
    """B5: of every ticker, all of its life and two weeks of its minutes."""
    life = MARKET.listing(ticker, NOW)
    assert life is not None
    check_possible(MARKET.daily(ticker, life, NOW).candles)
    fortnight = Span(max(life.start, date(life.end.year, life.end.month, 1)), life.end)
    for hours in Hours:
        check_possible(MARKET.bars(ticker, Resolution.MINUTE, fortnight, NOW, hours=hours))


@pytest.mark.parametrize("ticker", ["AAPL", "THIN", "HALT", "SPY"])
@pytest.mark.parametrize("resolution", INTRADAY)
def test_the_bars_of_a_session_make_its_daily_row(ticker: str, resolution: Resolution) -> None:
    """B3: first open, highest high, lowest low, last close, all of the volume; holes and halts included."""
    span = Span(date(2024, 4, 29), date(2024, 6, 7))
    bars = MARKET.bars(ticker, resolution, span, NOW)
    sessions = MARKET.calendar.between(span)
    rows = aggregate(bars, sessions.locate(bars.time, resolution))
    daily = MARKET.daily(ticker, span, NOW).candles
    assert len(rows) == len(daily)
    for name in ("open", "high", "low", "close", "volume"):
        assert getattr(rows, name).tolist() == getattr(daily, name).tolist()


def test_the_same_seed_is_the_same_market() -> None:
    """Another one is another."""
    for seed, same in ((3, True), (4, False)):
        other = Market(seed).bars("MSFT", Resolution.MINUTES_5, YEAR, NOW)
        assert (other == MARKET.bars("MSFT", Resolution.MINUTES_5, YEAR, NOW)) == same


@given(st.integers(0, 365), st.integers(0, 30), st.sampled_from(INTRADAY))
def test_no_bar_depends_on_the_window(first: int, length: int, resolution: Resolution) -> None:
    """B11: a part of a span shows what the whole shows."""
    start = min(YEAR.start.toordinal() + first, YEAR.end.toordinal())
    part = Span(date.fromordinal(start), date.fromordinal(min(start + length, YEAR.end.toordinal())))
    bars = MARKET.bars("F", resolution, part, NOW)
    whole = MARKET.bars("F", resolution, YEAR, NOW)
    low, high = np.searchsorted(
        whole.time, [instant_at(part.start, time()), instant_at(date.fromordinal(part.end.toordinal() + 1), time())]
    )
    assert bars == whole[int(low) : int(high)]


def test_daily_rows_are_out_at_half_past_five() -> None:
    """C5: 17:30 in New York on the vendor's clock, later when it is late."""
    friday = Span(date(2024, 6, 14), date(2024, 6, 14))
    assert len(MARKET.daily("AAPL", friday, instant_of("2024-06-14T21:29:59Z"))) == 0
    assert len(MARKET.daily("AAPL", friday, instant_of("2024-06-14T21:30:00Z"))) == 1
    late = Market(seed=3, late_seconds=3600)
    assert len(late.daily("AAPL", friday, instant_of("2024-06-14T22:00:00Z"))) == 0
    assert len(late.daily("AAPL", friday, instant_of("2024-06-14T22:30:00Z"))) == 1


def test_minutes_appear_when_they_are_over() -> None:
    """C3: the bar that forms holds the minutes so far."""
    monday = Span(date(2024, 6, 3), date(2024, 6, 3))
    assert len(MARKET.bars("AAPL", Resolution.MINUTE, monday, instant_of("2024-06-03T13:30:59Z"))) == 0
    assert len(MARKET.bars("AAPL", Resolution.MINUTE, monday, instant_of("2024-06-03T13:33:00Z"))) == 3
    forming = MARKET.bars("AAPL", Resolution.MINUTES_5, monday, instant_of("2024-06-03T13:33:00Z"))
    formed = MARKET.bars("AAPL", Resolution.MINUTES_5, monday, instant_of("2024-06-03T13:35:00Z"))
    assert len(forming) == len(formed) == 1
    assert forming.volume[0] < formed.volume[0]


def test_what_is_not_final_may_be_revised() -> None:
    """C3: before 20:00 the day's row differs from what it becomes, and so do minutes before they are final."""
    revising = Market(seed=3, revising=True)
    friday = Span(date(2024, 6, 14), date(2024, 6, 14))
    early, final = instant_of("2024-06-14T23:59:59Z"), instant_of("2024-06-15T00:00:00Z")
    assert revising.daily("AAPL", friday, early).candles != revising.daily("AAPL", friday, final).candles
    assert revising.daily("AAPL", friday, final).candles == MARKET.daily("AAPL", friday, final).candles
    check_possible(revising.daily("AAPL", friday, early).candles)
    closing, settled = instant_of("2024-06-14T20:19:00Z"), instant_of("2024-06-14T20:20:00Z")
    first, last = (revising.bars("AAPL", Resolution.MINUTES_5, friday, instant) for instant in (closing, settled))
    assert len(first) == len(last) == 78
    assert first != last
    check_possible(first)


def test_a_split_divides_the_price_from_its_ex_date() -> None:
    """G12: four to one on the first session at or after the date, and the row says so."""
    stock = Stock("Split", splits=((date(2024, 6, 8), 4.0),), dividends=((date(2024, 6, 5), 0.5),))
    market = Market(seed=1, stocks={"SPLT": stock})
    rows = market.daily("SPLT", Span(date(2024, 6, 3), date(2024, 6, 14)), NOW)
    assert rows.splits.tolist() == [1.0] * 5 + [4.0] + [1.0] * 4
    assert rows.dividends.tolist() == [0.0, 0.0, 0.5] + [0.0] * 7
    assert rows.candles.close[4] / rows.candles.close[5] == pytest.approx(4.0, rel=0.1)
    assert len(market.actions("SPLT", instant_of("2024-06-10T21:00:00Z"))) == 1
    assert len(market.actions("SPLT", instant_of("2024-06-10T21:30:00Z"))) == 2


def test_listing_ends_with_the_ticker() -> None:
    """G8, G11: first and last date of its life so far."""
    assert MARKET.listing("TWTR", NOW) == Span(date(2013, 11, 7), date(2022, 10, 27))
    assert MARKET.listing("NEWCO", instant_of("2024-03-01T00:00:00Z")) is None
    assert MARKET.listing("AAPL", NOW) == Span(date(1980, 12, 12), date(2024, 6, 14))


def test_a_halt_leaves_a_hole() -> None:
    """B10: whole days without a row, minutes without a bar."""
    days = Halt.of_days(date(2024, 6, 4), date(2024, 6, 5))
    noon = Halt(instant_at(date(2024, 6, 6), time(12)), instant_at(date(2024, 6, 6), time(13)))
    market = Market(seed=1, stocks={"HOLE": Stock("Hole", halts=(days, noon))})
    week = Span(date(2024, 6, 3), date(2024, 6, 7))
    assert len(market.daily("HOLE", week, NOW)) == 3
    assert len(market.bars("HOLE", Resolution.MINUTE, week, NOW)) == 3 * 390 - 60


def test_hours_may_begin_on_the_clock() -> None:
    """B6: the first hour begins at 09:30 by the bell and at 09:00 by the clock; there are seven either way."""
    day = Span(date(2024, 6, 3), date(2024, 6, 3))
    bell, clock = (
        MARKET.bars("AAPL", Resolution.HOUR, day, NOW, labels=labels) for labels in (Labels.BELL, Labels.CLOCK)
    )
    assert len(bell) == len(clock) == 7
    assert bell.time[0] - clock.time[0] == 1800


def test_extended_hours_surround_the_session() -> None:
    """B6: a few minutes before the bell and after the close, the session's own unchanged."""
    day = Span(date(2024, 6, 3), date(2024, 6, 3))
    regular = MARKET.bars("AAPL", Resolution.MINUTE, day, NOW)
    extended = MARKET.bars("AAPL", Resolution.MINUTE, day, NOW, hours=Hours.EXTENDED)
    assert extended.time[0] < regular.time[0]
    assert extended.time[-1] > regular.time[-1]
    assert extended[np.isin(extended.time, regular.time)] == regular


# --- the clock -----------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_sleepers_wake_in_order() -> None:
    """By time, and of the same time by who slept first; each sees its own instant."""
    clock = FakeClock(1000.0)
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, *naps: float) -> None:
        for nap in naps:
            await clock.sleep(nap)
            woken.append((name, clock.now()))

    async with asyncio.TaskGroup() as tasks:
        for name, naps in (("a", (5.0, 1.0)), ("b", (2.0,)), ("c", (5.0,)), ("d", (0.0,))):
            tasks.create_task(sleeper(name, *naps))
        await clock.advance(5.5)
        assert woken == [("d", 1000.0), ("b", 1002.0), ("a", 1005.0), ("c", 1005.0)]
        assert clock.sleepers == 1
        await clock.advance(0.5)
    assert woken[-1] == ("a", 1006.0)


@pytest.mark.asyncio
async def test_driving_jumps_to_whoever_wakes_next() -> None:
    """A long wait takes no time, and the result comes out."""
    clock = FakeClock("2024-06-03T15:00:00Z")

    async def long_work() -> str:
        for _ in range(100):
            await clock.sleep(3600)
        return "done"

    begun = clock.now()
    assert await clock.drive(long_work()) == "done"
    assert clock.now() - begun == 360_000


@pytest.mark.asyncio
async def test_driving_waits_for_what_is_not_the_clocks() -> None:
    """A thread is waited for in real time, and failures come out."""
    clock = FakeClock(0.0)
    assert await clock.drive(asyncio.to_thread(lambda: 7)) == 7

    async def fails() -> None:
        await clock.sleep(1)
        raise LookupError

    with pytest.raises(LookupError):
        await clock.drive(fails())


@pytest.mark.asyncio
async def test_a_cancelled_sleeper_is_forgotten() -> None:
    """The clock goes on without it."""
    clock = FakeClock(0.0)
    task = asyncio.ensure_future(clock.sleep(5))
    await clock.settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert clock.sleepers == 0
    await clock.advance(10)
    assert clock.now() == 10


def test_setting_goes_both_ways() -> None:
    """C7: a clock may be wrong."""
    clock = FakeClock("2024-06-03T15:00:00+02:00")
    assert clock.now() == instant_of("2024-06-03T13:00:00")
    clock.set("2024-06-03T12:00:00Z")
    assert clock.now() == instant_of("2024-06-03T12:00:00Z")


# --- telemetry and faults ------------------------------------------------------------------------------------------


def test_telemetry_remembers() -> None:
    """Sums by label, values, events by level, and all of it as text."""
    telemetry = RecordingTelemetry()
    telemetry.count(Metric.REQUESTS, tier="memory")
    telemetry.count(Metric.REQUESTS, 2, tier="store")
    telemetry.observe(Metric.HTTP_SECONDS, 0.1, route="ohlc")
    telemetry.log(Level.ERROR, "store failed", ticker="AAPL")
    assert telemetry.total(Metric.REQUESTS) == 3
    assert telemetry.total(Metric.REQUESTS, tier="store") == 2
    assert telemetry.values(Metric.HTTP_SECONDS) == [0.1]
    assert telemetry.events(Level.ERROR) == ["store failed"]
    assert telemetry.events(Level.INFO) == []
    assert "AAPL" in telemetry.text()
    telemetry.clear()
    assert telemetry.text() == ""


def test_faults_come_always_in_turn_or_by_chance() -> None:
    """Queued ones come once and in order; dice are replayable; cleared is cleared."""
    faults = Faults()
    faults.then(Fault.RESET, None, (Fault.LATENCY, 2.0))
    assert [faults.draw() for _ in range(4)] == [{Fault.RESET: 0.0}, {}, {Fault.LATENCY: 2.0}, {}]
    faults.set(Fault.HANG)
    assert faults.draw() == faults.draw() == {Fault.HANG: 0.0}
    faults.clear()
    rolls = []
    for _ in range(2):
        faults.at_random(5, {Fault.SERVER_ERROR: 0.3}, {Fault.SERVER_ERROR: 502})
        rolls.append([faults.draw() for _ in range(50)])
    assert rolls[0] == rolls[1]
    assert {Fault.SERVER_ERROR: 502} in rolls[0]
    assert {} in rolls[0]
    faults.clear()
    assert faults.draw() == {}
