"""Answers as Tiingo writes them: its names, its order of columns, its dates, and its weeks, months and years.

Daily rows carry raw and adjusted prices side by side, with the dividend and the split of each ex-date. As recorded from
2018 to 2021: with dates the columns come in the order below, without dates (the newest row) by name, the date in
another format.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from ohlcache.domain.errors import InvalidRequest
from ohlcache.domain.span import Span
from ohlcache.http.encodings import days_of, instants_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ohlcache.domain.answer import Answer

DAILY_COLUMNS = (
    *("close", "high", "low", "open", "volume"),
    *("adjClose", "adjHigh", "adjLow", "adjOpen", "adjVolume"),
    *("divCash", "splitFactor"),
)
IEX_COLUMNS = ("open", "high", "low", "close", "volume")
IEX_COLUMNS_DEFAULT = ("close", "high", "low", "open")

_encode_json = msgspec.json.Encoder().encode


class Style(StrEnum):
    """How rows are written; the value is what ``format=`` takes."""

    JSON = "json"
    CSV = "csv"


class Frequency(StrEnum):
    """How many days one row of end-of-day prices stands for; the value is what ``resampleFreq=`` takes."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    ANNUALLY = "annually"

    def period(self, day: date) -> Span:
        """Return the period that ``day`` lies in; a week ends on Friday, traded or not, and a weekend comes after."""
        if self is Frequency.WEEKLY:
            monday = day - timedelta(days=day.weekday())
            return Span(monday, monday + timedelta(days=4))
        if self is Frequency.MONTHLY:
            following = date(day.year + day.month // 12, day.month % 12 + 1, 1)
            return Span(day.replace(day=1), following - timedelta(days=1))
        if self is Frequency.ANNUALLY:
            return Span(date(day.year, 1, 1), date(day.year, 12, 31))
        return Span(day, day)

    def covering(self, span: Span) -> Span:
        """Return ``span`` with the periods that it begins and ends in made whole."""
        first = self.period(span.start)
        return Span(first.start if span.start <= first.end else span.start, max(span.end, self.period(span.end).end))


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows as columns of equal length, oldest first; ``dates`` as Tiingo's CSV has them."""

    dates: list[str]
    columns: dict[str, list[float] | list[int]]

    def __len__(self) -> int:
        return len(self.dates)

    def newest(self) -> Rows:
        """Return the last row alone."""
        return Rows(self.dates[-1:], {name: column[-1:] for name, column in self.columns.items()})

    def backwards(self) -> Rows:
        """Return the rows newest first."""
        return Rows(self.dates[::-1], {name: column[::-1] for name, column in self.columns.items()})

    def only(self, names: Sequence[str]) -> Rows:
        """Return the columns of ``names`` beside the date, in their order; InvalidRequest when there is no such one."""
        names = [name for name in names if name != "date"]
        unknown = next((name for name in names if name not in self.columns), None)
        if unknown is not None:
            raise InvalidRequest(
                f"There is no column {unknown[:20]!r}.", hint=f"Use some of {','.join(self.columns)}.", field="columns"
            )
        return Rows(self.dates, {name: self.columns[name] for name in names})

    def written(self, style: Style, suffix: str, *, by_name: bool = False) -> bytes:
        """Return the rows as bytes; in JSON ``suffix`` follows each date, and the columns are sorted ``by_name``."""
        names = ("date", *self.columns)
        if style is Style.CSV:
            lines = [",".join(map(str, row)) for row in zip(self.dates, *self.columns.values(), strict=True)]
            return "\n".join([",".join(names), *lines, ""]).encode()
        columns = {"date": [day + suffix for day in self.dates], **self.columns}
        if by_name:
            names = tuple(sorted(names))
        rows = zip(*(columns[name] for name in names), strict=True)
        return _encode_json([dict(zip(names, row, strict=True)) for row in rows])


def daily_rows(answer: Answer, frequency: Frequency) -> Rows:
    """Return end-of-day rows of an answer that has the raw candles too."""
    raw, adjusted = answer.raw, answer.candles
    assert raw is not None, "the request wanted the raw candles too"
    days = days_of(answer)
    dividends, splits = np.zeros(len(days)), np.ones(len(days))
    # A session may have an action and no candle.
    at = answer.days.searchsorted(answer.actions.days)
    here = np.isin(answer.actions.days, answer.days)
    dividends[at[here]], splits[at[here]] = answer.actions.dividends[here], answer.actions.splits[here]
    columns: dict[str, NDArray[np.float64] | NDArray[np.int64]] = {}
    for name, candles in (("{}", raw), ("adj{}", adjusted)):
        for field in ("close", "high", "low", "open", "volume"):
            word = field if name == "{}" else field.capitalize()
            columns[name.format(word)] = getattr(candles, field)
    columns |= {"divCash": dividends, "splitFactor": splits}
    if frequency is not Frequency.DAILY:
        days, columns = _resampled(days, columns, frequency)
    return Rows([day.isoformat() for day in days], {name: column.tolist() for name, column in columns.items()})


def iex_rows(answer: Answer) -> Rows:
    """Return bars of minutes; the volume is a float, as IEX's is."""
    candles = answer.candles
    columns = {name: getattr(candles, name).astype(np.float64).tolist() for name in IEX_COLUMNS}
    return Rows([f"{instant[:-1]}.000Z" for instant in instants_of(answer)], columns)


def _resampled(
    days: list[date], columns: dict[str, NDArray[np.float64] | NDArray[np.int64]], frequency: Frequency
) -> tuple[list[date], dict[str, NDArray[np.float64] | NDArray[np.int64]]]:
    """Return one row per period, dated by the period's last day."""
    if not days:
        return days, columns
    periods = [(end, len(list(group))) for end, group in groupby(frequency.period(day).end for day in days)]
    lengths = np.array([length for _, length in periods])
    last = np.cumsum(lengths) - 1
    first = last - lengths + 1
    made = {}
    for name, column in columns.items():
        word = name.removeprefix("adj").lower()
        if word == "open":
            made[name] = column[first]
        elif word == "close":
            made[name] = column[last]
        else:
            made[name] = _ACROSS[word].reduceat(column, first)
    return [end for end, _ in periods], made


_ACROSS = {
    "high": np.maximum,
    "low": np.minimum,
    "volume": np.add,
    "divcash": np.add,
    "splitfactor": np.multiply,
}
