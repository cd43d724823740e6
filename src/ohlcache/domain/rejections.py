"""Rows of a vendor's reply that cannot be true: found row by row, named by date, field and value, left out one by one.

An impossible row takes its own session with it (daily) or its own bar (intraday), and nothing else. Rows that are out
of order are sorted, identical ones are one; of rows that contradict one another none is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from ohlcache.domain.candles import PRICE_COLUMNS, ascend, impossible
from ohlcache.domain.market_time import NEW_YORK, market_date, midnight_utc, ordinal_of
from ohlcache.domain.span import Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from ohlcache.domain.candles import Candles

VALUE_CHARACTERS_MAX = 40

UNDATED = -(2**63)
"""The ``time`` of a row whose date cannot be read."""

EARLIEST, LATEST = midnight_utc(2), midnight_utc(date.max.toordinal())
"""Times outside name no market date: milliseconds are taken for a date far ahead."""

_NOTHING: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that was left out of the candles of a reply.

    ``days``: the market dates it may be of: one, unless its own date cannot be read; ``time``: the start of an intraday
    bar in epoch seconds, None for daily rows and where it cannot be read; ``field``: the wire's name of it; ``value``:
    as received, shortened to 40 characters; ``fault``: what is wrong with it, to be read after the value; ``between``:
    for a row without a readable date the times of the rows before and after it, None at an end of the reply.
    """

    days: Span
    field: str
    value: str
    fault: str
    time: int | None = None
    between: tuple[int | None, int | None] | None = None

    def __post_init__(self) -> None:
        assert len(self.value) <= VALUE_CHARACTERS_MAX, "a value goes into messages and logs"

    @property
    def day(self) -> date:
        """The market date, the first possible one where it cannot be read."""
        return self.days.start

    @property
    def dated(self) -> bool:
        """Whether its date can be read."""
        return self.between is None

    @property
    def sentence(self) -> str:
        """One sentence for a user: when, which field, which value, what is wrong with it."""
        when = f"{self.day}" if self.days.start == self.days.end else f"between {self.days.start} and {self.days.end}"
        if self.time is not None:
            when += f" {datetime.fromtimestamp(self.time, NEW_YORK):%H:%M}"
        return f"The vendor's row of {when} was rejected: {self.field} {self.value} {self.fault}."


@dataclass(frozen=True, slots=True)
class RowFault:
    """What is wrong with one row: the wire's field, its value (40 characters at most), and what to say after that."""

    field: str
    value: str
    fault: str


@dataclass(frozen=True, slots=True, eq=False)
class Sifted:
    """What a reply's rows are worth: ``kept`` are the indices of those that can be true, ascending by time."""

    kept: NDArray[np.int64]
    rejected: tuple[RejectedRow, ...] = ()


def shown(value: float) -> str:
    """Return a number as it goes into a message: a whole one without a fraction."""
    return shortened(repr(value).removesuffix(".0"))


def shortened(text: str) -> str:
    """Return ``text`` in 40 characters."""
    return text if len(text) <= VALUE_CHARACTERS_MAX else f"{text[: VALUE_CHARACTERS_MAX - 1]}…"


def all_possible(candles: Candles) -> bool:
    """Whether there is nothing to sift out."""
    if not len(candles):
        return True
    in_bounds = candles.time[0] >= EARLIEST and candles.time[-1] <= LATEST
    return bool(in_bounds) and ascend(candles) and not any(rows.any() for _, rows, _ in impossible(candles))


def sift(
    candles: Candles,
    *,
    daily: bool,
    faults: Mapping[int, RowFault] = _NOTHING,
    extra: Mapping[str, NDArray[Any]] = _NOTHING,
    words: Mapping[str, str] = _NOTHING,
) -> Sifted:
    """Return which rows of a reply can be true; ``candles`` has one row for each, in the order of the reply.

    ``faults``: what the parser found already, by row; ``extra``: further columns in which rows of one time have to
    agree; ``words``: the wire's names of our columns. The time of a row whose date cannot be read is UNDATED.
    """
    found = dict(faults)
    undated = (candles.time < EARLIEST) | (candles.time > LATEST)
    for row in np.flatnonzero(undated).tolist():
        found.setdefault(row, RowFault(words.get("time", "time"), shown(candles.time[row].item()), "is no date"))
    for name, rows, fault in impossible(candles):
        for row in np.flatnonzero(rows).tolist():
            value = getattr(candles, name)[row].item()
            found.setdefault(row, RowFault(words.get(name, name), shown(value), fault))
    order = np.argsort(candles.time, kind="stable")
    order = order[~undated[order]]
    own = {words.get(name, name): getattr(candles, name) for name in (*PRICE_COLUMNS, "volume")}
    twins = _twins(candles.time, order, {**own, **extra}, found)
    spoilt = np.isin(candles.time, candles.time[[row for row in found if not undated[row]]])
    kept = order[~spoilt[order] & ~np.isin(order, twins)]
    return Sifted(kept, _named(candles.time, undated, order, found, daily=daily))


def _twins(
    times: NDArray[np.int64], order: NDArray[np.int64], columns: Mapping[str, NDArray[Any]], found: dict[int, RowFault]
) -> list[int]:
    """Return the rows that repeat an earlier one to the bit; those of one time that differ are added to ``found``."""
    repeated = []
    for at in np.flatnonzero(np.diff(times[order]) == 0).tolist():
        one, other = int(order[at]), int(order[at + 1])
        different = (name for name, column in columns.items() if column[one].tobytes() != column[other].tobytes())
        name = next(different, None)
        if name is None:
            repeated.append(other)
            continue
        for row in (one, other):
            value = shown(columns[name][row].item())
            found.setdefault(row, RowFault(name, value, "contradicts another row of the same time"))
    return repeated


def _named(
    times: NDArray[np.int64],
    undated: NDArray[np.bool_],
    order: NDArray[np.int64],
    found: Mapping[int, RowFault],
    *,
    daily: bool,
) -> tuple[RejectedRow, ...]:
    """Return the faulty rows by name, ascending by time, those without a date at the end; each once."""
    named = []
    for row in order.tolist():
        if row in found:
            time = int(times[row])
            day = _date_of(time, daily=daily)
            fault = found[row]
            at = None if daily else time
            named.append(RejectedRow(Span(day, day), fault.field, fault.value, fault.fault, at))
    for row, between in _neighbours(times, undated):
        after, before = between
        days = Span(
            _date_of(EARLIEST if after is None else after, daily=daily),
            _date_of(LATEST if before is None else before, daily=daily),
        )
        fault = found[row]
        named.append(RejectedRow(days, fault.field, fault.value, fault.fault, between=between))
    return tuple(dict.fromkeys(named))


def _neighbours(
    times: NDArray[np.int64], undated: NDArray[np.bool_]
) -> Iterator[tuple[int, tuple[int | None, int | None]]]:
    """Yield every row without a date with the times of the dated rows around it; None at an end.

    A reply runs forward or backward; where it does neither, a row's place in it says nothing.
    """
    dated = np.flatnonzero(~undated)
    steps = np.diff(times[dated])
    backward = bool(len(steps)) and bool((steps <= 0).all())
    ordered = backward or bool((steps >= 0).all())
    for row in np.flatnonzero(undated).tolist():
        at = int(np.searchsorted(dated, row))
        earlier = int(times[dated[at - 1]]) if ordered and at > 0 else None
        later = int(times[dated[at]]) if ordered and at < len(dated) else None
        yield row, (later, earlier) if backward else (earlier, later)


def _date_of(time: int, *, daily: bool) -> date:
    return date.fromordinal(ordinal_of(time)) if daily else market_date(time)
