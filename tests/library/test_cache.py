"""The cache for coroutines, asked through its public face."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import ohlcache
from ohlcache.domain.market_time import DAY_SECONDS
from ohlcache.ports import Metric
from ohlcache.testing import Fault
from service.restless_clock import RestlessClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from ohlcache.library.cache import Cache
    from service.world import World

    Library = Callable[..., tuple[Cache, World]]

pytestmark = pytest.mark.asyncio


async def test_the_nearest_tier_answers(library: Library) -> None:
    """The vendor answers first, memory afterwards, with the same candles."""
    cache, world = library()
    first = await cache.get("AAPL", "1Y")
    second = await cache.get("AAPL", "1Y")
    assert (first.provenance.tier, second.provenance.tier, world.calls) == ("tiingo", "in-memory", 1)
    assert list(first) == list(second)
    assert first.complete
    assert len(first) == first.certificate.expected == 251


async def test_a_repeated_call_is_the_same_table(library: Library) -> None:
    """From the third call on nothing is made anew, however the call is spelt: each spelling has its own shortcut."""
    cache, _ = library()
    tables = [await cache.get("AAPL", "1M") for _ in range(4)]
    assert tables[2] is tables[1]
    assert tables[3] is tables[1]
    lower = await cache.get("aapl", "1M", resolution="D")
    assert lower is not tables[1]
    assert list(lower) == list(tables[1])


async def test_a_shortcut_ends_at_midnight(library: Library) -> None:
    """A named range is another span on the next market date: yesterday's table is not served (K4)."""
    cache, world = library("2024-06-04T03:59:00Z")  # 23:59 in New York
    before = [await cache.get("AAPL", "1W") for _ in range(3)][-1]
    await world.clock.advance(120)
    after = await cache.get("AAPL", "1W")
    assert (before.end, after.end) == (date(2024, 6, 3), date(2024, 6, 4))


@pytest.mark.parametrize("readings", range(5))
async def test_a_shortcut_made_over_midnight_is_of_the_day_before(library: Library, readings: int) -> None:
    """K4: wherever midnight falls while a call is answered, what it leaves is not the next day's answer."""
    clock = RestlessClock("2024-06-04T03:59:59Z")  # one second to midnight in New York
    cache, _ = library(clock=clock)
    await cache.get("AAPL", "1W")
    clock.jump("2024-06-04T04:00:01Z", after_readings=readings)
    await cache.get("AAPL", "1W")
    clock.set("2024-06-04T04:00:02Z")
    assert (await cache.get("AAPL", "1W")).end == date(2024, 6, 4)


async def test_a_shortcut_ends_when_the_answer_could_change(library: Library) -> None:
    """Forming candles are asked for again after their five minutes (C6)."""
    cache, world = library("2024-06-03T15:00:00Z")
    early = [await cache.get("AAPL", "1D", resolution="5") for _ in range(3)][-1]
    calls = world.calls
    await world.clock.advance(299)
    assert await cache.get("AAPL", "1D", resolution="5") is early
    await world.clock.advance(2)
    late = await cache.get("AAPL", "1D", resolution="5")
    assert world.calls > calls
    assert len(late) > len(early)


async def test_a_shortcut_does_not_reach_back(library: Library) -> None:
    """A clock that is set back gets the answer of its own day (C7)."""
    cache, world = library()
    for _ in range(3):
        await cache.get("AAPL", "1W")
    world.clock.set(world.clock.now() - DAY_SECONDS)
    assert (await cache.get("AAPL", "1W")).end == date(2024, 6, 2)


async def test_invalidating_clears_the_shortcuts(library: Library) -> None:
    """After an invalidation the vendor is asked again, in whatever spelling (F1)."""
    cache, world = library()
    for _ in range(3):
        await cache.get("BRK-B", "1M")
        await cache.get("AAPL", "1M")
    removed = await cache.invalidate("brk.b")
    assert removed.removed_answers == 1
    assert removed.removed_chunks > 0
    assert (await cache.get("BRK-B", "1M")).provenance.tier == "tiingo"
    assert (await cache.get("AAPL", "1M")).provenance.tier == "in-memory"
    assert world.calls == 3


async def test_hits_are_counted_wherever_they_are_made(library: Library) -> None:
    """Statistics and metrics include what the shortcuts answered (F6)."""
    cache, world = library()
    for _ in range(10):
        await cache.get("AAPL", "1M")
    status = cache.status()
    assert (status.memory.hits, status.memory.misses, status.calls_saved) == (9, 1, 9)
    assert cache.status().memory.hits == 9
    assert world.first.telemetry.total(Metric.REQUESTS, tier="in-memory") == 9


async def test_shortcuts_are_bounded(library: Library) -> None:
    """The oldest shortcut goes when there are too many, or too large ones."""
    cache, _ = library()
    table = await cache.get("AAPL", "1M")
    bounded = type(cache.shortcuts)(entries_max=3, bytes_max=2 * table.nbytes)
    for call in "abc":
        bounded.keep(call, table, table._answer, 0.0)
    assert list(bounded.entries) == ["b", "c"]
    bounded.keep("b", table, table._answer, 0.0)
    assert list(bounded.entries) == ["c", "b"]
    few = type(cache.shortcuts)(entries_max=1)
    few.keep("a", table, table._answer, 0.0)
    few.keep("b", table, table._answer, 0.0)
    assert list(few.entries) == ["b"]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2024-05-01", "2024-05-31"),
        (date(2024, 5, 1), date(2024, 5, 31)),
        (datetime(2024, 5, 1, 9, 30), datetime(2024, 5, 31, 16)),  # noqa: DTZ001 - a naive one is its own date
        (datetime(2024, 5, 2, 3, 59, tzinfo=UTC), datetime(2024, 6, 1, 3, 59, tzinfo=UTC)),
    ],
)
async def test_dates_are_texts_dates_or_datetimes(library: Library, start: Any, end: Any) -> None:
    """An aware datetime counts by its date in New York, a naive one by its own."""
    cache, _ = library()
    table = await cache.get("AAPL", start=start, end=end)
    assert (table.start, table.end, len(table)) == (date(2024, 5, 1), date(2024, 5, 31), 22)


async def test_without_an_end_the_span_ends_today(library: Library) -> None:
    cache, _ = library()
    assert (await cache.get("AAPL", start="2024-05-28")).end == date(2024, 6, 3)
    assert (await cache.get("AAPL")).start == date(2024, 5, 3)


@pytest.mark.parametrize(
    ("arguments", "field", "hint"),
    [
        ({"ticker": "no ticker"}, "ticker", "AAPL"),
        ({"ticker": ["AAPL", "MSFT"]}, "ticker", "get_many"),
        ({"ticker": "AAPL", "range": "9Y"}, "range", 'range="1M", or start="2024-01-02", end="2024-03-28"'),
        ({"ticker": "AAPL", "range": 5}, "range", 'get("AAPL", "1Y"'),
        ({"ticker": "AAPL", "resolution": "5m"}, "resolution", 'resolution="D"'),
        ({"ticker": "AAPL", "resolution": 5}, "resolution", 'resolution="D"'),
        ({"ticker": "AAPL", "adjust": "some"}, "adjust", 'adjust="all"'),
        ({"ticker": "AAPL", "start": "2099-01-01"}, "start", 'start="2024-06-03"'),
        ({"ticker": "AAPL", "start": "01/02/2024"}, "start", 'start="2024-01-02"'),
        ({"ticker": "AAPL", "start": 20240102}, "start", 'start="2024-01-02"'),
        ({"ticker": "AAPL", "end": "2024-01-02"}, "start", 'start="2024-01-02"'),
        ({"ticker": "AAPL", "range": "1M", "start": "2024-01-02"}, "range", 'start="2024-01-02", end="2024-03-28"'),
    ],
)
async def test_what_cannot_be_is_refused_in_python_words(
    library: Library, arguments: dict[str, Any], field: str, hint: str
) -> None:
    """The error names the argument, and its hint is Python that works (E21)."""
    cache, world = library()
    with pytest.raises(ohlcache.InvalidRequest) as caught:
        await cache.get(**arguments)
    assert caught.value.field == field
    assert hint in caught.value.hint
    assert world.calls == 0


async def test_several_tickers_at_once(library: Library) -> None:
    """get_many answers by the spelling of the question, each ticker once."""
    cache, world = library()
    tables = await cache.get_many(["AAPL", "brk-b", "AAPL"], "1M")
    assert {name: table.ticker for name, table in tables.items()} == {"AAPL": "AAPL", "brk-b": "BRK.B"}
    assert world.calls == 2


@pytest.mark.parametrize("ticker", ["F", "MSFT", np.str_("MSFT"), "brk-b"])
async def test_a_text_is_one_ticker_of_several(library: Library, ticker: str) -> None:
    """get_many of a text asks for that ticker, not for its letters."""
    cache, world = library()
    tables = await cache.get_many(ticker, "1W")
    assert list(tables) == [ticker]
    assert tables[ticker].ticker == ticker.upper().replace("-", ".")
    assert world.calls == 1


@pytest.mark.parametrize(
    ("tickers", "field"),
    [(b"MSFT", "tickers"), (None, "tickers"), (7, "tickers"), ([b"MSFT"], "ticker"), ([["AAPL"], "MSFT"], "ticker")],
)
async def test_several_of_what_is_no_text_is_refused(library: Library, tickers: Any, field: str) -> None:
    """get_many of bytes, of nothing or of lists of lists says what it takes, before the vendor is asked (E21)."""
    cache, world = library()
    with pytest.raises(ohlcache.InvalidRequest, match="must be text") as caught:
        await cache.get_many(tickers, "1W")
    assert caught.value.field == field
    assert "get_many" in caught.value.hint
    assert world.calls == 0


async def test_several_tickers_one_of_them_unknown(library: Library) -> None:
    """The failure is raised after the others have arrived, which are cached by then."""
    cache, world = library()
    with pytest.raises(ohlcache.TickerNotFound):
        await cache.get_many(["NOPE", "AAPL", "MSFT"], "1M")
    calls = world.calls
    await cache.get_many(["AAPL", "MSFT"], "1M")
    assert world.calls == calls


@pytest.mark.parametrize("partial", [False, True])
async def test_what_is_held_is_given_with_a_warning(library: Library, partial: bool) -> None:
    """W1: with and without ``partial``, a vendor's failure gives what is held: the table and a warning say what lacks."""
    cache, world = library()
    await cache.get("AAPL", "1M")
    world.vendor.faults.set(Fault.SERVER_ERROR)
    with pytest.warns(ohlcache.IncompleteDataWarning, match=r"AAPL .*sessions missing, stale.*does not answer"):
        table = await cache.get("AAPL", "5Y", partial=partial)
    assert not table.complete
    assert len(table.certificate.missing) > 900
    assert "sessions missing, stale" in repr(table)
    origin = table.provenance
    assert (origin.stale, origin.stale_reason, origin.missing_reason) == (True, *["The vendor does not answer."] * 2)


async def test_daily_backfill_is_one_call(library: Library) -> None:
    """Five years of daily candles cost one vendor call, and a second backfill none."""
    cache, world = library()
    done = await cache.backfill("AAPL", "5Y")
    assert (done.ticker, done.vendor_calls, world.calls) == ("AAPL", 1, 1)
    assert done.sessions == done.candles == len(await cache.coverage("AAPL", "5Y"))
    assert (await cache.backfill("aapl", "5Y")).vendor_calls == 0


async def test_intraday_backfill_goes_on_where_it_was_stopped(library: Library) -> None:
    """What came before a failure stays; the same backfill then asks only for the rest."""
    cache, world = library()
    world.vendor.faults.then(None, None, Fault.SERVER_ERROR)
    with pytest.raises(ohlcache.VendorUnavailable):
        await cache.backfill("AAPL", "1Y", resolution="1")
    held = [report for report in await cache.coverage("AAPL", "1Y", resolution="1") if report.state == "final"]
    assert held
    await world.clock.advance(5)
    done = await cache.backfill("AAPL", "1Y", resolution="1")
    assert done.sessions == 251
    assert not [report for report in await cache.coverage("AAPL", "1Y", resolution="1") if report.state == "missing"]
    assert world.calls == 3 + done.vendor_calls


async def test_a_backfill_that_gets_nowhere_ends(library: Library) -> None:
    """A vendor that never delivers what is due is an error that names the sessions, not an endless loop."""
    cache, world = library()
    world.vendor.faults.set(Fault.EMPTY)
    with pytest.raises(ohlcache.OhlcacheError):
        await cache.backfill("AAPL", "1W")
    assert world.calls < 5


async def test_a_backfill_may_be_longer_than_an_answer(library: Library) -> None:
    """Five years of minutes are more than one answer may hold, and are filled all the same."""
    cache, _ = library()
    with pytest.raises(ohlcache.InvalidRequest):
        await cache.get("THIN", "5Y", resolution="1")
    assert (await cache.coverage("THIN", "5Y", resolution="1"))[0].state == "missing"


async def test_coverage_tells_session_by_session(library: Library) -> None:
    """What is held is final, what is not is missing, and nobody is asked (T2)."""
    cache, world = library()
    await cache.get("NEWCO", "1W")
    calls = world.calls
    reports = await cache.coverage("NEWCO", start="2023-01-03", end="2024-06-03")
    assert world.calls == calls
    states = [report.state for report in reports]
    assert (states[0], states[-1]) == ("missing", "final")
    assert "unlisted" in states
    assert isinstance(reports[-1], ohlcache.SessionReport)


async def test_suggestions(library: Library) -> None:
    cache, _ = library()
    assert [info.ticker for info in await cache.suggest("AA")] == ["AAPL"]


async def test_a_closed_cache_says_so(library: Library) -> None:
    """Closing twice is fine, asking afterwards is not."""
    cache, _ = library()
    await cache.get("AAPL", "1M")
    async with cache:
        pass
    await cache.close()
    with pytest.raises(RuntimeError, match="closed"):
        await cache.get("AAPL", "1M")
    with pytest.raises(RuntimeError, match="closed"):
        await cache.invalidate("AAPL")
