"""The sample vendor tells one story at every resolution, in every window and in every process."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from datetime import date, timedelta
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ohlcache.adapters.calendar import load_xnys
from ohlcache.adapters.vendors.sample import INTRADAY_CANDLES_MAX, SampleVendor
from ohlcache.adapters.vendors.sample_files import SAMPLE_LAST_DAY, SAMPLE_NAMES
from ohlcache.domain.candles import Candles, check_possible
from ohlcache.domain.errors import TickerNotFound
from ohlcache.domain.freshness import last_final_day
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.series import Series
from ohlcache.domain.span import Span

if TYPE_CHECKING:
    from ohlcache.ports import CandleVendor

pytestmark = pytest.mark.asyncio

INTRADAY = [resolution for resolution in Resolution if not resolution.is_daily]
YEAR = Span(date(2014, 1, 1), date(2014, 12, 31))
CALENDAR = load_xnys()


async def candles(ticker: str, resolution: Resolution, span: Span = YEAR) -> Candles:
    vendor: CandleVendor = SampleVendor(CALENDAR)
    return (await vendor.fetch(Series(ticker, "sample", resolution), span)).candles


def minutes_by_session(minutes: Candles, span: Span) -> list[Candles]:
    counts = CALENDAR.between(span).candles_in_each(Resolution.MINUTE)
    ends = np.cumsum(counts).tolist()
    return [minutes[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]


@pytest.mark.parametrize("resolution", INTRADAY)
@pytest.mark.parametrize("ticker", ["AAPL", "MSFT", "IBM", "BRK.A"])
async def test_every_candle_the_calendar_expects_is_there(ticker: str, resolution: Resolution) -> None:
    """A year has exactly the candles of its sessions, half-days included, and all are possible."""
    found = await candles(ticker, resolution)
    check_possible(found)
    assert found.time.tolist() == CALENDAR.between(YEAR).candle_opens(resolution).tolist()


@pytest.mark.parametrize(("ticker", "year"), [*product(["AAPL", "MSFT", "IBM"], [2002, 2008, 2014]), ("BRK.A", 2014)])
async def test_minutes_make_up_the_day_exactly(ticker: str, year: int) -> None:
    """First open, highest high, lowest low, last close and summed volume of the minutes are those of the daily candle."""
    span = Span(date(year, 1, 1), date(year, 12, 31))
    daily = await candles(ticker, Resolution.DAY, span)
    sessions = minutes_by_session(await candles(ticker, Resolution.MINUTE, span), span)
    assert [float(minutes.open[0]) for minutes in sessions] == daily.open.tolist()
    assert [float(minutes.high.max()) for minutes in sessions] == daily.high.tolist()
    assert [float(minutes.low.min()) for minutes in sessions] == daily.low.tolist()
    assert [float(minutes.close[-1]) for minutes in sessions] == daily.close.tolist()
    assert [int(minutes.volume.sum()) for minutes in sessions] == daily.volume.tolist()


@pytest.mark.parametrize("resolution", INTRADAY[1:])
async def test_coarser_candles_are_aggregates_of_the_minutes(resolution: Resolution) -> None:
    """5, 15, 30 and 60 minutes are the 1-minute candles joined, also at the short ends of sessions."""
    minutes = await candles("MSFT", Resolution.MINUTE)
    coarse = await candles("MSFT", resolution)
    starts = np.searchsorted(minutes.time, coarse.time)
    ends = np.append(starts[1:], len(minutes)) - 1
    assert coarse == Candles(
        minutes.time[starts],
        minutes.open[starts],
        np.maximum.reduceat(minutes.high, starts),
        np.minimum.reduceat(minutes.low, starts),
        minutes.close[ends],
        np.add.reduceat(minutes.volume, starts),
    )


async def test_prices_are_in_cents() -> None:
    """Every minute's price is whole cents, unless it is one of the day's own four."""
    daily = await candles("MSFT", Resolution.DAY)
    sessions = minutes_by_session(await candles("MSFT", Resolution.MINUTE), YEAR)
    for day, minutes in enumerate(sessions):
        own = {float(column[day]) for column in (daily.open, daily.high, daily.low, daily.close)}
        for column in (minutes.open, minutes.high, minutes.low, minutes.close):
            assert all(price in own or price == round(price, 2) for price in column.tolist())


async def test_volume_is_u_shaped() -> None:
    """More is traded in the first and in the last hour than at noon."""
    hours = await candles("AAPL", Resolution.MINUTES_30)
    of_the_day = (hours.time - np.repeat(CALENDAR.between(YEAR).opens, np.diff(day_bounds(hours)))) // 1800
    shares = [int(hours.volume[of_the_day == half].sum()) for half in range(13)]
    assert min(shares[0], shares[-1]) > 1.5 * max(shares[5:8])


def day_bounds(found: Candles) -> list[int]:
    starts = np.searchsorted(found.time, CALENDAR.between(YEAR).opens)
    return [*starts.tolist(), len(found)]


async def test_half_day_ends_at_one() -> None:
    """On 2014-11-28 trading ends at 13:00: 42 candles of 5 minutes, 4 of an hour, the last one half as long."""
    half = Span(date(2014, 11, 28), date(2014, 11, 28))
    assert len(await candles("AAPL", Resolution.MINUTES_5, half)) == 42
    hours = await candles("AAPL", Resolution.HOUR, half)
    assert len(hours) == 4
    assert hours.time[-1] == CALENDAR.close_of(half.start) - 1800


@pytest.mark.parametrize("resolution", list(Resolution))
async def test_window_does_not_matter(resolution: Resolution) -> None:
    """A week asked for day by day comes out as it does asked for at once, and within its year."""
    week = Span(date(2014, 6, 2), date(2014, 6, 13))
    at_once = await candles("AAPL", resolution, week)
    days = [week.start + timedelta(days=after) for after in range(12)]
    assert Candles.concatenate([await candles("AAPL", resolution, Span(day, day)) for day in days]) == at_once
    year = await candles("AAPL", resolution)
    assert year[np.isin(year.time, at_once.time)] == at_once


PROGRAM = """
import asyncio, hashlib
from datetime import date
from ohlcache.adapters.calendar import load_xnys
from ohlcache.adapters.vendors.sample import SampleVendor
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.series import Series
from ohlcache.domain.span import Span

series = Series("IBM", "sample", Resolution.MINUTE)
answer = asyncio.run(SampleVendor(load_xnys()).fetch(series, Span(date(2007, 7, 2), date(2007, 7, 6))))
print(hashlib.sha256(b"".join(column.tobytes() for column in answer.candles.columns())).hexdigest())
"""
DIGEST = "3cfb85c3a9470f70b0c775982b53db5b3479c7dfebafe8d11641726c6a61cdfc"


@pytest.fixture(params=["0", "4711"])
def digest_elsewhere(request: pytest.FixtureRequest) -> str:
    environment = {"PYTHONHASHSEED": request.param, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


async def test_processes_agree(digest_elsewhere: str) -> None:
    """Another process, whatever its hash seed, makes the same bytes; so does every release (the digest is pinned)."""
    here = await candles("IBM", Resolution.MINUTE, Span(date(2007, 7, 2), date(2007, 7, 6)))
    assert digest_elsewhere == DIGEST
    assert hashlib.sha256(b"".join(column.tobytes() for column in here.columns())).hexdigest() == DIGEST


async def test_tickers_differ() -> None:
    """Two tickers do not move in step."""
    day = Span(date(2014, 3, 3), date(2014, 3, 3))
    apple, microsoft = [(await candles(ticker, Resolution.MINUTE, day)).close for ticker in ("AAPL", "MSFT")]
    assert abs(np.corrcoef(np.diff(apple), np.diff(microsoft))[0, 1]) < 0.3


async def test_daily_answers_carry_actions_and_listing() -> None:
    """A daily answer has the actions of its span and the ticker's first and last session; an intraday one no actions."""
    vendor = SampleVendor(CALENDAR)
    june = Span(date(2014, 6, 1), date(2014, 8, 31))
    daily = await vendor.fetch(Series("AAPL", "sample", Resolution.DAY), june)
    assert daily.actions.splits.tolist() == [7.0, 1.0]
    assert daily.actions.dividends.tolist() == [0.0, 0.47]
    assert daily.listing == Span(date(2000, 3, 1), SAMPLE_LAST_DAY)
    assert len(daily.candles) == 64
    hourly = await vendor.fetch(Series("AAPL", "sample", Resolution.HOUR), june)
    assert not len(hourly.actions)
    assert hourly.listing == daily.listing
    assert vendor.quota().calls == 2


@pytest.mark.parametrize("resolution", [Resolution.DAY, Resolution.MINUTES_5])
@pytest.mark.parametrize(
    "span",
    [
        Span(date(2014, 5, 1), date(2014, 5, 14)),
        Span(date(2015, 1, 2), date(2015, 1, 30)),
        Span(date(2014, 12, 6), date(2014, 12, 7)),
    ],
)
async def test_outside_its_life_a_ticker_has_nothing(resolution: Resolution, span: Span) -> None:
    """Before the listing, after the end and on a weekend the answer is empty and tells the first and last session."""
    answer = await SampleVendor(CALENDAR).fetch(Series("ZEN", "sample", resolution), span)
    assert not len(answer.candles)
    assert answer.listing == Span(date(2014, 5, 15), SAMPLE_LAST_DAY)


async def test_spans_over_the_edges_are_cut() -> None:
    """A span that begins before the listing brings what there is of it."""
    found = await candles("ZEN", Resolution.DAY, Span(date(2013, 1, 1), date(2015, 12, 31)))
    assert len(found) == 160


async def test_other_tickers_are_not_found() -> None:
    """A ticker that is not in the sample is TickerNotFound, with the list of those that are."""
    with pytest.raises(TickerNotFound) as caught:
        await candles("TSLA", Resolution.DAY)
    assert "AAPL, BRK.A, IBM, MSFT, ZEN" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "limit", "tickers"),
    [
        ("aa", 5, ["AAPL"]),
        ("apple", 5, ["AAPL"]),
        ("brk", 5, ["BRK.A"]),
        ("mach", 5, ["IBM"]),
        ("i", 5, ["IBM", "AAPL", "BRK.A", "ZEN"]),
        ("i", 1, ["IBM"]),
        ("xyz", 5, []),
        ("", 9, list(SAMPLE_NAMES)),
    ],
)
async def test_suggestions(text: str, limit: int, tickers: list[str]) -> None:
    """Tickers come first, then names of which a word begins with the text."""
    found = await SampleVendor(CALENDAR).suggest(text, limit)
    assert [info.ticker for info in found] == tickers
    assert all(info.name for info in found)


async def test_traits_tell_what_is_synthetic_and_where_it_ends() -> None:
    """Every resolution is served, raw; the intraday ones are marked; at the end of the data its last day is final."""
    traits = SampleVendor(CALENDAR).traits
    assert set(traits.limits) == set(traits.adjustments) == set(Resolution)
    assert traits.synthetic == set(INTRADAY)
    assert not traits.pre_adjusted
    assert traits.data_until is not None
    for resolution in Resolution:
        assert last_final_day(resolution, CALENDAR, traits.data_until) == SAMPLE_LAST_DAY


async def test_a_year_of_five_minutes_is_one_call() -> None:
    """The limit of one call holds a year of 5-minute candles."""
    assert len(await candles("AAPL", Resolution.MINUTES_5)) <= INTRADAY_CANDLES_MAX


async def test_check_names_what_there_is() -> None:
    """The sign of life reads every file."""
    vendor = SampleVendor(CALENDAR)
    assert await vendor.check() == (
        "Sample data: AAPL, BRK.A, IBM, MSFT, ZEN; 11611 sessions from 2000-03-01 to 2014-12-31."
    )
    await vendor.close()
    await vendor.close()
