"""Cutting, naming and folding chunks loses nothing, whatever is written, deleted and in which order."""

from __future__ import annotations

import math
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.strategies import SESSION_DAYS, holding_of, holdings, resolutions, rows_of
from ohlcache.domain.chunks import FOLD_CHUNKS_MIN, Chunk, ChunkName, cell_start, cut, fold
from ohlcache.domain.coverage import Holding, SessionState, merge
from ohlcache.domain.market_time import midnight_utc
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.series import Series

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from ohlcache.domain.coverage import Coverage

SERIES = Series("AAPL", "tiingo", Resolution.DAY)
DAY = 86_400
LIFE = 90.0 * DAY


def everything(coverage: Coverage) -> NDArray[np.bool_]:
    return np.ones(len(coverage), np.bool_)


def known_of(chunks: Iterable[Chunk]) -> list[tuple[int, int, int, bytes]]:
    return rows_of(merge([chunk.holding for chunk in chunks]))


@given(holdings())
def test_cutting_loses_nothing(holding: Holding) -> None:
    """B12, D7: chunks of one cut are disjoint, keep to their cells, hold what is unsettled apart, and are the whole."""
    chunks = cut(SERIES, holding)
    assert known_of(chunks) == rows_of(holding)
    assert sum(len(chunk.holding) for chunk in chunks) == len(holding)
    for chunk in chunks:
        days = [date.fromordinal(int(day)) for day in chunk.holding.coverage.days]
        assert {cell_start(day, SERIES.resolution) for day in days} == {cell_start(days[0], SERIES.resolution)}
        unsettled = (SessionState.FORMING, SessionState.REJECTED)
        assert {state in unsettled for state in chunk.holding.coverage.states} == {chunk.name.forming}
        assert (chunk.name.first_day, chunk.last_day) == (days[0], days[-1])


@given(holdings(), holdings())
def test_a_name_is_its_content(one: Holding, other: Holding) -> None:
    """D6, S6: equal content has equal names, other content another one: writing twice is writing once."""
    for a in cut(SERIES, one):
        for b in cut(SERIES, other):
            same = rows_of(a.holding) == rows_of(b.holding) and a.holding.actions == b.holding.actions
            assert (a.name == b.name) == same
    assert [chunk.name for chunk in cut(SERIES, one)] == [chunk.name for chunk in cut(SERIES, merge([one, one]))]


class Shelf:
    """A store in its simplest form."""

    def __init__(self) -> None:
        self.chunks: dict[ChunkName, Chunk] = {}

    def write(self, chunks: Iterable[Chunk], delete: Iterable[Chunk]) -> None:
        self.chunks.update((chunk.name, chunk) for chunk in chunks)
        for chunk in delete:
            self.chunks.pop(chunk.name, None)


@given(st.lists(holdings(), max_size=14))
def test_writing_and_deleting_never_loses_a_session(written: list[Holding]) -> None:
    """E16, E27, D7: after every write, between its two halves too, the store knows what all writes together said."""
    shelf, said = Shelf(), []
    for holding in written:
        said.append(holding)
        write, delete = fold(cut(SERIES, holding), list(shelf.chunks.values()), everything)
        shelf.write(write, [])
        settled = [row for row in rows_of(merge(said)) if row[1] == SessionState.FINAL]
        assert [row for row in known_of(shelf.chunks.values()) if row[1] == SessionState.FINAL] == settled
        shelf.write([], delete)
        after = known_of(shelf.chunks.values())
        assert [row for row in after if row[1] == SessionState.FINAL] == settled
        assert [row[0] for row in after] == [row[0] for row in rows_of(merge(said))]


@given(holdings(), holdings(), holdings())
def test_two_writers_that_do_not_know_of_each_other(before: Holding, one: Holding, other: Holding) -> None:
    """D6, F8: both fold the same held chunks, in either order; every final word of both is there."""
    held = cut(SERIES, before)
    steps = [fold(cut(SERIES, new), held, everything) for new in (one, other)]
    for order in (steps, steps[::-1]):
        shelf = Shelf()
        shelf.write(held, [])
        for write, delete in order:
            shelf.write(write, delete)
        final = [row for row in known_of(shelf.chunks.values()) if row[1] == SessionState.FINAL]
        assert final == [row for row in rows_of(merge([before, one, other])) if row[1] == SessionState.FINAL]


def evening(day: int, *, at: int | None = None) -> Holding:
    return holding_of([(day, SessionState.FINAL, at if at is not None else midnight_utc(day) + DAY, 1)])


def test_many_small_chunks_become_one() -> None:
    """T1: a cell is folded as soon as it would hold eight settled chunks."""
    shelf = Shelf()
    days = [day for day in SESSION_DAYS if date.fromordinal(day).year == 2024]
    most = 0
    for day in days:
        write, delete = fold(cut(SERIES, evening(day)), list(shelf.chunks.values()), everything)
        shelf.write(write, delete)
        most = max(most, len(shelf.chunks))
    assert most == FOLD_CHUNKS_MIN - 1 == 7
    assert [row[0] for row in known_of(shelf.chunks.values())] == days


def test_what_is_written_is_not_deleted() -> None:
    """E16: a cell that is folded into what one of its chunks holds already keeps that chunk."""
    days = [day for day in SESSION_DAYS if date.fromordinal(day).year == 2024][:8]
    whole = Chunk(SERIES, merge([evening(day) for day in days]))
    held = [whole, *(Chunk(SERIES, evening(day)) for day in days[1:7])]
    write, delete = fold(cut(SERIES, evening(days[0])), held, everything)
    assert [chunk.name for chunk in write] == [whole.name]
    assert {chunk.name for chunk in delete} == {chunk.name for chunk in held[1:]}


def test_an_expired_word_does_not_outvote_its_successor() -> None:
    """C11: a session that was fetched again after it had expired is held as new, also when its cell is folded."""
    days = [day for day in SESSION_DAYS if date.fromordinal(day).year == 2024][:8]
    now = midnight_utc(days[0]) + 100 * DAY
    held = [Chunk(SERIES, evening(day)) for day in days[1:]]
    old = Chunk(SERIES, merge([evening(days[0]), evening(days[7], at=now - DAY)]))
    fresh = evening(days[0], at=now)
    write, delete = fold(cut(SERIES, fresh), [*held, old], lambda coverage: coverage.valid(now, LIFE))
    shelf = Shelf()
    shelf.write([*held, old], [])
    shelf.write(write, delete)
    relied = merge([c.holding.select(c.holding.coverage.valid(now, LIFE)) for c in shelf.chunks.values()])
    assert rows_of(fresh)[0] in rows_of(relied)


def test_a_forming_chunk_goes_when_it_is_outdone() -> None:
    """C2, T3: a later word on the same session replaces the forming chunk; an earlier one, from a late writer, does not."""
    day = SESSION_DAYS[-1]
    noon, later, final = (midnight_utc(day) + DAY * n // 4 for n in (3, 4, 5))
    forming = [Chunk(SERIES, holding_of([(day, SessionState.FORMING, at, 1)])) for at in (noon, later)]
    settled = Chunk(SERIES, holding_of([(day, SessionState.FINAL, final, 1)]))
    assert fold([forming[1]], [forming[0]], everything) == ([forming[1]], [forming[0]])
    assert fold([forming[0]], [forming[1]], everything) == ([forming[0]], [])
    assert fold([settled], [forming[1]], everything) == ([settled], [forming[1]])
    assert fold([forming[1]], [settled], everything) == ([forming[1]], [])


@given(st.dates(date(1970, 1, 1), date(2028, 12, 31)), resolutions)
def test_cells_are_calendar_periods(day: date, resolution: Resolution) -> None:
    """A cell begins on the first of a month, holds its own start, and the next one begins where it ends."""
    start = cell_start(day, resolution)
    assert start <= day
    assert start.day == 1
    assert cell_start(start, resolution) == start
    if resolution.is_daily:
        assert start == date(day.year, 1, 1)


@given(holdings())
def test_a_chunk_is_kept_as_long_as_its_newest_row(holding: Holding) -> None:
    """C1, S7, W1: a store keeps a chunk for the whole retention after its newest reply, also what was forming then."""
    for chunk in cut(SERIES, holding):
        until = chunk.expires_at(LIFE)
        assert not chunk.holding.coverage.valid(until, LIFE).any()
        assert until == chunk.holding.coverage.observed_at.max() + LIFE
        assert chunk.expires_at(0) == math.inf


@pytest.mark.parametrize(
    "text",
    ["", "D#2024-01-02", "D#2024-01-02#abc", "D#2024-01-02#0123456789abcdef#old", "X#2024-01-02#0123456789abcdef"],
)
def test_what_is_no_chunk_name_is_refused(text: str) -> None:
    """A6: foreign sort keys are told apart."""
    with pytest.raises(ValueError, match=r"."):
        ChunkName.parse(text)


@pytest.mark.parametrize(
    ("resolution", "starts"),
    [
        ("1", "2024-12-01"),
        ("5", "2024-12-01"),
        ("15", "2024-10-01"),
        ("30", "2024-10-01"),
        ("60", "2024-10-01"),
        ("D", "2024-01-01"),
    ],
)
def test_the_cells(resolution: str, starts: str) -> None:
    """Days are cut by years, minutes by quarters or months: what is stored stays where it is looked for."""
    assert cell_start(date(2024, 12, 30), Resolution(resolution)).isoformat() == starts


def test_folding_keeps_what_has_expired_and_nothing_replaces() -> None:
    """W1, C1: a session past its retention that the new reply leaves out is in the folded chunk: it may be served yet."""
    days = [day for day in SESSION_DAYS if date.fromordinal(day).year == 2024][:FOLD_CHUNKS_MIN]
    held = [Chunk(SERIES, evening(day)) for day in days[:-1]]
    now = midnight_utc(days[3]) + LIFE
    (whole,), gone = fold(cut(SERIES, evening(days[-1])), held, lambda coverage: coverage.valid(now, LIFE))
    assert {chunk.name for chunk in gone} == {chunk.name for chunk in held}
    assert whole.holding.coverage.days.tolist() == days
    assert not whole.holding.coverage.valid(now, LIFE).all()
