"""What a vendor says is believed only as far as it can be true and as it is complete."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohlcache.domain.adjustment import Actions
from ohlcache.domain.candles import Candles
from ohlcache.domain.chunks import Chunk, cut
from ohlcache.domain.coverage import Holding, SessionState
from ohlcache.domain.errors import TickerNotFound, VendorGarbage, VendorUnavailable
from ohlcache.domain.market_time import instant_at
from ohlcache.domain.observation import VendorAnswer
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.series import Series
from ohlcache.domain.span import Span
from ohlcache.testing import Fault, Halt, Market, Stock
from service.world import CALENDAR, MONDAY_9_PM, World

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.asyncio


def market_of(ticker: str, stock: Stock) -> Market:
    return Market(calendar=CALENDAR, stocks={ticker: stock})


def newest_cut_off(answer: VendorAnswer, rows: int) -> VendorAnswer:
    """Return the oldest ``rows`` of an answer, as a vendor that pages from the old end."""
    kept = answer.candles[:rows]
    return VendorAnswer(kept, answer.actions, answer.listing)


# --- bad data ------------------------------------------------------------------------------------------------------


async def test_garbage_is_never_stored(cache: Callable[..., World]) -> None:
    """B5: of a reply that cannot be read nothing is kept, and the next request asks again."""
    world = cache()
    world.vendor.faults.set(Fault.CUT_JSON)
    with pytest.raises(VendorGarbage):
        await world.ask(range="1M")
    assert await world.chunks() == []
    world.vendor.faults.clear()
    await world.clock.advance(5)
    assert (await world.ask(range="1M")).answer.certificate.complete


async def test_phantom_bars_are_dropped(cache: Callable[..., World]) -> None:
    """G2: flat bars on holidays and after the close are not candles."""
    world = cache()
    world.vendor.faults.set(Fault.PHANTOM_BARS)
    for resolution in (Resolution.DAY, Resolution.MINUTES_15):
        served = await world.ask(range="1M", resolution=resolution.value, adjust="none")
        assert served.answer.candles == world.truth("AAPL", resolution, served.answer.request.span)


async def test_no_volume_is_zero(cache: Callable[..., World]) -> None:
    """B2, F8: a vendor without volumes gives candles of volume 0."""
    world = cache()
    world.vendor.after = lambda answer: replace(
        answer, candles=replace(answer.candles, volume=np.zeros(len(answer.candles), np.int64))
    )
    assert not (await world.ask(range="1M", adjust="none")).answer.candles.volume.any()


# --- nothing there ---------------------------------------------------------------------------------------------------


async def test_an_unknown_ticker_is_not_remembered(cache: Callable[..., World]) -> None:
    """E4, E20, T5: 404 names the ticker, says to check it, and a request some seconds later asks the vendor again."""
    world = cache()
    for calls in (1, 2):
        with pytest.raises(TickerNotFound, match="NOSUCH") as refused:
            await world.ask("NOSUCH", range="1M")
        assert "check" in refused.value.hint
        assert world.calls == calls
        await world.clock.advance(5)
    assert await world.chunks() == []


async def test_an_empty_answer_against_the_listing_is_garbage(cache: Callable[..., World]) -> None:
    """T5: nothing, where the vendor itself says that the ticker is listed, is an error and is not stored."""
    world = cache()
    world.vendor.faults.set(Fault.EMPTY)
    with pytest.raises(VendorGarbage, match="listing"):
        await world.ask(range="1M")
    assert await world.chunks() == []


async def forget_what_was_empty(world: World) -> None:
    """Leave of what is stored only the sessions with candles, as after the rest was swept."""
    for chunk in await world.chunks():
        traded = chunk.holding.coverage.states == SessionState.FINAL
        if traded.all():
            continue
        await world.store.write([Chunk(chunk.series, chunk.holding.select(traded))], delete=[chunk])


async def test_a_halt_of_days_is_told_from_a_lost_answer(cache: Callable[..., World]) -> None:
    """T2, R496: days within the listing that nobody remembers as empty are asked for together with the day beside them."""
    world = cache()
    whole = (await world.ask("HALT", range="3M")).answer.certificate
    assert whole.known_empty == 3
    await forget_what_was_empty(world)
    await world.restart()
    world.vendor.calls.clear()
    again = (await world.ask("HALT", range="3M")).answer.certificate
    assert (again.complete, again.known_empty, again.count) == (True, 3, whole.count)
    asked = [call.span for call in world.vendor.calls]
    assert asked == [Span(date(2024, 5, 6), date(2024, 5, 8)), Span(date(2024, 5, 6), date(2024, 5, 9))]


async def test_a_lost_answer_is_found_beside_its_neighbour(cache: Callable[..., World]) -> None:
    """T2, R496: the second word, with the day beside, brings the candles that the first one lost."""
    world = cache()
    await world.ask(range="1M")
    newest = (await world.ask(range="1M")).answer.request.span.end
    world.clock.set("2024-06-06T01:00:00Z")
    world.vendor.faults.then(Fault.EMPTY, None)
    served = await world.ask(range="1M")
    assert served.answer.certificate.known_empty == 0
    assert served.answer.candles == world.truth("AAPL", Resolution.DAY, served.answer.request.span)
    assert [call.span.start for call in world.vendor.calls[-2:]] == [newest + timedelta(days=1), newest]


async def test_a_neighbour_that_is_lost_too_proves_nothing(cache: Callable[..., World]) -> None:
    """T5, R496: an answer that has not even the candles that are held is no proof of a halt: what is held stands."""
    world = cache()
    await world.ask("HALT", range="3M")
    await forget_what_was_empty(world)
    await world.restart()
    world.vendor.faults.set(Fault.EMPTY)
    served = await world.ask("HALT", range="3M")
    assert served.answer.shortfall is not None
    assert "listing" in served.answer.shortfall.reason
    assert served.answer.certificate.missing
    assert all((chunk.holding.coverage.states == SessionState.FINAL).all() for chunk in await world.chunks())


async def test_an_answer_that_denies_what_is_held_is_disproved(cache: Callable[..., World]) -> None:
    """T2, T5: nothing at all for a span of which most is held proves nothing of the rest, listing or no listing."""
    world = cache()
    world.vendor.tells_listings = False
    await world.ask("HALT", range="1M", adjust="none")
    world.clock.set("2024-06-06T01:00:00Z")  # the halt in May is asked for again together with two new days
    world.vendor.faults.set(Fault.EMPTY)
    served = await world.ask("HALT", range="1M", adjust="none")
    assert served.answer.stale
    assert served.answer.certificate.missing == ("2024-06-04", "2024-06-05")
    world.vendor.faults.clear()
    after = await world.other().ask("HALT", range="1M", adjust="none")
    assert after.answer.certificate.complete
    assert after.answer.candles == world.truth("HALT", Resolution.DAY, after.answer.request.span)


async def test_an_empty_answer_that_nothing_bears_out_is_not_kept(cache: Callable[..., World]) -> None:
    """T5, W2: nothing, from a vendor that cannot tell the ticker's life, is not stored, and repeated for seconds only."""
    world = cache()
    world.vendor.tells_listings = False
    world.vendor.after = lambda _: VendorAnswer(Candles.empty())
    served = await world.ask(range="1M")
    assert served.answer.certificate.known_empty == served.answer.certificate.expected > 0
    assert not served.believed
    assert served.answer.fresh_until <= world.clock.now() + 300
    assert await world.chunks() == []
    world.vendor.after = None
    await world.clock.advance(5)
    assert (await world.ask(range="1M")).answer.certificate.count > 0


async def test_one_empty_answer_does_not_make_a_hole(cache: Callable[..., World]) -> None:
    """T2, T5: minutes are held, and the vendor hiccups over the next day's: it is asked a second time, and has them."""
    world = cache()
    await world.ask(range="1W", resolution="5", adjust="none")
    world.clock.set("2024-06-05T01:00:00Z")
    calls = len(world.vendor.calls)
    world.vendor.faults.then(Fault.EMPTY, None)
    served = await world.ask(range="1D", resolution="5", adjust="none")
    assert (served.answer.certificate.count, served.answer.certificate.known_empty) == (78, 0)
    assert len(world.vendor.calls) == calls + 2


async def test_before_the_listing_there_is_nothing_for_ever(cache: Callable[..., World]) -> None:
    """G10, G11: sessions before the listing are known to be empty, are complete, and are never asked for again."""
    world = cache()
    served = await world.ask("NEWCO", range="1Y", adjust="none")
    assert served.answer.certificate.complete
    assert served.answer.candles == world.truth("NEWCO", Resolution.DAY, served.answer.request.span)
    calls = world.calls
    old = await world.ask("NEWCO", start_date="2024-01-02", end_date="2024-02-29")
    assert old.answer.certificate.known_empty == old.answer.certificate.expected == 41
    assert world.calls == calls
    world.clock.set("2024-06-08T16:00:00Z")
    await world.ask("NEWCO", start_date="2024-01-02", end_date="2024-02-29", adjust="none")
    assert world.calls == calls


async def test_a_vendor_that_tells_no_listing_is_believed_when_asked_twice(cache: Callable[..., World]) -> None:
    """G11: nothing before the first candle, and nothing again when asked for that alone: the ticker was not listed yet."""
    world = cache()
    world.vendor.after = lambda answer: VendorAnswer(answer.candles, answer.actions)
    served = await world.ask("NEWCO", range="1Y", adjust="none")
    assert served.answer.certificate.complete
    assert served.answer.candles == world.truth("NEWCO", Resolution.DAY, served.answer.request.span)
    assert world.calls == 2
    world.clock.set("2024-06-08T16:00:00Z")
    old = await world.ask("NEWCO", start_date="2024-01-02", end_date="2024-02-29", adjust="none")
    assert old.answer.certificate.known_empty == old.answer.certificate.expected == 41
    assert world.calls == 2


@pytest.mark.parametrize("tells_listings", [True, False])
async def test_what_lies_before_a_known_beginning_is_not_asked_for(
    cache: Callable[..., World], tells_listings: bool
) -> None:
    """G11, T1: once a day before the listing is known, neither older days nor older minutes cost a call."""
    world = cache()
    world.vendor.tells_listings = tells_listings
    await world.ask("NEWCO", range="1Y")
    calls = world.calls
    years = await world.ask("NEWCO", range="5Y")
    assert world.calls == calls
    assert years.tier == "memory"
    assert years.answer.certificate.complete
    assert years.answer.candles == (await world.ask("NEWCO", range="1Y")).answer.candles
    minutes = await world.ask("NEWCO", range="1Y", resolution="5", adjust="none")
    assert minutes.answer.certificate.complete
    assert minutes.answer.candles == world.truth("NEWCO", Resolution.MINUTES_5, minutes.answer.request.span)
    assert [call.span.start for call in world.vendor.calls[calls:]] == [date(2024, 3, 21)]
    await world.restart()
    for range_ in ("5Y", "1Y"):
        again = await world.ask("NEWCO", range=range_, resolution="5" if range_ == "1Y" else "D", adjust="none")
        assert again.answer.certificate.complete
    assert world.calls == calls + 1


async def test_candles_that_are_held_outweigh_a_later_beginning(cache: Callable[..., World]) -> None:
    """G11, T2: days that are said to begin after held minutes of the same answer say nothing of the minutes before."""
    world = cache()
    await world.ask(start_date="2024-05-20", end_date="2024-06-03", resolution="1", adjust="none")
    held = await world.store.read(Series("AAPL", "tiingo", Resolution.MINUTE), CALENDAR.span)
    first = min(chunk.name.first_day for chunk in held)
    days = CALENDAR.between(Span(first - timedelta(days=30), first + timedelta(days=5))).days
    wrong = Holding.unlisted(days, world.clock.now())
    await world.store.write(cut(Series("AAPL", "tiingo", Resolution.DAY), wrong))
    wishes = {"start_date": str(first - timedelta(days=7)), "end_date": str(first + timedelta(days=3))}
    served = await world.ask(**wishes, resolution="1", adjust="none")
    assert served.answer.certificate.known_empty == 0
    assert served.answer.candles == world.truth("AAPL", Resolution.MINUTE, served.answer.request.span)


async def test_minutes_before_the_listing_are_not_asked_for_daily(cache: Callable[..., World]) -> None:
    """G11: a year of five minutes of a young ticker, slices before its listing included, is asked for once."""
    world = cache()
    await world.ask("NEWCO", range="1Y", resolution="5", adjust="none")
    calls = world.calls
    world.clock.set("2024-06-08T16:00:00Z")
    await world.ask("NEWCO", start_date="2023-07-03", end_date="2024-06-03", resolution="5", adjust="none")
    assert world.calls == calls


@pytest.mark.parametrize("tells_listings", [True, False])
async def test_a_young_ticker_costs_one_call_more_once(cache: Callable[..., World], tells_listings: bool) -> None:
    """G11, B10: the days before the first candle are asked for once more, lest a cap be at work; then they are known."""
    world = cache()
    world.vendor.tells_listings = tells_listings
    assert (await world.ask("NEWCO", range="1Y")).answer.certificate.complete
    assert world.calls == 2
    world.clock.set("2024-06-05T01:00:00Z")
    for name in ("1Y", "3M", "1W"):
        assert (await world.ask("NEWCO", range=name)).answer.certificate.complete
    assert world.calls == 3
    assert world.vendor.calls[-1].span == Span(date(2024, 6, 4), date(2024, 6, 4))


@pytest.mark.parametrize("tells_listings", [True, False])
async def test_slices_before_the_listing_are_settled_together(
    cache: Callable[..., World], tells_listings: bool
) -> None:
    """G11, G16: three slices, and one question more on either side of the slice's edge; then nothing is asked again."""
    world = cache()
    world.vendor.tells_listings = tells_listings
    for _ in range(2):
        served = await world.ask("NEWCO", range="1Y", resolution="5", adjust="none")
        assert served.answer.candles == world.truth("NEWCO", Resolution.MINUTES_5, served.answer.request.span)
        assert served.answer.certificate.complete
        assert world.calls == 5
        await world.restart()
    world.clock.set("2024-06-06T01:00:00Z")
    await world.ask("NEWCO", range="1Y", resolution="5", adjust="none")
    assert world.calls == 6


async def test_an_empty_slice_is_no_listing(cache: Callable[..., World]) -> None:
    """B10, T5: the oldest slice comes back empty by mistake: it is asked for again, and its candles are there."""
    world = cache()
    wishes = {"start_date": "2023-06-05", "end_date": "2024-06-03", "resolution": "5", "adjust": "none"}
    world.vendor.faults.then(Fault.EMPTY)
    served = await world.ask(**wishes)
    assert served.answer.candles == world.truth("AAPL", Resolution.MINUTES_5, served.answer.request.span)
    assert world.calls == 4


async def test_a_row_that_is_due_and_not_out_yet_costs_nothing_more(cache: Callable[..., World]) -> None:
    """T3, T5: at half past five the newest row may still be missing: that is one call, and asked again in five minutes."""
    world = cache("2024-06-03T21:00:00Z")
    await world.ask(range="1Y")
    world.vendor.after = lambda answer: VendorAnswer(Candles.empty()) if len(answer.candles) < 2 else answer
    world.clock.set("2024-06-03T21:31:00Z")
    served = await world.ask(range="1Y")
    assert (served.answer.certificate.complete, served.answer.certificate.forming) == (True, 0)
    assert world.calls == 2
    world.vendor.after = None
    world.clock.set("2024-06-03T21:37:00Z")
    assert (await world.ask(range="1Y")).answer.certificate.forming == 1
    assert world.calls == 3


async def test_a_404_beside_candles_means_none_there(cache: Callable[..., World]) -> None:
    """G11: a vendor that answers 404 for days before a listing has no candles there; the ticker is known all the same."""
    world = cache()

    async def refuse(_: object, span: Span) -> None:
        if span.end < date(2024, 3, 21):
            raise TickerNotFound("The vendor does not know NEWCO.")

    world.vendor.before = refuse
    for resolution in ("D", "5"):
        served = await world.ask("NEWCO", range="1Y", resolution=resolution, adjust="none")
        assert served.answer.candles == world.truth("NEWCO", Resolution(resolution), served.answer.request.span)
        assert served.answer.certificate.complete


async def test_what_came_before_a_failure_is_kept(cache: Callable[..., World]) -> None:
    """B10, T5: the second of three calls that a row cap makes necessary fails: what the first brought is not asked again."""
    world = cache()
    world.vendor.faults.set(Fault.ROW_CAP, 100)
    gate = [False, True]

    async def fail_second(_: object, __: Span) -> None:
        if gate and gate.pop(0):
            raise VendorUnavailable("The vendor does not answer.")

    world.vendor.before = fail_second
    assert (await world.ask(range="1Y")).answer.stale_reason == "The vendor does not answer."
    await world.clock.advance(5)
    served = await world.ask(range="1Y", adjust="none")
    assert served.answer.candles == world.truth("AAPL", Resolution.DAY, served.answer.request.span)
    assert world.calls == 4


@pytest.mark.parametrize("resolution", ["D", "5", "60"])
async def test_a_first_day_that_opens_late(cache: Callable[..., World], resolution: str) -> None:
    """G11: a newly listed ticker trades from eleven o'clock on its first day: that is no cut-off answer."""
    first = date(2024, 5, 15)
    late = Halt(instant_at(first, time()), float(CALENDAR.open_of(first) or 0) + 5400)
    world = cache(market=market_of("IPO", Stock(listed=first, halts=(late,))))
    served = await world.ask("IPO", range="1M", resolution=resolution, adjust="none")
    assert served.answer.candles == world.truth("IPO", Resolution(resolution), served.answer.request.span)
    assert world.calls <= 3


async def test_1990_is_asked_for_like_any_year(cache: Callable[..., World]) -> None:
    """G10: old years come from the vendor too."""
    world = cache()
    served = await world.ask("IBM", start_date="1990-01-02", end_date="1990-12-31", adjust="none")
    assert served.answer.certificate.count == served.answer.certificate.expected == 253


async def test_a_delisted_ticker_ends(cache: Callable[..., World]) -> None:
    """G8: after the last day there is nothing, by the vendor's own word; only its newest days are asked for again."""
    world = cache()
    served = await world.ask("TWTR", range="5Y", adjust="none")
    assert served.answer.candles == world.truth("TWTR", Resolution.DAY, served.answer.request.span)
    assert served.answer.certificate.complete
    calls = world.calls
    await world.clock.advance(6 * 3600)
    await world.other().ask("TWTR", range="5Y", adjust="none")
    assert world.calls == calls + 1
    assert world.vendor.calls[-1].span == Span(date(2024, 6, 3), date(2024, 6, 3))


@pytest.mark.parametrize("resolution", ["D", "60"])
async def test_a_halt_is_known_empty_and_rechecked(cache: Callable[..., World], resolution: str) -> None:
    """T2: sessions without a trade are complete by the vendor's word, believed for a day, and then asked for again."""
    world = cache("2024-06-08T01:00:00Z")
    wishes = {"start_date": "2024-05-01", "end_date": "2024-06-07", "resolution": resolution, "adjust": "none"}
    served = await world.ask("HALT", **wishes)
    assert served.answer.certificate.known_empty == 3
    assert served.answer.candles == world.truth("HALT", Resolution(resolution), served.answer.request.span)
    calls = world.calls
    world.clock.set("2024-06-09T02:00:00Z")  # Saturday evening: nothing new is due, but a day has gone by
    again = await world.ask("HALT", **wishes)
    assert again.answer.certificate.complete
    assert not again.answer.stale
    assert world.calls == calls + 1
    calls = world.calls
    await world.clock.advance(3600)
    await world.other().ask("HALT", **wishes)
    assert world.calls == calls


@pytest.mark.parametrize("resolution", ["D", "5"])
@pytest.mark.parametrize("now", ["2024-05-08T15:00:00Z", "2024-05-08T21:40:00Z", "2024-05-09T01:00:00Z"])
async def test_a_halt_that_lasts_until_now(cache: Callable[..., World], resolution: str, now: str) -> None:
    """T2: a ticker that has not traded for days, today included, is complete; its last candles are all there."""
    world = cache(now)
    served = await world.ask("HALT", range="1M", resolution=resolution, adjust="none")
    assert served.answer.candles == world.truth("HALT", Resolution(resolution), served.answer.request.span)
    assert served.answer.certificate.complete


@pytest.mark.parametrize("start", ["2024-05-06", "2024-05-07", "2024-05-08"])
async def test_a_span_that_begins_in_a_halt(cache: Callable[..., World], start: str) -> None:
    """T2: no candle at the old end of the span is no error, and not taken for "not listed yet" for ever."""
    world = cache()
    wishes = {"start_date": start, "end_date": "2024-06-03", "resolution": "5", "adjust": "none"}
    served = await world.ask("HALT", **wishes)
    assert served.answer.candles == world.truth("HALT", Resolution.MINUTES_5, served.answer.request.span)


async def test_thin_trading_is_complete_with_fewer_candles(cache: Callable[..., World]) -> None:
    """T2: fewer candles than the calendar has minutes are complete once the vendor answered after the close."""
    world = cache()
    for _ in range(2):
        served = await world.ask("THIN", range="1W", resolution="1", adjust="none")
        assert served.answer.candles == world.truth("THIN", Resolution.MINUTE, served.answer.request.span)
        assert served.answer.certificate.complete
        assert served.answer.certificate.count < served.answer.certificate.expected
    calls = world.calls
    await world.restart()
    await world.ask("THIN", range="1W", resolution="1", adjust="none")
    assert world.calls == calls <= 3


# --- cut off ----------------------------------------------------------------------------------------------------------


async def held_to_the_truth(world: World, ticker: str, resolution: Resolution, **wishes: str) -> None:
    """Ask twice; whatever is answered without an error must be the whole truth."""
    for _ in range(2):
        try:
            served = await world.ask(ticker, resolution=resolution.value, adjust="none", **wishes)
        except VendorGarbage:
            return
        if served.answer.fallback is not None:
            return  # daily candles, and marked as such
        assert served.answer.candles == world.truth(ticker, resolution, served.answer.request.span)
        assert served.answer.certificate.complete


@given(rows=st.integers(20, 300), oldest=st.booleans(), years=st.sampled_from(["1Y", "5Y"]))
async def test_a_row_cap_never_looks_like_coverage(rows: int, oldest: bool, years: str) -> None:
    """B10, T2: whatever the cap and whichever end it cuts, an answer is whole or an error."""
    world = World(MONDAY_9_PM)
    if oldest:
        world.vendor.after = lambda answer: newest_cut_off(answer, rows)
    else:
        world.vendor.faults.set(Fault.ROW_CAP, rows)
    await held_to_the_truth(world, "AAPL", Resolution.DAY, range=years)
    await world.check()


@given(
    rows=st.integers(80, 1200), oldest=st.booleans(), weeks=st.sampled_from(["2024-05-20", "2024-05-28", "2024-04-01"])
)
async def test_a_row_cap_never_cuts_minutes(rows: int, oldest: bool, weeks: str) -> None:
    """B10, T2: a cap that cuts into a session is seen, too."""
    world = World(MONDAY_9_PM)
    if oldest:
        world.vendor.after = lambda answer: newest_cut_off(answer, rows)
    else:
        world.vendor.faults.set(Fault.ROW_CAP, rows)
    await held_to_the_truth(world, "AAPL", Resolution.MINUTES_5, start_date=weeks, end_date="2024-06-03")
    await world.check()


async def test_a_vendor_that_denies_what_it_just_sent_is_not_believed(cache: Callable[..., World]) -> None:
    """B10, T5: a day that ended early is asked for alone, and there is nothing in it: one of the two words is wrong."""
    world = cache()

    def cut(answer: VendorAnswer) -> VendorAnswer:
        several = len(answer.candles) > 78
        return replace(answer, candles=answer.candles[:-7] if several else Candles.empty())

    world.vendor.after = lambda answer: answer if len(answer.actions) or len(answer.candles) < 2 else cut(answer)
    served = await world.ask(start_date="2024-05-28", end_date="2024-06-03", resolution="5", adjust="none")
    assert served.answer.fallback is not None
    assert {chunk.series.resolution for chunk in await world.chunks()} == {Resolution.DAY}


async def test_a_cap_of_a_thousand_rows_over_decades(cache: Callable[..., World]) -> None:
    """B10, G10: nine thousand days come in ten calls and are whole."""
    world = cache()
    world.vendor.faults.set(Fault.ROW_CAP, 1000)
    served = await world.ask("IBM", start_date="1988-01-04", end_date="2024-06-03", adjust="none")
    assert served.answer.candles == world.truth("IBM", Resolution.DAY, served.answer.request.span)
    assert world.calls == 10


async def test_a_cap_above_the_answer_costs_nothing(cache: Callable[..., World]) -> None:
    """T1: a year of days of an old ticker is one call, cap or no cap."""
    world = cache()
    world.vendor.faults.set(Fault.ROW_CAP, 1000)
    await world.ask(range="1Y")
    assert world.calls == 1


async def test_actions_of_a_cut_off_answer_are_not_lost(cache: Callable[..., World]) -> None:
    """B10, G12: a split in the part that was cut off still counts."""
    world = cache("2020-12-01T01:00:00Z")
    world.vendor.faults.set(Fault.ROW_CAP, 60)
    capped = await world.ask(start_date="2020-08-03", end_date="2020-11-30")
    whole = await cache("2020-12-01T01:00:00Z").ask(start_date="2020-08-03", end_date="2020-11-30")
    assert capped.answer.candles == whole.answer.candles


async def test_candles_from_the_future_are_no_knowledge(cache: Callable[..., World]) -> None:
    """C10: a source that sends what has not begun yet is not believed in that."""
    world = cache()
    tomorrow = world.market.daily("AAPL", Span(date(2024, 6, 4), date(2024, 6, 4)), world.clock.now() + 86_400).candles
    world.vendor.after = lambda answer: VendorAnswer(
        Candles.concatenate([answer.candles, tomorrow]), Actions.none(), answer.listing
    )
    served = await world.ask(range="1W", adjust="none")
    assert served.answer.candles == world.truth("AAPL", Resolution.DAY, served.answer.request.span)


@pytest.mark.parametrize("resolution", ["D", "30"])
async def test_an_empty_answer_does_not_hide_what_has_expired(cache: Callable[..., World], resolution: str) -> None:
    """W1, T4: candles of 91 days ago are asked for again, and a reply without any row says nothing of them."""
    world = cache(retention_days=90)
    wishes: dict[str, Any] = {"range": "1W", "resolution": resolution, "adjust": "none"}
    before = (await world.ask(**wishes)).answer
    world.vendor.after = lambda _: VendorAnswer(Candles.empty())
    world.clock.set(world.clock.now() + 91 * 86_400)
    span = before.request.span
    again = {"start_date": span.start, "end_date": span.end, "resolution": resolution, "adjust": "none"}
    answer = (await world.ask(**again)).answer
    assert answer.candles.close.tolist() == before.candles.close.tolist()
    assert answer.stale
    world.vendor.after = None
    world.clock.set(world.clock.now() + 61)
    answer = (await world.ask(**again)).answer
    assert answer.certificate.complete
    assert not answer.stale
