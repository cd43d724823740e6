"""An answer is fresh until it can change, and not a second longer: clock, calendar and life in the store."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest

from ohlcache.domain.answer import IN_MEMORY
from ohlcache.domain.errors import InvalidRequest
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.span import Span
from ohlcache.testing import FakeVendor, Market
from ohlcache.testing.clock import instant_of
from ohlcache.testing.fake_vendor import RAW_TRAITS
from service.world import CALENDAR, MONDAY_9_PM

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.world import World

pytestmark = pytest.mark.asyncio

DAY = 86_400


async def test_forming_candles_live_five_minutes(cache: Callable[..., World]) -> None:
    """C2, T3: minutes of today are asked for again after five minutes, not before; the certificate counts them."""
    world = cache("2024-06-03T15:00:00Z")
    first = await world.ask(range="1D", resolution="5", adjust="none")
    assert first.answer.certificate.forming == 18  # 09:30 to 11:00
    assert first.answer.fresh_until == world.clock.now() + 300
    await world.clock.advance(299)
    assert (await world.ask(range="1D", resolution="5", adjust="none")).tier == IN_MEMORY
    await world.clock.advance(1)
    second = await world.ask(range="1D", resolution="5", adjust="none")
    assert (second.tier, second.answer.certificate.forming) == ("tiingo", 19)
    assert world.calls == 2


async def test_the_store_knows_the_five_minutes_too(cache: Callable[..., World]) -> None:
    """C2, S7: another process judges the expiry of a forming chunk itself."""
    world = cache("2024-06-03T15:00:00Z")
    await world.ask(range="1D", resolution="5", adjust="none")
    await world.clock.advance(299)
    assert (await world.other().ask(range="1D", resolution="5", adjust="none")).tier == "memory"
    await world.clock.advance(1)
    assert (await world.other().ask(range="1D", resolution="5", adjust="none")).tier == "tiingo"


async def test_today_is_due_at_half_past_five_and_final_at_eight(cache: Callable[..., World]) -> None:
    """C3, C5, G19: today's daily candle is forming from 17:30 and final from 20:00 New York, corrections included."""
    world = cache("2024-06-03T21:29:59Z", market=Market(calendar=CALENDAR, revising=True))
    before = await world.ask(range="1W")
    assert before.answer.certificate.complete
    assert before.answer.certificate.forming == 0
    assert before.answer.fresh_until == instant_of("2024-06-03T21:30:00Z")
    assert before.answer.days[-1] == date(2024, 5, 31).toordinal()
    await world.clock.advance(1)
    forming = await world.ask(range="1W")
    assert forming.answer.days[-1] == date(2024, 6, 3).toordinal()
    assert forming.answer.certificate.forming == 1
    assert forming.answer.fresh_until == world.clock.now() + 300
    world.clock.set("2024-06-04T00:00:00Z")
    final = await world.ask(range="1W")
    assert final.answer.certificate.forming == 0
    assert final.answer.candles.close[-1] != forming.answer.candles.close[-1]
    calls = world.calls
    world.clock.set("2024-06-04T21:29:00Z")
    assert (await world.ask(start_date="2024-05-28", end_date="2024-06-03")).tier == "memory"
    assert world.calls == calls


async def test_nothing_is_asked_while_the_market_is_closed(cache: Callable[..., World]) -> None:
    """G1: from Friday evening to Monday evening the same days cost nothing."""
    world = cache("2024-06-01T01:00:00Z")
    await world.ask(range="1M")
    for instant in ("2024-06-01T16:00:00Z", "2024-06-02T04:30:00Z", "2024-06-03T13:00:00Z", "2024-06-03T21:29:59Z"):
        world.clock.set(instant)
        served = await world.ask(range="1M")
        assert served.answer.certificate.complete
    assert world.calls == 1


@pytest.mark.parametrize(
    ("start", "end"),
    [("2024-06-01", "2024-06-02"), ("2024-05-27", "2024-05-27"), ("2024-03-29", "2024-03-31")],
    ids=["weekend", "Memorial Day", "Good Friday"],
)
@pytest.mark.parametrize("resolution", ["D", "5"])
async def test_a_span_without_sessions_is_empty_and_free(
    cache: Callable[..., World], start: str, end: str, resolution: str
) -> None:
    """G1, G2: nothing is expected, nothing is missing, nobody is asked."""
    world = cache()
    served = await world.ask(start_date=start, end_date=end, resolution=resolution, adjust="none")
    certificate = served.answer.certificate
    assert (certificate.expected, certificate.count, certificate.complete) == (0, 0, True)
    assert world.calls == 0


async def test_a_half_day_is_complete_at_one(cache: Callable[..., World]) -> None:
    """G3: a half-day has 42 candles of five minutes, and is final twenty minutes after its early close."""
    world = cache("2024-11-29T18:20:00Z")
    served = await world.ask(start_date="2024-11-29", end_date="2024-11-29", resolution="5", adjust="none")
    certificate = served.answer.certificate
    assert (certificate.expected, certificate.count, certificate.forming) == (42, 42, 0)
    await world.clock.advance(3 * DAY)
    assert (
        await world.ask(start_date="2024-11-29", end_date="2024-11-29", resolution="5", adjust="none")
    ).tier != "tiingo"
    assert world.calls == 1


async def test_final_candles_live_ninety_days(cache: Callable[..., World]) -> None:
    """C1, C11: after ninety days what was stored is asked for again, and then kept for another ninety."""
    world = cache()
    wishes = {"start_date": "2024-05-28", "end_date": "2024-06-03", "adjust": "none"}
    await world.ask(**wishes)
    await world.clock.advance(90 * DAY - 1)
    assert (await world.other().ask(**wishes)).tier == "memory"
    await world.clock.advance(1)
    assert (await world.other().ask(**wishes)).tier == "tiingo"
    await world.clock.advance(89 * DAY)
    assert (await world.other().ask(**wishes)).tier == "memory"
    assert world.calls == 2


async def test_retention_zero_keeps_for_ever(cache: Callable[..., World]) -> None:
    """C1: with no retention set, final candles are never asked for again."""
    world = cache(retention_days=0)
    wishes = {"start_date": "2024-05-28", "end_date": "2024-06-03", "adjust": "none"}
    await world.ask(**wishes)
    world.clock.set("2028-06-05T12:00:00Z")
    assert (await world.other().ask(**wishes)).tier == "memory"


async def test_memory_forgets_what_has_expired(cache: Callable[..., World]) -> None:
    """C6: a memory entry is not served from the instant on at which it could have changed."""
    world = cache()
    served = await world.ask(range="1M")
    assert served.answer.fresh_until == instant_of("2024-06-04T21:30:00Z")
    request = world.first.request(range="1M")
    world.clock.set(served.answer.fresh_until - 1)
    assert world.first.cache.hit(request) is not None
    world.clock.set(served.answer.fresh_until)
    assert world.first.cache.hit(request) is None


async def test_another_clock_ahead_or_behind_does_no_harm(cache: Callable[..., World]) -> None:
    """C7: what a process with a fast clock wrote as forming is not believed for longer than honest skew explains."""
    world = cache("2024-06-03T15:10:00Z")
    await world.ask(range="1D", resolution="5", adjust="none")
    world.clock.set("2024-06-03T15:04:00Z")  # six minutes behind the writer
    assert (await world.other().ask(range="1D", resolution="5", adjust="none")).tier == "tiingo"
    world.clock.set("2024-06-03T15:08:00Z")  # two minutes behind
    assert (await world.other().ask(range="1D", resolution="5", adjust="none")).tier == "memory"


async def test_a_replay_does_not_see_the_future(cache: Callable[..., World]) -> None:
    """C7: a clock set back finds its own future in the store: it is served no candle and no split of it.

    What was final by then is served from the store, and what the other clock wrote stays for it.
    """
    world = cache("2020-09-08T01:00:00Z")  # AAPL was split on 2020-08-31
    await world.ask(start_date="2020-08-03")
    for index, moment in enumerate(("2020-08-27T14:30:00Z", "2020-08-28T01:00:00Z", "2020-08-31T14:30:00Z")):
        world.clock.set(moment)
        fresh = cache(moment)
        for wishes in ({"range": "1W"}, {"range": "1D"}, {"range": "1W", "adjust": "none"}):
            replayed = (await world.other().ask(**wishes)).answer
            assert replayed.candles == (await fresh.ask(**wishes)).answer.candles
            assert replayed.certificate == (await fresh.ask(**wishes)).answer.certificate
        assert world.calls <= 2 + index
    world.clock.set("2020-09-08T01:00:00Z")
    assert (await world.other().ask(start_date="2020-08-03")).tier == "memory"


async def test_the_future_is_refused_and_leaves_nothing(cache: Callable[..., World]) -> None:
    """C10: a future date is refused before any tier sees it."""
    world = cache()
    with pytest.raises(InvalidRequest, match="future"):
        await world.ask(start_date="2024-06-03", end_date="2024-06-04")
    assert world.calls == 0
    assert world.first.memory.statistics().misses == 0


async def test_utc_midnight_is_not_a_day_s_end(cache: Callable[..., World]) -> None:
    """C4, G17, K4: 23:59 and 00:01 UTC are one evening in New York, and one key."""
    world = cache("2024-06-03T23:59:00Z")
    before = world.first.request(range="1D").cache_key
    await world.ask(range="1D")
    await world.clock.advance(120)
    assert world.first.request(range="1D").cache_key == before == "ohlc:AAPL:D:1D:2024-06-03"


@pytest.mark.parametrize("instant", ["2024-06-03T21:29:59.5Z", "2024-06-04T21:29:58Z"])
async def test_a_session_may_become_due_while_the_vendor_answers(cache: Callable[..., World], instant: str) -> None:
    """C5: a request made before 17:30 and answered after it is complete as of when it was asked, and not kept longer."""
    world = cache("2024-06-02T12:00:00Z")
    await world.ask(range="1M")
    world.clock.set(instant)
    world.vendor.latency_seconds = 3
    served = await world.ask("IBM", range="1M")
    assert served.answer.certificate.complete
    world.vendor.latency_seconds = 0
    later = await world.ask("IBM", range="1M")
    assert later.answer.days[-1] == date.fromisoformat(instant[:10]).toordinal()


@pytest.mark.parametrize("open_day", ["2024-03-08", "2024-03-11", "2024-11-01", "2024-11-04"])
async def test_the_clock_changes_move_nothing_in_new_york(cache: Callable[..., World], open_day: str) -> None:
    """C8, G18: on both sides of both clock changes the first candle begins at 09:30 New York and all are there."""
    day = date.fromisoformat(open_day)
    opened = CALENDAR.open_of(day)
    assert opened is not None
    world = cache(opened + 12 * 3600)
    served = await world.ask(start_date=day, end_date=day, resolution="30", adjust="none")
    assert served.answer.candles.time[0] == opened
    assert served.answer.certificate.count == served.answer.certificate.expected == 13


async def test_a_source_whose_data_ends_is_fresh_for_ever(cache: Callable[..., World]) -> None:
    """A replayed source stands still: its today is its last day, and its answers do not expire before the store's."""
    until = instant_of(MONDAY_9_PM)
    market = Market(calendar=CALENDAR)
    ended = FakeVendor(market, None, name="sample", traits=replace(RAW_TRAITS, data_until=until))  # type: ignore[arg-type]
    world = cache("2026-01-15T15:00:00Z", vendors=[ended], retention_days=0)
    served = await world.ask(range="1W")
    assert served.answer.request.span.end == date(2024, 6, 3)
    assert served.answer.certificate.complete
    await world.clock.advance(400 * DAY)
    assert (await world.ask(range="1W")).tier == IN_MEMORY
    assert world.calls == 1


async def test_a_late_vendor_is_asked_again_soon(cache: Callable[..., World]) -> None:
    """T2: a row that comes late is asked for every few minutes until it is there, and is then final."""
    world = cache("2024-06-04T00:05:00Z", market=Market(calendar=CALENDAR, late_seconds=3 * 3600))
    first = await world.ask(range="1W")
    assert first.answer.certificate.known_empty == 1
    assert first.answer.fresh_until <= world.clock.now() + 400
    monday = Span(date(2024, 6, 3), date(2024, 6, 3))
    [told] = await world.first.cache.coverage("AAPL", Resolution.DAY, monday)
    assert (told.state, told.candles, told.observed_at) == ("known-empty", 0, world.clock.now())
    await world.clock.advance(1800)
    second = await world.ask(range="1W")
    assert second.answer.certificate.known_empty == 0
    assert second.answer.certificate.count == second.answer.certificate.expected


async def test_an_age_is_that_of_the_vendor_s_word(cache: Callable[..., World]) -> None:
    """T7: the age counts from the vendor's answer, whichever tier gives it."""
    world = cache()
    assert (await world.ask(range="1W")).age_seconds == 0
    await world.clock.advance(90)
    assert (await world.ask(range="1W")).age_seconds == 90
    assert (await world.other().ask(range="1W")).age_seconds == 90


async def test_what_the_store_reports_of_sessions(cache: Callable[..., World]) -> None:
    """T2: coverage says final, forming, unlisted, missing and not-due, session by session, and asks nobody."""
    world = cache("2024-06-03T21:45:00Z")
    await world.ask("NEWCO", start_date="2024-03-18", end_date="2024-06-03")
    calls = world.calls
    world.clock.set("2024-06-05T15:00:00Z")
    report = await world.first.cache.coverage("NEWCO", Resolution.DAY, Span(date(2024, 3, 20), date(2024, 6, 5)))
    states = {str(entry.day): entry.state for entry in report}
    assert states["2024-03-20"] == "unlisted"
    assert states["2024-03-21"] == "final"
    assert states["2024-06-04"] == "missing"
    assert states["2024-06-05"] == "not-due"
    assert world.calls == calls
