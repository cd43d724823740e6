"""What cannot be true costs its own rows; order and repetition cost nothing."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.test_candles import possible as candles_that_can_be
from domain.test_candles import spoilt
from ohlcache.domain.candles import Candles, check_possible
from ohlcache.domain.market_time import midnight_utc
from ohlcache.domain.rejections import UNDATED, RejectedRow, all_possible, shortened, shown, sift
from ohlcache.domain.span import Span

BAD = {
    "open": [math.nan, math.inf, -1.0, 0.0],
    "high": [math.nan, math.inf, 1e-9],
    "low": [math.nan, -math.inf, 1e9],
    "close": [math.nan, 0.0, 1e9],
    "volume": [-1, -(2**62)],
}


@given(candles_that_can_be(), st.data())
def test_exactly_the_bad_rows_are_lost(candles: Candles, data: st.DataObject) -> None:
    """B4, B5, B8, B9: whichever rows are spoilt, shuffled and repeated, all others are kept, ascending, each once."""
    bad = data.draw(st.dictionaries(st.integers(0, len(candles) - 1), st.sampled_from(sorted(BAD)), max_size=5))
    sent = candles
    for row, column in bad.items():
        sent = spoilt(sent, column, row, data.draw(st.sampled_from(BAD[column])))
    rows = data.draw(
        st.permutations([*range(len(sent)), *data.draw(st.lists(st.integers(0, len(sent) - 1), max_size=3))])
    )
    sent = sent[np.asarray(rows)]
    sifted = sift(sent, daily=False)
    kept = sent[sifted.kept]
    assert kept == candles[np.array([row for row in range(len(candles)) if row not in bad], np.int64)]
    check_possible(kept)
    assert all_possible(sent) == (not bad and rows == sorted(set(rows)))
    assert {row.time for row in sifted.rejected} == {int(candles.time[row]) for row in bad}
    assert len(sifted.rejected) == len(bad)


@given(candles_that_can_be(), st.sampled_from(["open", "high", "low", "close", "volume"]))
def test_rows_that_contradict_one_another_are_none(candles: Candles, column: str) -> None:
    """B4: the time at which two rows differ is lost, and the first column in which they do is named."""
    value = {"open": candles.low[0], "high": candles.high[0] + 1, "low": candles.low[0] / 2, "close": candles.low[0]}
    other = spoilt(candles, column, 0, float(value.get(column, candles.volume[0] + 1)))
    sent = Candles.concatenate([candles, other[:1]])
    sifted = sift(sent, daily=False)
    same = other == candles
    assert sifted.kept.tolist() == list(range(0 if same else 1, len(candles)))
    assert {row.field for row in sifted.rejected} == (set() if same else {column})


MONDAY = date(2024, 6, 3).toordinal()


@pytest.mark.parametrize(
    ("times", "between"),
    [
        ([0, None, 2], (0, 2)), ([None, 1, 2], (None, 1)), ([0, 1, None], (1, None)), ([None], (None, None)),
        ([2, None, 0], (0, 2)), ([2, 1, None], (None, 1)), ([None, 2, 1], (2, None)), ([0, 3, None, 1], (None, None)),
    ],
)  # fmt: skip
def test_a_row_without_a_date_lies_between_its_neighbours(
    times: list[int | None], between: tuple[int | None, int | None]
) -> None:
    """B6: whether the reply runs forward or backward; where it does neither, nothing follows from a row's place."""
    column = [UNDATED if day is None else midnight_utc(MONDAY + day) for day in times]
    ones = [1.0] * len(times)
    sifted = sift(Candles.from_columns(column, ones, ones, ones, ones, [1] * len(times)), daily=True)
    (row,) = sifted.rejected
    assert row.between == tuple(None if day is None else midnight_utc(MONDAY + day) for day in between)
    assert not row.dated
    assert "between" in row.sentence


def test_milliseconds_are_no_dates() -> None:
    """B6: what lies beyond the calendar of any century is not a candle of then."""
    sent = Candles.from_columns([1_717_421_400_000], [1.0], [1.0], [1.0], [1.0], [1])
    assert not all_possible(sent)
    (row,) = sift(sent, daily=False).rejected
    assert (row.field, row.value, row.fault) == ("time", "1717421400000", "is no date")


def test_a_sentence_names_date_field_and_value() -> None:
    """B8: what a user needs to look it up at the vendor."""
    day = Span(date(2024, 6, 3), date(2024, 6, 3))
    row = RejectedRow(day, "open", "0", "is not a positive number")
    assert row.sentence == "The vendor's row of 2024-06-03 was rejected: open 0 is not a positive number."
    minute = RejectedRow(day, "high", "1.2", "is below close", 1_717_421_460)
    assert minute.sentence == "The vendor's row of 2024-06-03 09:31 was rejected: high 1.2 is below close."
    assert (shown(1.0), shown(0.1), len(shortened("x" * 99))) == ("1", "0.1", 40)
