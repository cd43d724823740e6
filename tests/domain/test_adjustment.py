"""Splits and dividends on reading: the formula, and that no window changes a bit of it."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.strategies import CALENDAR
from ohlcache.domain.adjustment import Actions, Adjustment, adjust
from ohlcache.domain.candles import Candles
from ohlcache.domain.errors import InvalidRequest
from ohlcache.domain.market_time import midnight_utc
from ohlcache.domain.span import Span

DAYS: list[int] = CALENDAR.between(Span(date(2024, 1, 2), date(2024, 4, 30))).days.tolist()
ratios = st.sampled_from([2.0, 4.0, 7.0, 20.0, 0.1, 1.5, 1.0])
cash = st.sampled_from([0.0, 0.24, 1.1, 0.0])

actions_made = st.lists(
    st.tuples(st.sampled_from(DAYS), cash, ratios, st.floats(5, 500)), max_size=6, unique_by=lambda row: row[0]
).map(lambda rows: Actions.from_rows(sorted(rows)))


def candles_of(days: list[int], close: float = 100.0) -> Candles:
    price = np.asarray([close + day % 17 / 3 for day in days])
    times = [midnight_utc(day) for day in days]
    return Candles.from_columns(times, price, price * 1.01, price * 0.99, price, [1000 + day % 97 for day in days])


def naive(day: int, actions: Actions) -> tuple[float, float]:
    """Return the dividend factor and the split ratio of one day, as the definition says it, newest first."""
    kept, split = 1.0, 1.0
    rows = zip(*(column.tolist() for column in actions.columns()), strict=True)
    for ex, dividend, ratio, close in sorted(rows, reverse=True):
        if ex > day:
            kept *= close / (close + dividend)
            split *= ratio
    return kept, split


@given(actions_made, st.sampled_from([Adjustment.SPLITS, Adjustment.ALL]))
def test_the_formula(actions: Actions, adjustment: Adjustment) -> None:
    """G12: every candle before an ex-date is scaled by close / (close + dividend) and divided by the split; volume by splits."""
    raw, days = candles_of(DAYS), np.asarray(DAYS, np.int32)
    adjusted = adjust(raw, days, actions, adjustment)
    for n, day in enumerate(DAYS):
        kept, split = naive(day, actions)
        kept = kept if adjustment is Adjustment.ALL else 1.0
        for name in ("open", "high", "low", "close"):
            assert getattr(adjusted, name)[n] == getattr(raw, name)[n] * kept / split
        assert adjusted.volume[n] == (raw.volume[n] if split == 1.0 else round(float(raw.volume[n] * split)))
    assert adjusted.time.tolist() == raw.time.tolist()


@given(actions_made, st.sampled_from(list(Adjustment)), st.integers(0, len(DAYS) - 1), st.integers(0, len(DAYS)))
def test_a_window_changes_no_bit(actions: Actions, adjustment: Adjustment, start: int, length: int) -> None:
    """B1, B11: a part of the candles, with the actions from its first day on, is that part of the whole to the bit."""
    raw, days = candles_of(DAYS), np.asarray(DAYS, np.int32)
    part = slice(start, start + length)
    whole = adjust(raw, days, actions, adjustment)[part]
    assert adjust(raw[part], days[part], actions, adjustment) == whole
    from_there = actions[actions.days >= DAYS[start]]
    assert adjust(raw[part], days[part], from_there, adjustment) == whole


@given(actions_made)
def test_raw_is_handed_through(actions: Actions) -> None:
    """B1: without adjustment, and after the last action, not a bit changes."""
    raw, days = candles_of(DAYS), np.asarray(DAYS, np.int32)
    assert adjust(raw, days, actions, Adjustment.NONE) is raw
    last = int(actions.days[-1]) if len(actions) else DAYS[0]
    later = days >= last
    assert adjust(raw, days, actions, Adjustment.ALL)[later] == raw[later]


@given(
    st.lists(st.tuples(st.sampled_from(DAYS), cash, ratios, st.floats(5, 500)), max_size=8, unique_by=lambda r: r[0])
)
def test_only_rows_with_an_action_are_actions(rows: list[tuple[int, float, float, float]]) -> None:
    """B12: a dividend or a split makes an action; an ordinary row does not."""
    kept = [row for row in sorted(rows) if row[1] != 0.0 or row[2] != 1.0]
    actions = Actions.from_rows(sorted(rows))
    assert list(zip(*(column.tolist() for column in actions.columns()), strict=True)) == kept
    assert Actions.concatenate([actions[:1], actions[1:], Actions.none()]) == actions
    assert hash(actions) == hash(actions[:])
    assert actions != "actions"


def test_the_names() -> None:
    """E21: an unknown adjustment is refused with the list."""
    assert [Adjustment.parse(name) for name in ("splits", "all", "none")] == list(Adjustment)
    with pytest.raises(InvalidRequest, match="dividends") as refused:
        Adjustment.parse("dividends")
    assert refused.value.field == "adjust"
