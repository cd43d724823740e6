"""One impossible row costs one session (daily) or one bar (intraday): everything else is served, stored and kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ohlcache.domain.candles import Candles
from ohlcache.domain.chunks import FOLD_CHUNKS_MIN
from ohlcache.domain.coverage import SessionState, merge
from ohlcache.domain.errors import TickerNotFound, VendorGarbage
from ohlcache.domain.market_time import midnight_utc, ordinal_of
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.span import Span
from ohlcache.ports import Level, Metric
from ohlcache.testing import FakeVendor, Market, Stock
from ohlcache.testing.fake_vendor import PRE_ADJUSTED_TRAITS, RAW_TRAITS
from service.test_herds import all_of, answers, asking
from service.world import CALENDAR, MARKET, MONDAY_9_PM, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ohlcache.domain.observation import VendorAnswer
    from ohlcache.domain.series import Series

pytestmark = pytest.mark.asyncio

BAD_DAY = date(2023, 9, 6)
"""A Wednesday, nine months before the evening of these tests."""
MONDAY = date(2024, 6, 3)
MINUTE = int(CALENDAR.open_of(MONDAY) or 0) + 61 * 60
"""10:31 on the Monday of these tests."""


def spoilt(answer: VendorAnswer, times: Iterable[int], column: str = "open", value: float = 0.0) -> VendorAnswer:
    """Return an answer whose candles of ``times`` have ``value`` in ``column``."""
    columns = {
        name: getattr(answer.candles, name).copy() for name in ("time", "open", "high", "low", "close", "volume")
    }
    columns[column][np.isin(columns["time"], list(times))] = value
    return replace(answer, candles=Candles(**columns))


def spoil(world: World, *days: date, column: str = "open", value: float = 0.0) -> None:
    """Let the vendor send rows of ``days`` that cannot be true."""
    times = [midnight_utc(day.toordinal()) for day in days]
    world.vendor.after = lambda answer: spoilt(answer, times, column, value)


def spoil_minute(world: World) -> None:
    world.vendor.after = lambda answer: spoilt(answer, [MINUTE], "high", 1e-4)


async def ask(world: World, **wishes: Any) -> Any:
    return (await world.ask(**wishes)).answer


async def test_one_impossible_row_costs_one_session(cache: Callable[..., World]) -> None:
    """B8: a row of nine months ago: the other days of the year are served, and that one is missing by name."""
    world = cache()
    spoil(world, BAD_DAY)
    answer = await ask(world, range="1Y")
    whole = world.truth("AAPL", Resolution.DAY, answer.request.span)
    assert answer.certificate.missing == (BAD_DAY.isoformat(),)
    assert not answer.certificate.complete
    bad = midnight_utc(BAD_DAY.toordinal())
    assert answer.candles.time.tolist() == [time for time in whole.time.tolist() if time != bad]
    assert (answer.certificate.count, answer.certificate.expected) == (len(whole) - 1, len(whole))
    assert world.calls == 1


async def test_a_rejected_row_is_logged_and_counted(cache: Callable[..., World]) -> None:
    """B8: ticker, resolution, date, field and value."""
    world = cache()
    spoil(world, BAD_DAY)
    await ask(world, range="1Y")
    (line,) = [line for line in world.first.telemetry.lines if line.event == "vendor row rejected"]
    assert line.level is Level.WARNING
    named = {"ticker": "AAPL", "resolution": "D", "date": "2023-09-06", "field": "open", "value": "0"}
    assert named.items() <= line.fields.items()
    assert world.first.telemetry.total(Metric.VENDOR_ROWS_REJECTED, source="tiingo") == 1


async def test_many_rejected_rows_are_few_lines(cache: Callable[..., World]) -> None:
    """E12: a reply that is bad from end to end does not flood the log."""
    world = cache()
    days = CALENDAR.between(Span(date(2023, 7, 3), MONDAY)).dates()
    spoil(world, *list(days)[:200])
    await ask(world, range="1Y")
    lines = [line.event for line in world.first.telemetry.lines if line.event.startswith("vendor row")]
    assert lines == ["vendor row rejected"] * 10 + ["vendor rows rejected"]
    assert world.first.telemetry.total(Metric.VENDOR_ROWS_REJECTED) == 200


async def test_only_the_rejected_session_is_asked_for_again(cache: Callable[..., World]) -> None:
    """B8, T1: all else is held; when the vendor has a better row, the year is complete."""
    world = cache()
    spoil(world, BAD_DAY)
    await ask(world, range="1Y")
    world.vendor.after = None
    world.clock.set(world.clock.now() + 60)
    answer = await ask(world, range="1Y")
    assert answer.certificate.complete
    assert answer.candles == world.truth("AAPL", Resolution.DAY, answer.request.span)
    assert [call.span for call in world.vendor.calls][1:] == [Span(BAD_DAY, BAD_DAY)]


async def test_a_session_that_stays_rejected_stays_missing_and_nothing_else_is(cache: Callable[..., World]) -> None:
    """B8: a reply of nothing but the one bad row is no error where candles of the ticker are held."""
    world = cache()
    spoil(world, BAD_DAY)
    for _ in range(3):
        answer = await ask(world, range="1Y")
        assert answer.certificate.missing == (BAD_DAY.isoformat(),)
        world.clock.set(world.clock.now() + 60)
    assert "source failed" not in world.first.telemetry.events(Level.WARNING)
    await world.restart()
    answer = await ask(world, range="1Y")
    assert answer.certificate.missing == (BAD_DAY.isoformat(),)
    assert len(answer.candles) == answer.certificate.expected - 1


@pytest.mark.parametrize(
    ("column", "value"), [("open", 0.0), ("high", 1e-4), ("close", np.nan), ("low", -1.0), ("volume", -1)]
)
async def test_one_bad_minute_costs_one_bar(cache: Callable[..., World], column: str, value: float) -> None:
    """B8: the other 389 are served; the session is not called complete, and is asked for again."""
    world = cache()
    world.vendor.after = lambda answer: spoilt(answer, [MINUTE], column, value)
    answer = await ask(world, start_date=MONDAY, end_date=MONDAY, resolution="1", adjust="none")
    whole = world.truth("AAPL", Resolution.MINUTE, Span(MONDAY, MONDAY))
    assert answer.candles == whole[whole.time != MINUTE]
    assert (answer.certificate.missing, answer.certificate.expected) == (("2024-06-03",), 390)
    world.vendor.after = None
    world.clock.set(world.clock.now() + 60)
    answer = await ask(world, start_date=MONDAY, end_date=MONDAY, resolution="1", adjust="none")
    assert answer.candles == whole
    assert answer.certificate.complete


@pytest.mark.parametrize("wishes", [{"range": "1Y"}, {"range": "1W", "resolution": "1", "adjust": "none"}])
async def test_a_herd_shares_a_reply_with_a_rejected_row(cache: Callable[..., World], wishes: dict[str, Any]) -> None:
    """D1, L4: those who wait for the fetch, here and in other processes, find what it brought and do not ask again."""
    world = cache()
    spoil(world, BAD_DAY) if "resolution" not in wishes else spoil_minute(world)
    world.vendor.latency_seconds = 2.5
    processes = [world.first, *(world.other() for _ in range(4))]
    served = answers(await all_of(world, asking([*processes, *processes], **wishes)))
    assert world.calls == 1
    assert {each.answer.certificate.missing for each in served} == {served[0].answer.certificate.missing}
    assert len(served[0].answer.certificate.missing) == 1
    assert all(each.answer.candles == served[0].answer.candles for each in served)


async def test_a_displaced_holder_s_reply_is_found(cache: Callable[..., World]) -> None:
    """D1, L4: a holder that takes longer than its waiters wait is displaced by one; what it brings ends the waiting."""
    world = cache()
    spoil(world, BAD_DAY)
    world.vendor.latency_seconds = 5.5
    processes = [world.first, *(world.other() for _ in range(5))]
    served = answers(await all_of(world, asking(processes, range="1Y")))
    assert world.calls == 2
    assert [each.answer.certificate.missing for each in served] == [(BAD_DAY.isoformat(),)] * 6


async def test_a_slow_reply_with_a_rejected_row_is_shared(cache: Callable[..., World]) -> None:
    """D1: however long the vendor takes, who waits in the same process does not ask once more."""
    world = cache()
    spoil(world, BAD_DAY)
    world.vendor.latency_seconds = 9.0
    wide = asking([world.first], range="1Y")
    await world.clock.advance(1)
    narrow = asking([world.first], start_date=date(2023, 9, 1), end_date=date(2023, 9, 8))
    served = answers(await all_of(world, [*wide, *narrow]))
    assert world.calls == 1
    assert [each.answer.certificate.missing for each in served] == [(BAD_DAY.isoformat(),)] * 2


async def test_nothing_but_rejected_rows_is_an_error_that_names_the_first(cache: Callable[..., World]) -> None:
    """B8, E4: bad data, never "not found"; nothing is kept."""
    world = cache()
    world.vendor.after = lambda answer: spoilt(answer, answer.candles.time.tolist())
    with pytest.raises(VendorGarbage, match=r"no usable row of AAPL.* 2023-\d\d-\d\d was rejected: open 0 is not"):
        await world.ask(range="1Y")
    assert await world.chunks() == []
    assert any(line.event == "vendor row rejected" for line in world.first.telemetry.lines)


async def test_a_404_for_one_slice_does_not_hide_rejected_rows_of_another(cache: Callable[..., World]) -> None:
    """E4: a vendor that sends a row, however bad, knows the ticker."""
    world = cache()

    async def unknown_before_june(_: Series, span: Span) -> None:
        if span.end < MONDAY:
            raise TickerNotFound("The vendor does not know AAPL.")

    world.vendor.before = unknown_before_june
    world.vendor.after = lambda answer: spoilt(answer, answer.candles.time.tolist())
    with pytest.raises(VendorGarbage, match="no usable row"):
        await world.ask(start_date=date(2024, 3, 1), end_date=MONDAY, resolution="1", adjust="none")


async def test_a_404_does_not_hide_a_rejected_row_of_no_session(cache: Callable[..., World]) -> None:
    """E4: one bad bar on a Saturday, and a 404 for the slice before: bad data, not "not found"."""
    world = cache()

    async def unknown_before_june(_: Series, span: Span) -> None:
        if span.end < MONDAY:
            raise TickerNotFound("The vendor does not know AAPL.")

    saturday = Candles.from_columns([int(CALENDAR.open_of(MONDAY) or 0) - 2 * 86_400], [0], [1], [1], [1], [1])
    world.vendor.before = unknown_before_june
    world.vendor.after = lambda answer: replace(answer, candles=saturday)
    with pytest.raises(VendorGarbage, match="no usable row"):
        await world.ask(start_date=date(2024, 3, 1), end_date=MONDAY, resolution="1", adjust="none")


async def test_a_rejected_first_day_is_no_day_before_the_listing(cache: Callable[..., World]) -> None:
    """G11: neither it nor, without a second reply, what lies before it is unlisted; days after it are final."""
    first = date(2024, 3, 21)
    world = cache(market=Market(calendar=CALENDAR, stocks={"NEWCO": Stock(listed=first)}))
    spoil(world, first)
    answer = (await world.ask("NEWCO", range="1Y")).answer
    assert answer.certificate.missing == (first.isoformat(),)
    coverage = merge([chunk.holding for chunk in await world.chunks()]).coverage
    states = dict(zip(coverage.days.tolist(), coverage.states.tolist(), strict=True))
    assert states[first.toordinal()] == SessionState.REJECTED
    assert states[first.toordinal() + 1] == SessionState.FINAL
    assert states[first.toordinal() - 1] == SessionState.UNLISTED
    assert world.calls == 2, "the days before were asked for on their own"


async def test_a_rejected_edge_costs_no_call(cache: Callable[..., World]) -> None:
    """B10, T1: the oldest and the newest row of a reply are bad: nothing was cut off there."""
    world = cache()
    span = Span(CALENDAR.between(Span(date(2023, 6, 3), MONDAY)).span.start, MONDAY)
    spoil(world, span.start, MONDAY)
    answer = await ask(world, range="1Y")
    assert answer.certificate.missing == (span.start.isoformat(), MONDAY.isoformat())
    assert world.calls == 1


async def test_a_split_on_a_rejected_day_counts(cache: Callable[..., World]) -> None:
    """G12: the day is missing, and every price before it is adjusted all the same, days and minutes alike."""
    world = cache("2020-09-12T01:00:00Z")
    split = date(2020, 8, 31)
    spoil(world, split)
    answer = await ask(world, range="1M")
    rows = world.market.daily("AAPL", answer.request.span, world.clock.now())
    there = rows.days != split.toordinal()
    assert answer.certificate.missing == (split.isoformat(),)
    assert answer.candles.time.tolist() == rows.candles.time[there].tolist()
    before = rows.days[there] < split.toordinal()
    assert answer.candles.close[before].tolist() == (rows.candles.close[there][before] / 4).tolist()
    week = Span(date(2020, 8, 24), date(2020, 9, 4))
    hours = await ask(world, start_date=week.start, end_date=week.end, resolution="60")
    raw = world.truth("AAPL", Resolution.HOUR, week)
    old = hours.days < split.toordinal()
    assert old.any()
    assert hours.candles.close[old].tolist() == (raw.close[old] / 4).tolist()
    assert hours.certificate.complete


async def test_a_pre_adjusted_history_outlives_a_rejected_row(cache: Callable[..., World]) -> None:
    """G12, W1: what is held on the same basis stays, the day whose row is bad now included."""
    vendor = FakeVendor(MARKET, None, name="finnhub", traits=PRE_ADJUSTED_TRAITS)  # type: ignore[arg-type]
    world = cache("2024-06-01T01:00:00Z", vendors=[vendor])
    before = await ask(world, range="1Y")
    world.clock.set("2024-06-04T01:00:00Z")
    spoil(world, date(2024, 5, 29))
    answer = await ask(world, range="1Y")
    assert answer.certificate.complete
    assert date(2024, 5, 29).toordinal() in ordinal_of(answer.candles.time).tolist()
    vendor.after = lambda answer: spoilt(answer, answer.candles.time.tolist())
    world.clock.set("2024-06-05T01:00:00Z")
    answer = await ask(world, range="1Y")
    assert answer.certificate.missing == ("2024-06-04",)
    assert np.isin(answer.candles.time, before.candles.time).sum() > 240


async def test_candles_that_expire_are_not_lost_to_a_rejected_row(cache: Callable[..., World]) -> None:
    """W1, C1: a day is due for renewal and its new row is bad: the held one is served and kept."""
    world = cache(retention_days=90)
    before = await ask(world, range="1W", adjust="none")
    world.clock.set(world.clock.now() + 91 * 86_400)
    spoil(world, MONDAY)
    for _ in range(2):
        answer = await ask(world, start_date=before.request.span.start, end_date=MONDAY, adjust="none")
        assert MONDAY.toordinal() in ordinal_of(answer.candles.time).tolist()
        world.clock.set(world.clock.now() + 60)


@pytest.mark.parametrize("traits", [RAW_TRAITS, PRE_ADJUSTED_TRAITS], ids=["raw", "pre-adjusted"])
async def test_a_row_of_today_is_not_lost_to_a_rejected_one(cache: Callable[..., World], traits: Any) -> None:
    """W1, B8: at 17:31 the day has a row, from 17:36 on a bad one: the first is served until a better one comes."""
    vendor = FakeVendor(MARKET, None, name="tiingo", traits=traits)  # type: ignore[arg-type]
    world = cache("2024-06-03T21:31:00Z", vendors=[vendor])
    await ask(world, range="1W")
    spoil(world, MONDAY)
    for minutes in (5, 10, 300):
        world.clock.set(world.clock.now() + minutes * 60)
        await world.restart()
        answer = await ask(world, range="1W")
        assert MONDAY.toordinal() in ordinal_of(answer.candles.time).tolist()
        assert answer.certificate.missing == (MONDAY.isoformat(),)
        assert answer.stale
        assert (await ask(world, range="1D")).days.tolist() == [MONDAY.toordinal()]
    vendor.after = None
    world.clock.set(world.clock.now() + 61)
    answer = await ask(world, range="1W")
    assert answer.certificate.complete
    assert not answer.stale


async def test_bars_of_a_rejected_session_outlive_a_worse_reply(cache: Callable[..., World]) -> None:
    """W1, B8: one bar was bad, then nearly all of them are: what was held of the session is served."""
    world = cache()
    wishes: dict[str, Any] = {"range": "1D", "resolution": "1", "adjust": "none"}
    spoil_minute(world)
    before = await ask(world, **wishes)
    assert len(before.candles) == 389
    world.vendor.after = lambda answer: spoilt(answer, answer.candles.time[3:].tolist())
    for _ in range(3):
        world.clock.set(world.clock.now() + 61)
        await world.restart()
        answer = await ask(world, **wishes)
        assert np.isin(before.candles.time, answer.candles.time).all()
        assert answer.certificate.missing == (MONDAY.isoformat(),)
    world.vendor.after = None
    world.clock.set(world.clock.now() + 61)
    answer = await ask(world, **wishes)
    assert answer.certificate.complete
    assert len(answer.candles) == 390


async def test_a_final_row_is_not_replaced_by_a_rejected_one(cache: Callable[..., World]) -> None:
    """D6: what is about to expire is renewed by a sound row only, also where many chunks become one."""
    world = cache(retention_days=90)
    begun = world.clock.now()
    for evening in range(9):
        world.clock.set(begun + evening * 86_400)
        await ask(world, range="1W", adjust="none")
    names = [chunk.name for chunk in await world.chunks() if chunk.name.first_day.year == MONDAY.year]
    assert len(names) == FOLD_CHUNKS_MIN - 1, "the next one folds them"
    spoil(world, MONDAY)
    world.clock.set(begun + 88 * 86_400)
    await ask(world, range="1W", adjust="none")
    assert MONDAY in world.vendor.calls[-1].span
    coverage = merge([chunk.holding for chunk in await world.chunks()]).coverage
    states = dict(zip(coverage.days.tolist(), coverage.states.tolist(), strict=True))
    assert states[MONDAY.toordinal()] == SessionState.FINAL


async def test_invalidation_clears_rejected_rows_too(cache: Callable[..., World]) -> None:
    """C5: after it, the vendor is asked anew."""
    world = cache()
    spoil(world, BAD_DAY)
    await ask(world, range="1Y")
    await world.clock.drive(world.first.cache.invalidate_all_caches("AAPL"))
    world.vendor.after = None
    assert (await ask(world, range="1Y")).certificate.complete


async def test_coverage_names_a_rejected_session(cache: Callable[..., World]) -> None:
    """W5: for as long as nothing better is known, also after a restart; with the bars that are held of it."""
    world = cache()
    spoil_minute(world)
    await ask(world, start_date=MONDAY, end_date=MONDAY, resolution="1", adjust="none")
    world.clock.set(world.clock.now() + 600)
    await world.restart()
    (report,) = await world.clock.drive(world.first.cache.coverage("AAPL", Resolution.MINUTE, Span(MONDAY, MONDAY)))
    assert (report.state, report.candles) == ("rejected", 389)


YEAR = list(CALENDAR.between(Span(date(2023, 6, 5), MONDAY)).dates())
WINDOWS = st.tuples(st.sampled_from(YEAR), st.sampled_from(YEAR)).map(lambda ends: Span(min(ends), max(ends)))


@settings(deadline=None, max_examples=25)
@given(
    bad=st.sets(st.sampled_from(YEAR), max_size=12),
    windows=st.lists(WINDOWS, min_size=1, max_size=4),
    resolution=st.sampled_from([Resolution.DAY, Resolution.HOUR]),
    restarts=st.booleans(),
)
async def test_whatever_is_rejected_only_that_is_missing(
    bad: set[date], windows: list[Span], resolution: Resolution, restarts: bool
) -> None:
    """B8, T2: any days, any windows, any order: all but the bad rows are given; when they are better, all is."""
    world = World(MONDAY_9_PM)
    try:
        times = [
            midnight_utc(day.toordinal()) if resolution.is_daily else int(CALENDAR.open_of(day) or 0) for day in bad
        ]
        world.vendor.after = lambda answer: spoilt(answer, times)
        for window in windows:
            try:
                answer = await ask(
                    world, start_date=window.start, end_date=window.end, resolution=resolution.value, adjust="none"
                )
            except VendorGarbage:
                assert resolution.is_daily
                assert set(CALENDAR.between(window).dates()) <= bad
                continue
            whole = world.truth("AAPL", resolution, window)
            assert answer.candles == whole[~np.isin(whole.time, times)]
            assert answer.certificate.missing == tuple(day.isoformat() for day in sorted(bad) if day in window)
            if restarts:
                await world.restart()
            world.clock.set(world.clock.now() + 7)
        world.vendor.after = None
        world.clock.set(world.clock.now() + 120)
        for window in windows:
            answer = await ask(
                world, start_date=window.start, end_date=window.end, resolution=resolution.value, adjust="none"
            )
            assert answer.candles == world.truth("AAPL", resolution, window)
            assert answer.certificate.complete
        await world.check()
    finally:
        await world.close()
