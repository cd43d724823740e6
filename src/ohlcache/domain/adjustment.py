"""Splits and dividends, applied on reading to prices that are stored raw.

The factor for every candle strictly before an ex-date is ``close_ex / (close_ex + dividend)``, then divided by the
split ratio (the convention of Tiingo and of Quandl's WIKI data, verified on recordings of both); volume scales by
splits only. Factors are accumulated from the newest ex-date backwards, so a candle's factor is the same float
whichever window it is read through.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from ohlcache.domain.candles import Candles
from ohlcache.domain.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


class Adjustment(StrEnum):
    """What is applied on reading."""

    SPLITS = "splits"
    ALL = "all"
    NONE = "none"

    @classmethod
    def parse(cls, text: str) -> Adjustment:
        """Return the adjustment named ``text``, or raise InvalidRequest with the list of them."""
        try:
            return cls(text)
        except ValueError as exc:
            raise InvalidRequest(
                f"Unknown adjustment {text[:20]!r}.",
                hint="Use splits (default), all (splits and dividends) or none, for example adjust=all.",
                field="adjust",
            ) from exc


@dataclass(frozen=True, slots=True, eq=False)
class Actions:
    """The corporate actions of one ticker, ascending by ex-date; four columns of equal length.

    ``days``: ordinals of the ex-dates (int32); ``dividends``: cash per share as paid then (float64, 0: none);
    ``splits``: new shares per old one (float64, 1: none); ``closes``: raw close on the ex-date (float64).
    """

    days: NDArray[np.int32]
    dividends: NDArray[np.float64]
    splits: NDArray[np.float64]
    closes: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.days)

    def __getitem__(self, part: slice | NDArray[np.bool_] | NDArray[np.int64]) -> Actions:
        return Actions(*(column[part] for column in self.columns()))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Actions):
            return NotImplemented
        return all(
            mine.tobytes() == theirs.tobytes() for mine, theirs in zip(self.columns(), other.columns(), strict=True)
        )

    def __hash__(self) -> int:
        return hash(tuple(column.tobytes() for column in self.columns()))

    def columns(self) -> tuple[NDArray[Any], ...]:
        """Return the four columns in the order days, dividends, splits, closes."""
        return self.days, self.dividends, self.splits, self.closes

    @classmethod
    def none(cls) -> Actions:
        """Return no actions."""
        return cls(np.empty(0, np.int32), *(np.empty(0, np.float64) for _ in range(3)))

    @classmethod
    def from_rows(cls, rows: Iterable[tuple[int, float, float, float]]) -> Actions:
        """Return the actions among daily rows of day ordinal, dividend, split ratio and raw close."""
        found = [row for row in rows if row[1] != 0.0 or row[2] != 1.0]
        if not found:
            return cls.none()
        days, dividends, splits, closes = zip(*found, strict=True)
        return cls(
            np.asarray(days, np.int32),
            np.asarray(dividends, np.float64),
            np.asarray(splits, np.float64),
            np.asarray(closes, np.float64),
        )

    @classmethod
    def concatenate(cls, parts: Iterable[Actions]) -> Actions:
        """Return the parts one after the other; the caller answers for their order."""
        parts = [part for part in parts if len(part)]
        if not parts:
            return cls.none()
        return cls(*(np.concatenate(columns) for columns in zip(*(p.columns() for p in parts), strict=True)))


def adjust(candles: Candles, days: NDArray[np.int32], actions: Actions, adjustment: Adjustment) -> Candles:
    """Return ``candles`` adjusted for ``actions``; ``days`` is the market-date ordinal of each candle.

    ``actions`` must hold every action with an ex-date after the first candle up to today, or prices come out wrong:
    the plan answers for that. Candles without a later action are handed through to the bit.
    """
    if adjustment is Adjustment.NONE or not len(actions) or not len(candles):
        return candles
    # A candle's factors are those of the first ex-date strictly after its day, which hold all later ones too.
    after = actions.days.searchsorted(days[: days.searchsorted(actions.days[-1])], "right")
    changed = len(after)
    if not changed:
        return candles
    split, kept = _factors(actions, after, adjustment)
    opened, high, low, close = prices = [
        candles.open.copy(),
        candles.high.copy(),
        candles.low.copy(),
        candles.close.copy(),
    ]
    for column in prices:
        _scale(column[:changed], split, kept)
    volume = candles.volume.copy()
    volume[:changed] = np.where(split == 1.0, volume[:changed], np.rint(volume[:changed] * split))
    return Candles(candles.time, opened, high, low, close, volume)


def adjusted_price(price: float, day: int, actions: Actions, adjustment: Adjustment) -> float:
    """Return one price of the day with that ordinal as ``adjust`` gives it, to the bit, without its cost."""
    after = actions.days.searchsorted(np.array([day], np.int32), "right")
    if adjustment is Adjustment.NONE or after[0] == len(actions):
        return price
    one = np.array([price])
    _scale(one, *_factors(actions, after, adjustment))
    return float(one[0])


def _factors(
    actions: Actions, after: NDArray[np.intp], adjustment: Adjustment
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Return what prices are divided by for splits and multiplied by for dividends, for the actions at ``after`` on."""
    split = _accumulated(actions.splits)[after]
    if adjustment is not Adjustment.ALL:
        return split, None
    return split, _accumulated(actions.closes / (actions.closes + actions.dividends))[after]


def _scale(prices: NDArray[np.float64], split: NDArray[np.float64], kept: NDArray[np.float64] | None) -> None:
    if kept is not None:
        prices *= kept
    prices /= split


def _accumulated(factors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the product of each factor with all later ones, newest first, and 1 for "no later one" at the end."""
    product: NDArray[np.float64] = np.append(np.cumprod(factors[::-1])[::-1], 1.0)
    return product
