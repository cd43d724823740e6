"""The trading sessions of one exchange: which days, from when to when, half-days and closures included.

Everything is columns: ``days`` are proleptic ordinals of market dates (int32), ``opens`` and ``closes`` are epoch
seconds UTC (int64). The table is data that ships with the package; it has a first and a last day and refuses to
guess beyond them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from ohlcache.domain.errors import InvalidRequest
from ohlcache.domain.market_time import midnight_utc, ordinal_of
from ohlcache.domain.span import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ohlcache.domain.resolution import Resolution

    Int32s = NDArray[np.int32]
    Int64s = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Sessions:
    """Consecutive sessions, ascending; three columns of equal length."""

    days: Int32s
    opens: Int64s
    closes: Int64s

    def __len__(self) -> int:
        return len(self.days)

    def __getitem__(self, part: slice | NDArray[np.bool_]) -> Sessions:
        return Sessions(self.days[part], self.opens[part], self.closes[part])

    def dates(self) -> Iterator[date]:
        """Yield the market dates."""
        return (date.fromordinal(int(day)) for day in self.days)

    @property
    def span(self) -> Span:
        """The span from the first session to the last; only of a non-empty run."""
        return Span(date.fromordinal(int(self.days[0])), date.fromordinal(int(self.days[-1])))

    def candles_in_each(self, resolution: Resolution) -> Int64s:
        """Return how many candles each session has when complete: 1 daily, else the bars begun before the close."""
        if resolution.is_daily:
            return np.ones(len(self), np.int64)
        return -((self.opens - self.closes) // resolution.seconds)

    def candle_opens(self, resolution: Resolution) -> Int64s:
        """Return the open time of every candle of every session, epoch seconds; intraday resolutions only."""
        counts = self.candles_in_each(resolution)
        starts = np.repeat(self.opens, counts)
        first = np.repeat(np.cumsum(counts) - counts, counts)
        return starts + (np.arange(len(starts)) - first) * resolution.seconds

    def locate(self, times: Int64s, resolution: Resolution) -> Int64s:
        """Return for each candle time the index of its session here, or -1 where it lies in none.

        Daily times are 00:00 UTC of the market date. An intraday candle belongs to a session if its bar overlaps the
        session's hours: vendors that label hourly bars by the clock start the first one before the bell.
        """
        if not len(self):
            return np.full(len(times), -1, np.int64)
        if resolution.is_daily:
            ordinals = ordinal_of(times)
            index = np.searchsorted(self.days, ordinals)
            index = np.minimum(index, len(self) - 1)
            inside = (self.days[index] == ordinals) & (midnight_utc(ordinals) == times)
        else:
            index = np.searchsorted(self.opens, times + resolution.seconds, side="left") - 1
            inside = (index >= 0) & (times < self.closes[np.maximum(index, 0)])
        return np.where(inside, index, -1).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class SessionTable:
    """All sessions of the exchange that are known, with the version of the calendar they were generated from."""

    version: str
    days: Int32s
    opens: Int64s
    closes: Int64s
    span: Span = field(init=False)
    """The dates this table can speak about."""

    def __post_init__(self) -> None:
        span = Span(date.fromordinal(int(self.days[0])), date.fromordinal(int(self.days[-1])))
        object.__setattr__(self, "span", span)

    def between(self, span: Span) -> Sessions:
        """Return the sessions of ``span``; InvalidRequest when it leaves the table.

        New Year's Day of the table's first year is known to be none: whoever wants everything begins there.
        """
        known = Span(date(self.span.start.year, 1, 1), self.span.end)
        if not known.covers(span):
            raise InvalidRequest(
                f"No exchange calendar for {span}.",
                hint=f"Ask within {known}, for example start_date=2024-01-02&end_date=2024-03-28.",
                field="start_date" if span.start < known.start else "end_date",
            )
        low, high = self._count_before(span.start), self._count_through(span.end)
        return Sessions(self.days[low:high], self.opens[low:high], self.closes[low:high])

    def back_from(self, day: date, count: int) -> date:
        """Return the market date of the ``count``-th session back from ``day`` (1: the last on or before it)."""
        index = self._count_through(day) - count
        return date.fromordinal(int(self.days[max(index, 0)]))

    def before(self, day: date, count: int) -> Int32s:
        """Return the day ordinals of the last ``count`` sessions before ``day``, ascending; fewer where it begins."""
        end = self._count_before(day)
        return self.days[max(0, end - count) : end]

    def last_on_or_before(self, day: date) -> date | None:
        """Return the last session's market date on or before ``day``, or None where the table begins later."""
        index = self._count_through(day) - 1
        return date.fromordinal(int(self.days[index])) if index >= 0 else None

    def open_of(self, day: date) -> int | None:
        """Return the opening instant of the session on ``day``, or None where there is none."""
        index = self._index_of(day)
        return None if index is None else int(self.opens[index])

    def close_of(self, day: date) -> int | None:
        """Return the closing instant of the session on ``day``, or None where there is none."""
        index = self._index_of(day)
        return None if index is None else int(self.closes[index])

    def next_after(self, day: date) -> date | None:
        """Return the first session's market date after ``day``, or None where the table ends."""
        index = self._count_through(day)
        return date.fromordinal(int(self.days[index])) if index < len(self.days) else None

    def _index_of(self, day: date) -> int | None:
        index = self._count_before(day)
        return index if index < len(self.days) and self.days[index] == day.toordinal() else None

    # What is looked for has the column's type: for any other, numpy would convert all of the column first.

    def _count_before(self, day: date) -> int:
        return int(self.days.searchsorted(np.int32(day.toordinal())))

    def _count_through(self, day: date) -> int:
        return int(self.days.searchsorted(np.int32(day.toordinal()), "right"))
