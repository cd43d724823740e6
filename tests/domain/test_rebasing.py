"""What a vendor that adjusts prices itself leaves of what is held."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from domain.strategies import SESSION_DAYS, Row, holding_of, rows_of
from ohlcache.domain.candles import Candles
from ohlcache.domain.coverage import Holding, SessionState
from ohlcache.domain.market_time import midnight_utc
from ohlcache.domain.rebasing import rebased

DAY = 86_400
days = st.sets(st.sampled_from(SESSION_DAYS), min_size=1, max_size=10)


def final(days: set[int]) -> Holding:
    rows: list[Row] = [(day, SessionState.FINAL, midnight_utc(day) + DAY, 1) for day in days]
    return holding_of(rows)


def scaled(holding: Holding, factor: float) -> Holding:
    candles = holding.candles
    prices = [column * factor for column in (candles.open, candles.high, candles.low, candles.close)]
    return replace(holding, candles=Candles(candles.time, *prices, candles.volume))


@given(days, days)
def test_the_same_basis_keeps_the_rest(held: set[int], new: set[int]) -> None:
    """G12: where both speak alike, what is held of other days stands beside the new."""
    left = rebased(final(held), final(new))
    assert rows_of(left) == ([row for row in rows_of(final(held)) if row[0] not in new] if held & new else [])


@given(days, days, st.sampled_from([0.25, 0.5, 0.99, 1.01, 7.0]))
def test_another_basis_is_worth_nothing(held: set[int], new: set[int], factor: float) -> None:
    """G12: one price that moved makes everything that is held worthless."""
    assert len(rebased(final(held), scaled(final(new), factor))) == 0


def test_the_last_digit_is_no_new_basis() -> None:
    """A correction of a hundredth of a percent is none."""
    held = final(set(SESSION_DAYS[:5]))
    assert len(rebased(held, scaled(final({SESSION_DAYS[4]}), 1.0001))) == 4


def test_what_was_forming_moves_by_itself() -> None:
    """C3, G12: yesterday's provisional close says nothing about the basis."""
    rows: list[Row] = [(day, SessionState.FINAL, midnight_utc(day) + DAY, 1) for day in SESSION_DAYS[:4]]
    last = SESSION_DAYS[4]
    held = holding_of([*rows, (last, SessionState.FORMING, midnight_utc(last) + DAY - 9001, 1)])
    new = final(set(SESSION_DAYS[2:5]))
    assert held.candles.close[-1] != new.candles.close[-1]
    assert rebased(held, new).coverage.days.tolist() == SESSION_DAYS[:2]


def test_nothing_held_and_nothing_new() -> None:
    """Nothing is no basis."""
    held = final(set(SESSION_DAYS[:2]))
    assert rows_of(rebased(held, Holding.empty())) == rows_of(held)
    assert len(rebased(Holding.empty(), held)) == 0
    assert np.array_equal(rebased(held, held).coverage.days, [])
