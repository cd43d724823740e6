"""Candles are columns that can be true; what cannot is named by its column."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohlcache.domain.candles import Candles, check_possible
from ohlcache.domain.errors import VendorGarbage

prices = st.floats(0.01, 1e6, allow_nan=False)


@st.composite
def possible(draw: st.DrawFn) -> Candles:
    """Draw candles that can be true."""
    count = draw(st.integers(1, 20))
    quotes = [sorted(draw(st.lists(prices, min_size=4, max_size=4))) for _ in range(count)]
    times = sorted(draw(st.sets(st.integers(0, 2**33), min_size=count, max_size=count)))
    volumes = draw(st.lists(st.integers(0, 2**62), min_size=count, max_size=count))
    low, one, other, high = zip(*quotes, strict=True)
    return Candles.from_columns(times, one, high, low, other, volumes)


@given(possible())
def test_what_can_be_true_passes(candles: Candles) -> None:
    """B2, B5, B7: any volume from 0 up, open and close anywhere between low and high."""
    check_possible(candles)


def spoilt(candles: Candles, column: str, row: int, value: float) -> Candles:
    columns = {name: getattr(candles, name).copy() for name in ("time", "open", "high", "low", "close", "volume")}
    columns[column][row] = value
    return Candles(**columns)


@given(possible(), st.sampled_from(["open", "high", "low", "close"]), st.data())
def test_a_price_is_a_positive_number(candles: Candles, column: str, data: st.DataObject) -> None:
    """B8, B9: negative, zero, NaN and infinite prices are impossible."""
    row = data.draw(st.integers(0, len(candles) - 1))
    value = data.draw(st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -1.0]))
    with pytest.raises(VendorGarbage, match=column):
        check_possible(spoilt(candles, column, row, value))


@given(possible(), st.data())
def test_relations_are_checked(candles: Candles, data: st.DataObject) -> None:
    """B4, B5, B8: high below low, open or close outside, negative volume, times that do not ascend."""
    row = data.draw(st.integers(0, len(candles) - 1))
    for column, value in (
        ("high", float(candles.low[row]) / 2),
        ("low", float(candles.high[row]) * 2),
        ("open", float(candles.high[row]) * 2),
        ("close", float(candles.low[row]) / 2),
        ("volume", -1),
    ):
        with pytest.raises(VendorGarbage):
            check_possible(spoilt(candles, column, row, value))
    doubled = Candles.concatenate([candles, candles[-1:]])
    with pytest.raises(VendorGarbage, match="order"):
        check_possible(doubled)


@given(possible(), st.integers(0, 20))
def test_cut_and_joined_is_the_same(candles: Candles, where: int) -> None:
    """B1, B12: no field is lost and no bit changes; equality is of bits, NaN included."""
    parts = [candles[:where], candles[where:]]
    joined = Candles.concatenate(parts)
    assert joined == candles
    assert hash(joined) == hash(candles)
    assert [column.dtype for column in joined.columns()] == [np.int64, *[np.float64] * 4, np.int64]
    unknown = spoilt(candles, "close", 0, math.nan)
    assert unknown == spoilt(candles, "close", 0, math.nan)
    assert (candles == "candles") is False
    assert unknown != candles
    assert candles != "candles"


def test_nothing_is_candles_too() -> None:
    """An empty answer is possible, takes no memory and joins with anything."""
    check_possible(Candles.empty())
    assert len(Candles.concatenate([])) == Candles.empty().nbytes == 0
