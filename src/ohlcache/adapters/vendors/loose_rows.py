"""Rows of a reply read one by one, for when the strict decoder has refused the whole: which of them can be used.

The strict decoders are the fast way and read every sound reply. This one is several times slower, takes what Python's
own JSON takes (``NaN`` among it), and says of every cell that it cannot use where it is and what is wrong with it.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from ohlcache.domain.candles import Candles
from ohlcache.domain.errors import VendorGarbage
from ohlcache.domain.rejections import UNDATED, RowFault, Sifted, shortened, sift

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

ROWS_MAX = 50_000
"""No slice of either vendor has as many; reading them one by one would hold up everybody else."""

VOLUME_MAX = 2**62

UNREADABLE = "The vendor's answer cannot be read."


def loosely(body: bytes) -> object:
    """Return what Python's own JSON reads in ``body``; VendorGarbage where that is nothing."""
    try:
        # A byte that is no UTF-8 spoils the text it is in, not the reply.
        return json.loads(body.decode("utf-8-sig", "replace"), strict=False)
    except (ValueError, RecursionError):
        pass  # what json raises holds on to all of the body
    raise VendorGarbage(UNREADABLE)


def written(cell: object) -> str:
    """Return a cell as the vendor wrote it, in 40 characters."""
    if cell is MISSING:
        return "(absent)"
    if isinstance(cell, list | dict):
        return "(a list)" if isinstance(cell, list) else "(an object)"
    if isinstance(cell, str):
        cell = cell[:100]  # escaping a long text takes long
    try:
        return shortened(json.dumps(cell))
    except ValueError:  # an integer of thousands of digits
        return "(a number without end)"


class _Missing:
    pass


MISSING = _Missing()
"""The cell of a row that lacks it."""


class LooseRows:
    """The columns of a reply, filled row by row; faults are kept by row, the first of each."""

    def __init__(self, daily: bool, words: Mapping[str, str]) -> None:  # noqa: FBT001 - both callers name it
        self._daily = daily
        self._words = words
        self.faults: dict[int, RowFault] = {}
        self._times: list[int] = []
        self._prices: tuple[list[float], ...] = ([], [], [], [])
        self._volumes: list[int] = []

    def __len__(self) -> int:
        return len(self._times)

    def add(self, time: int | None, stamp: object, cells: Sequence[object]) -> None:
        """Add a row: its time, None where ``stamp`` is none; open, high, low, close and volume as received."""
        if len(self) == ROWS_MAX:
            raise VendorGarbage("The vendor's answer has more rows than any range has.")
        row = len(self)
        self._times.append(UNDATED if time is None else time)
        if time is None:
            self.reject("time", stamp, "is no date")
        for name, column, cell in zip(("open", "high", "low", "close"), self._prices, cells, strict=False):
            price = number(cell)
            if price is None:
                self.faults.setdefault(row, RowFault(self._words[name], written(cell), "is not a number"))
            column.append(math.nan if price is None else price)
        volume = whole_number(cells[4])
        if volume is None:
            self.reject("volume", cells[4], "is not a volume")
        self._volumes.append(volume or 0)

    def reject(self, name: str, cell: object, fault: str) -> None:
        """Note what is wrong with the row added last."""
        self.faults.setdefault(len(self) - 1, RowFault(self._words.get(name, name), written(cell), fault))

    def sifted(self, extra: Mapping[str, NDArray[Any]]) -> tuple[Candles, Sifted]:
        """Return all rows as columns, and which of them can be used."""
        opened, high, low, close = self._prices
        columns = Candles.from_columns(self._times, opened, high, low, close, self._volumes)
        found = sift(columns, daily=self._daily, faults=self.faults, extra=extra, words=self._words)
        return columns, found


def number(cell: object) -> float | None:
    """Return a cell that is a number; None for anything else, true and false among it."""
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return None
    try:
        return float(cell)
    except OverflowError:
        return None


def instant(cell: object) -> int | None:
    """Return epoch seconds; None for what is no whole number."""
    value = number(cell)
    return None if value is None or not value.is_integer() or abs(value) >= VOLUME_MAX else int(value)


def whole_number(cell: object) -> int | None:
    """Return a volume, 0 where there is none; None for what no exchange can have counted."""
    if cell is None or cell is MISSING:
        return 0
    if isinstance(cell, bool) or not isinstance(cell, int | float) or not abs(cell) < VOLUME_MAX:
        return None
    return round(cell)
