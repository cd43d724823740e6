"""Tiingo's rows read one by one, where a reply has some that cannot be true: what of them can be used."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np

from ohlcache.adapters.vendors.loose_rows import MISSING, UNREADABLE, LooseRows, loosely, number
from ohlcache.domain.adjustment import Actions
from ohlcache.domain.errors import VendorGarbage
from ohlcache.domain.market_time import DAY_SECONDS, midnight_utc, ordinal_of
from ohlcache.domain.observation import VendorAnswer
from ohlcache.domain.rejections import UNDATED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)

WORDS = {"time": "date", "open": "open", "high": "high", "low": "low", "close": "close", "volume": "volume"}
PRICES_AND_VOLUME = ("open", "high", "low", "close", "volume")
_BEGINS_WITH_A_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def loose_daily(body: bytes) -> VendorAnswer:
    """Return what of the rows of ``/tiingo/daily/<ticker>/prices`` can be used, and the others by name.

    The action of a row that is rejected for something else counts: prices before a split depend on it.
    """
    rows, dividends, splits = LooseRows(daily=True, words=WORDS), [], []
    for stamp, cells, row in _cells(body):
        time = _time_of(stamp)
        if time is not None:
            rows.add(time // DAY_SECONDS * DAY_SECONDS, stamp, cells)
        else:
            rows.add(_date_in(stamp), stamp, cells)
            rows.reject("time", stamp, "is no date")
        dividend, split = (
            _absent_as(nothing, row.get(name)) for name, nothing in (("divCash", 0.0), ("splitFactor", 1.0))
        )
        if dividend is None or not 0 <= dividend < math.inf:
            rows.reject("divCash", row.get("divCash"), "is not a dividend")
            dividend = math.nan
        if split is None or not 0 < split < math.inf:
            rows.reject("splitFactor", row.get("splitFactor"), "is not a ratio of shares")
            split = math.nan
        dividends.append(dividend)
        splits.append(split)
    extra = {"divCash": np.array(dividends, np.float64), "splitFactor": np.array(splits, np.float64)}
    columns, sifted = rows.sifted(extra)
    actions = Actions.from_rows(_actions(columns.time.tolist(), dividends, splits, columns.close.tolist()))
    return VendorAnswer(columns[sifted.kept], actions, rejected=sifted.rejected)


def loose_iex(body: bytes) -> VendorAnswer:
    """Return what of the bars of ``/iex/<ticker>/prices`` can be used, and the others by name."""
    rows = LooseRows(daily=False, words=WORDS)
    for stamp, cells, _ in _cells(body):
        rows.add(_time_of(stamp), stamp, cells)
    columns, sifted = rows.sifted({})
    return VendorAnswer(columns[sifted.kept], rejected=sifted.rejected)


def _cells(body: bytes) -> Iterator[tuple[object, tuple[object, ...], dict[str, Any]]]:
    """Yield of every row its date, its prices and volume, and all of it; a row that is no object has nothing."""
    rows = loosely(body)
    if not isinstance(rows, list):
        raise VendorGarbage(UNREADABLE)
    for row in rows:
        columns = row if isinstance(row, dict) else {}
        yield columns.get("date", MISSING), tuple(columns.get(name, MISSING) for name in PRICES_AND_VOLUME), columns


def _time_of(stamp: object) -> int | None:
    """Return the epoch seconds of a moment as the strict decoder reads it; None where it is none."""
    try:
        return (msgspec.convert(stamp, Instant) - UNIX_EPOCH) // SECOND
    except (msgspec.MsgspecError, OverflowError):
        return None


def _date_in(stamp: object) -> int | None:
    """Return midnight of the date that a text begins with: whose row it is shows, though it is not used."""
    found = _BEGINS_WITH_A_DATE.match(stamp) if isinstance(stamp, str) else None
    try:
        return None if found is None else midnight_utc(date.fromisoformat(found.group()).toordinal())
    except ValueError:
        return None


def _absent_as(nothing: float, cell: object) -> float | None:
    return nothing if cell is None else number(cell)


def _actions(
    times: Sequence[int], dividends: Sequence[float], splits: Sequence[float], closes: Sequence[float]
) -> Iterator[tuple[int, float, float, float]]:
    """Yield the actions by day, ascending, as far as the rows of a day agree and have what an action needs."""
    of_day: dict[int, list[int]] = {}
    for row, time in enumerate(times):
        if time != UNDATED:
            of_day.setdefault(time, []).append(row)
    for time in sorted(of_day):
        rows = of_day[time]
        found = {(dividends[row], splits[row]) for row in rows}
        usable = {closes[row] for row in rows if 0 < closes[row] < math.inf}
        dividend, split = found.pop()
        if found or math.isnan(dividend) or math.isnan(split) or (dividend and len(usable) != 1):
            continue
        # A split needs no close: the factor of no dividend is 1, whatever the price.
        yield ordinal_of(time), dividend, split, min(usable, default=1.0)
