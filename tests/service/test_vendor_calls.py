"""What a ticker costs in vendor calls: docs/vendor-calls.md says it, and here it is counted."""

from __future__ import annotations

import asyncio
import re
from datetime import date, time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ohlcache.domain.market_time import instant_at
from ohlcache.testing import Market
from ohlcache.testing.market import Stock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from service.world import World

pytestmark = pytest.mark.asyncio

DOCUMENT = (Path(__file__).parents[2] / "docs" / "vendor-calls.md").read_text(encoding="utf-8")
MONDAY, TUESDAY, FRIDAY = date(2024, 6, 3), date(2024, 6, 4), date(2024, 6, 7)
YEAR = {"range": "1Y"}
CLOSED_YEAR = {"start_date": "2020-01-02", "end_date": "2020-12-31"}
MINUTES = {"range": "1W", "resolution": "5"}
TODAY = {"range": "1D", "resolution": "1"}
CLOSED_WEEK = {"start_date": "2024-03-04", "end_date": "2024-03-08", "resolution": "5"}
RAW = {"adjust": "none"}


def documented(row: str) -> int:
    """Return the number of calls in a row of the document's table."""
    found = re.search(rf"^\| {re.escape(row)} \| (\d+) \|$", DOCUMENT, re.MULTILINE)
    assert found is not None, f"docs/vendor-calls.md has no row {row!r}"
    return int(found[1])


def at(day: date, hours: int, minutes: int = 0) -> float:
    return instant_at(day, time(hours, minutes))


def every_minute(start: float, end: float) -> Iterator[float]:
    return (start + 60 * number for number in range(int(end - start) // 60 + 1))


@pytest.mark.parametrize(
    ("row", "before", "wishes"),
    [
        ("a daily range of up to a year, for the first time", [], YEAR),
        ("a daily range of up to a year, for the first time", [], {"range": "1D"}),
        ("any other daily range within that year", [YEAR], {"range": "YTD"}),
        ("any other daily range within that year", [{"range": "1W"}], YEAR | RAW),
        ("`5Y` after `1Y`", [YEAR], {"range": "5Y"}),
        ("`1D` or `1W` of minutes, adjusted, for the first time", [], MINUTES),
        ("`1D` or `1W` of minutes, `adjust=none`, for the first time", [], MINUTES | RAW),
        ("`6M` of one-minute candles, adjusted, for the first time", [], {"range": "6M", "resolution": "1"}),
    ],
)
async def test_the_first_time(
    cache: Callable[..., World], row: str, before: list[Mapping[str, str]], wishes: Mapping[str, str]
) -> None:
    """On one evening, after the ranges ``before``."""
    world = cache(at(MONDAY, 21))
    for each in before:
        await world.ask(**each)
    calls = world.calls
    await world.ask(**wishes)
    assert world.calls - calls == documented(row)


@pytest.mark.parametrize(
    ("row", "wishes"),
    [
        ("the same daily range once on the next day", YEAR),
        ("the same daily range once on the next day", YEAR | RAW),
        ("a closed year, adjusted (`splits` or `all`), once on a later day", CLOSED_YEAR),
        ("a closed year, adjusted (`splits` or `all`), once on a later day", CLOSED_YEAR | {"adjust": "all"}),
        ("a closed year, `adjust=none`, once on a later day", CLOSED_YEAR | RAW),
        ("the same minutes, adjusted, once on the next day", MINUTES),
        ("a closed week of minutes, adjusted, once on a later day", CLOSED_WEEK),
        ("a closed week of minutes, `adjust=none`, once on a later day", CLOSED_WEEK | RAW),
    ],
)
@pytest.mark.parametrize("hours", [10, 18, 21])
async def test_the_next_day(cache: Callable[..., World], row: str, wishes: Mapping[str, str], hours: int) -> None:
    """At the same hour, by a new process, and then not again within five minutes."""
    world = cache(at(MONDAY, hours))
    await world.ask(**wishes)
    world.clock.set(at(TUESDAY, hours))
    process, calls = await world.restart(), world.calls
    await process.ask(**wishes)
    await world.clock.advance(4 * 60)
    await process.ask(**wishes)
    assert world.calls - calls == documented(row)


@pytest.mark.parametrize("wishes", [YEAR, CLOSED_YEAR, MINUTES, CLOSED_WEEK])
async def test_a_weekend_costs_nothing(cache: Callable[..., World], wishes: Mapping[str, str]) -> None:
    """Who asked on Friday evening has what is due until Monday."""
    world = cache(at(FRIDAY, 21))
    await world.ask(**wishes)
    calls = world.calls
    for hours in (10, 20, 40):
        world.clock.set(at(FRIDAY, 21) + hours * 3600)
        await world.ask(**wishes)
    assert world.calls == calls


@pytest.mark.parametrize(
    ("row", "wishes", "start", "end"),
    [
        (
            "the same daily range all the time, from one evening (20:05) to the next",
            YEAR,
            (MONDAY, 20, 5),
            (TUESDAY, 20, 5),
        ),
        ("minutes of today, adjusted, all the time from 9:30 to 17:00", TODAY, (TUESDAY, 9, 30), (TUESDAY, 17, 0)),
    ],
)
async def test_all_the_time(
    cache: Callable[..., World],
    row: str,
    wishes: Mapping[str, str],
    start: tuple[date, int, int],
    end: tuple[date, int, int],
) -> None:
    """Once a minute; the daily range was asked for before, the minutes were not."""
    world = cache(at(*start))
    if wishes is YEAR:
        await world.ask(**wishes)
    calls = world.calls
    for moment in every_minute(at(*start), at(*end)):
        world.clock.set(moment)
        await world.ask(**wishes)
    assert world.calls - calls == documented(row)


async def test_a_young_ticker(cache: Callable[..., World]) -> None:
    """That there is nothing before the first candle is asked twice, once."""
    world = cache(at(MONDAY, 21), market=Market(stocks={"AAPL": Stock(listed=date(2024, 2, 1))}))
    await world.ask(**YEAR)
    assert world.calls == documented("a daily range of a ticker that was listed within it, for the first time")
    world.clock.set(at(TUESDAY, 21))
    calls = world.calls
    await world.ask(**YEAR)
    assert world.calls - calls == documented("the same daily range once on the next day")


@pytest.mark.parametrize(("seconds", "calls"), [(2.8, 1), (5.8, 2), (9.0, 8)])
async def test_a_slow_vendor_costs_more_than_one_call(cache: Callable[..., World], seconds: float, calls: int) -> None:
    """Of eight processes at once all share a call of 3 s; one more asks within 6 s; after that each asks for itself."""
    assert "answers within 3 s" in DOCUMENT
    assert "longer than 6 s, every process that waits asks for itself" in DOCUMENT.replace("\n  ", " ")
    world = cache(at(MONDAY, 21))
    world.vendor.latency_seconds = seconds
    processes = [world.first, *(world.other() for _ in range(7))]

    async def all_at_once() -> None:
        await asyncio.gather(*(process.cache.get(process.request("AAPL", **YEAR)) for process in processes))

    await world.clock.drive(all_at_once())
    assert world.calls == calls
