"""Candles as columns: open time, open, high, low, close, volume.

``time`` is int64 epoch seconds UTC, the *start* of the bar (daily: 00:00 UTC of the market date); prices are float64
exactly as the vendor sent them; ``volume`` is int64, 0 where the vendor has none. Ascending, no time twice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ohlcache.domain.errors import VendorGarbage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

PRICE_COLUMNS = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True, eq=False)
class Candles:
    """Six columns of equal length, oldest first."""

    time: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.time)

    def __getitem__(self, part: slice | NDArray[np.bool_] | NDArray[np.int64]) -> Candles:
        return Candles(*(column[part] for column in self.columns()))

    def __eq__(self, other: object) -> bool:
        """Equal to the bit, NaN included: what is compared is the record, not the arithmetic."""
        if not isinstance(other, Candles):
            return NotImplemented
        return all(
            mine.tobytes() == theirs.tobytes() for mine, theirs in zip(self.columns(), other.columns(), strict=True)
        )

    def __hash__(self) -> int:
        return hash(tuple(column.tobytes() for column in self.columns()))

    def columns(self) -> tuple[NDArray[Any], ...]:
        """Return the six columns in the order time, open, high, low, close, volume."""
        return self.time, self.open, self.high, self.low, self.close, self.volume

    @property
    def nbytes(self) -> int:
        """The memory the columns take, in bytes."""
        return sum(column.nbytes for column in self.columns())

    @classmethod
    def empty(cls) -> Candles:
        """Return no candles."""
        return cls.from_columns([], [], [], [], [], [])

    @classmethod
    def from_columns(
        cls,
        time: Sequence[int] | NDArray[np.int64],
        open: Sequence[float] | NDArray[np.float64],  # noqa: A002 - the field's own word
        high: Sequence[float] | NDArray[np.float64],
        low: Sequence[float] | NDArray[np.float64],
        close: Sequence[float] | NDArray[np.float64],
        volume: Sequence[int] | NDArray[np.int64],
    ) -> Candles:
        """Return candles of the given columns, converted to the dtypes of this class."""
        prices = [np.asarray(column, np.float64) for column in (open, high, low, close)]
        return cls(np.asarray(time, np.int64), prices[0], prices[1], prices[2], prices[3], np.asarray(volume, np.int64))

    @classmethod
    def concatenate(cls, parts: Iterable[Candles]) -> Candles:
        """Return the parts one after the other; the caller answers for their order."""
        parts = [part for part in parts if len(part)]
        if len(parts) < 2:  # noqa: PLR2004 - nothing to join
            return parts[0] if parts else cls.empty()
        return cls(*(np.concatenate(columns) for columns in zip(*(p.columns() for p in parts), strict=True)))


def impossible(candles: Candles) -> Iterator[tuple[str, NDArray[np.bool_], str]]:
    """Yield, rule by rule, the column that a rule is about, which rows break it, and what to say after their value.

    Prices are finite and positive; high is the highest and low the lowest; volume is not negative.
    """
    for name in PRICE_COLUMNS:
        column = getattr(candles, name)
        yield name, ~((column > 0) & (column < math.inf)), "is not a positive number"
    for other in ("open", "close"):
        yield "high", candles.high < getattr(candles, other), f"is below {other}"
        yield "low", candles.low > getattr(candles, other), f"is above {other}"
    yield "volume", candles.volume < 0, "is negative"


def ascend(candles: Candles) -> bool:
    """Whether each candle is later than the one before it."""
    return bool((candles.time[1:] > candles.time[:-1]).all())


def check_possible(candles: Candles) -> None:
    """Raise VendorGarbage unless the candles ascend and each of them can be true."""
    if not ascend(candles):
        raise VendorGarbage("The vendor sent candles out of order or twice.")
    for name, rows, fault in impossible(candles):
        if rows.any():
            raise VendorGarbage(f"The vendor sent a candle whose {name} {fault}.")
