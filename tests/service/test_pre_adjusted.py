"""A vendor that adjusts prices itself rewrites history at every split: old and new basis never mix."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ohlcache.domain.adjustment import Adjustment, adjust
from ohlcache.domain.errors import InvalidRequest
from ohlcache.testing import FakeVendor, Market
from ohlcache.testing.fake_vendor import PRE_ADJUSTED_TRAITS
from service.world import CALENDAR, MARKET

if TYPE_CHECKING:
    from collections.abc import Callable

    from ohlcache.domain.answer import Served
    from service.world import World

pytestmark = pytest.mark.asyncio

BEFORE, AFTER = "2020-08-29T01:00:00Z", "2020-09-01T01:00:00Z"
"""Friday evening, and the evening of Monday 31 August 2020, when AAPL split 4 for 1."""


def finnhub(market: Market = MARKET) -> FakeVendor:
    return FakeVendor(market, None, name="finnhub", traits=PRE_ADJUSTED_TRAITS)  # type: ignore[arg-type]


def true_closes(world: World, served: Served) -> list[float]:
    """Return the closes of the answer's span, adjusted for every split known now."""
    span, now = served.answer.request.span, world.clock.now()
    rows = world.market.daily("AAPL", span, now)
    known = world.market.actions("AAPL", now)
    return adjust(rows.candles, rows.days.astype(np.int32), known, Adjustment.SPLITS).close.tolist()


@pytest.mark.parametrize("name", ["1W", "1M", "1Y", "5Y"])
@pytest.mark.parametrize("restarted", [False, True])
async def test_a_split_overnight_moves_all_of_history(cache: Callable[..., World], name: str, restarted: bool) -> None:
    """G12: after the split every price of the answer is on the new basis, also those that were held; one call."""
    world = cache(BEFORE, vendors=[finnhub()])
    first = await world.ask(range=name)
    assert first.answer.candles.close.tolist() == true_closes(world, first)
    world.clock.set(AFTER)
    if restarted:
        await world.restart()
    second = await world.ask(range=name)
    assert second.answer.candles.close.tolist() == true_closes(world, second)
    assert world.calls == 2
    third = await world.other().ask(range=name)
    assert third.answer.candles == second.answer.candles
    assert third.tier == "memory"


async def test_older_years_are_not_served_on_the_old_basis(cache: Callable[..., World]) -> None:
    """G12: five years held before the split are gone or new after a week was asked for on the evening of the split."""
    world = cache(BEFORE, vendors=[finnhub()])
    await world.ask(range="5Y")
    world.clock.set(AFTER)
    await world.ask(range="1W")
    years = await world.other().ask(range="5Y")
    assert years.answer.candles.close.tolist() == true_closes(world, years)
    assert years.answer.certificate.complete


async def test_without_a_split_history_stays(cache: Callable[..., World]) -> None:
    """T1: an ordinary evening, its provisional close and its final one keep what is held."""
    world = cache("2024-05-31T21:40:00Z", vendors=[finnhub(Market(calendar=CALENDAR, revising=True))])
    await world.ask(range="5Y")
    for instant in ("2024-05-31T21:50:00Z", "2024-06-01T00:30:00Z", "2024-06-03T21:40:00Z", "2024-06-04T00:30:00Z"):
        world.clock.set(instant)
        await world.ask(range="1W")
    calls = world.calls
    years = await world.other().ask(range="5Y")
    assert world.calls == calls
    assert years.answer.candles.close.tolist() == true_closes(world, years)


async def test_what_cannot_be_had_is_said(cache: Callable[..., World]) -> None:
    """Prices that come adjusted cannot be given raw: the answer says what can be asked for."""
    world = cache(AFTER, vendors=[finnhub()])
    with pytest.raises(InvalidRequest, match="adjust=none") as refused:
        await world.ask(range="1W", adjust="none")
    assert refused.value.field == "adjust"
    assert "adjust=splits" in refused.value.hint
    minutes = await world.ask(start_date="2020-08-31", end_date=date(2020, 8, 31), resolution="60")
    assert minutes.answer.adjustment is Adjustment.NONE
