"""What several holdings know together does not depend on how they are put together."""

from __future__ import annotations

from itertools import pairwise, permutations
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.strategies import SESSION_DAYS, Row, daily_rows, holding_of, holdings, rows_of
from ohlcache.domain.coverage import Coverage, Holding, SessionState, merge
from ohlcache.domain.market_time import midnight_utc

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY = 86_400


def by_brute_force(many: Sequence[Sequence[Row]]) -> list[Row]:
    """Return row by row what wins: the earliest FINAL, else the latest word, ties by content."""
    winners = {}
    for row in (row for rows in many for row in rows):
        day, state, at, count = row
        final = state is SessionState.FINAL
        rank = (not final, at if final else -at, int(state), -count)
        if day not in winners or rank < winners[day][0]:
            winners[day] = (rank, row)
    return [winners[day][1] for day in sorted(winners)]


@given(st.lists(daily_rows(), max_size=5))
def test_merging_is_what_brute_force_says(many: list[list[Row]]) -> None:
    """B11, D6: for every session the earliest FINAL observation, else the latest; candles and actions go along."""
    merged = merge([holding_of(rows) for rows in many])
    assert rows_of(merged) == rows_of(holding_of(by_brute_force(many)))


@given(holdings(), holdings(), holdings())
def test_merging_is_commutative_associative_idempotent(one: Holding, two: Holding, three: Holding) -> None:
    """D6, D9: in any order and any grouping, once or twice."""
    whole = rows_of(merge([one, two, three]))
    assert all(rows_of(merge(list(order))) == whole for order in permutations([one, two, three]))
    assert rows_of(merge([merge([one, two]), three])) == rows_of(merge([one, merge([two, three])])) == whole
    assert rows_of(merge([one, one])) == rows_of(one)
    assert rows_of(merge([one, Holding.empty()])) == rows_of(one)


@given(daily_rows(), daily_rows(), st.sets(st.sampled_from(SESSION_DAYS), max_size=4))
def test_actions_stay_with_their_sessions(one: list[Row], two: list[Row], splits: set[int]) -> None:
    """G12: a split is told once, by whichever observation of its day wins, in order of days."""
    merged = merge([holding_of(one, split_days=splits), holding_of(two, split_days=splits)])
    known = {row[0] for row in [*one, *two]}
    assert merged.actions.days.tolist() == sorted(splits & known)


@given(st.lists(holdings(states=[SessionState.FINAL]), max_size=6))
def test_once_final_never_changes(seen: list[Holding]) -> None:
    """D6: whatever is learnt later, a final session keeps the candles of its earliest observation."""
    known = [merge(seen[: n + 1]) for n in range(len(seen))]
    for before, after in pairwise(known):
        later = {row[0]: row for row in rows_of(after)}
        for day, state, at, candles in rows_of(before):
            assert later[day][1] == state == SessionState.FINAL
            assert later[day][2] < at or later[day] == (day, state, at, candles)


@given(holdings(), st.sets(st.sampled_from(SESSION_DAYS)))
def test_selecting_keeps_whole_sessions(holding: Holding, wanted: set[int]) -> None:
    """D7: a part of a holding has the sessions asked for, each with all its candles."""
    part = holding.select(np.isin(holding.coverage.days, list(wanted)))
    assert rows_of(part) == [row for row in rows_of(holding) if row[0] in wanted]
    first, last = SESSION_DAYS[3], SESSION_DAYS[-7]
    assert rows_of(holding.between(first, last)) == [row for row in rows_of(holding) if first <= row[0] <= last]


@given(daily_rows(), st.integers(0, len(SESSION_DAYS) - 1), st.integers(0, len(SESSION_DAYS) - 1))
def test_a_part_has_the_actions_of_its_days(rows: list[Row], one: int, other: int) -> None:
    """G12: those of its first and of its last day, too."""
    first, last = sorted((SESSION_DAYS[one], SESSION_DAYS[other]))
    holding = holding_of(rows, split_days=SESSION_DAYS)
    part = holding.between(first, last)
    assert part.actions.days.tolist() == part.coverage.days.tolist()
    assert part.coverage.days.tolist() == [row[0] for row in rows if first <= row[0] <= last]
    assert holding.select(holding.coverage.days >= first).actions.days.tolist() == [d for d, *_ in rows if d >= first]


@given(daily_rows(), st.integers(-2 * DAY, 400 * DAY), st.sampled_from([0.0, 90.0 * DAY]))
def test_what_is_relied_on(rows: list[Row], later: int, life: float) -> None:
    """C1, C2, C7, T3: final for its life (0: for ever), forming 5 minutes, rejected 5 s, neither from the future."""
    holding = holding_of(rows)
    now = midnight_utc(SESSION_DAYS[10]) + later
    relied = holding.coverage.valid(now, life).tolist()
    for ok, (day, state, at, _) in zip(relied, sorted(rows), strict=True):
        age = now - at
        if state is SessionState.FORMING:
            assert ok == (-300 <= age < 300)
        elif state is SessionState.REJECTED:
            assert ok == (-300 <= age < 5)
        elif state is SessionState.KNOWN_EMPTY:
            assert ok == (age < min(max(at - midnight_utc(day) - DAY, 300), DAY))
        else:
            assert ok == (not life or age < life)


def test_a_forming_word_from_ahead_is_believed_up_to_the_skew_of_honest_clocks() -> None:
    """C7: five minutes, and not a second more."""
    now = float(midnight_utc(SESSION_DAYS[1]))
    for ahead, relied in ((300, True), (301, False)):
        row: Row = (SESSION_DAYS[0], SessionState.FORMING, int(now) + ahead, 1)
        assert holding_of([row]).coverage.valid(now, 90.0 * DAY).tolist() == [relied]


def test_where_a_ticker_begins() -> None:
    """G11: after the last day that is called unlisted; nowhere where candles of before are known."""
    days = SESSION_DAYS[:4]
    later: list[Row] = [(day, SessionState.FINAL, midnight_utc(day) + DAY, 1) for day in days[2:]]
    unlisted = Holding.unlisted(np.asarray(days[:2], np.int32), 5e8)
    assert merge([unlisted, holding_of(later)]).coverage.unlisted_through == days[1]
    assert rows_of(unlisted) == [(day, SessionState.UNLISTED, 500_000_000, b"") for day in days[:2]]
    earlier: list[Row] = [(days[0], SessionState.FINAL, midnight_utc(days[0]) + DAY, 1)]
    known = merge([holding_of(earlier), Holding.unlisted(np.asarray(days[1:2], np.int32), 5e8)])
    assert known.coverage.unlisted_through == 0
    assert holding_of(later).coverage.unlisted_through == Coverage.empty().unlisted_through == 0


def test_a_small_part_keeps_nothing_else_in_memory() -> None:
    """E12: a week of a year is a copy; all of it but a day is the same columns, seen through a window."""
    whole = holding_of([(day, SessionState.FINAL, midnight_utc(day) + DAY, 1) for day in SESSION_DAYS])
    week = whole.between(SESSION_DAYS[0], SESSION_DAYS[4])
    most = whole.between(SESSION_DAYS[1], SESSION_DAYS[-1])
    assert not np.shares_memory(week.candles.close, whole.candles.close)
    assert np.shares_memory(most.candles.close, whole.candles.close)
    assert rows_of(week) == rows_of(whole)[:5]
    assert rows_of(most) == rows_of(whole)[1:]


def test_every_candle_belongs_to_a_session() -> None:
    """A holding whose counts do not add up is a bug of the caller."""
    holding = holding_of([(SESSION_DAYS[0], SessionState.FINAL, midnight_utc(SESSION_DAYS[0]) + DAY, 1)])
    with pytest.raises(AssertionError, match="covered session"):
        Holding(Coverage.empty(), holding.candles, holding.actions)
