"""Prices as whole ticks of a power of ten, wherever that gives the same float back to the bit.

A vendor's price is nearly always the float nearest to a decimal of few digits: ``ticks / 10**digits`` is that float
again, because a correctly rounded division is what parsing the decimal does. Each value is tried and checked by its
bits. A few values with more digits (a volume-weighted close among cents) are kept as the remainder in finer ticks;
values that are no decimals at all (NaN with any payload, infinities, negative zero, 1/3) by their 64 bits. Where that
would cost more than it saves, all are kept by their bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Int64s = NDArray[np.int64]
    Float64s = NDArray[np.float64]

DIGITS_MAX = 10
_NOT_DECIMAL = DIGITS_MAX + 1

# What a value costs, in bytes, roughly: they only have to rank the choices.
_DIGIT_COST = 0.415  # log2(10) bits
_FINE_COST = 2.0
_BITS_COST = 9.0
_ALL_BITS_COST = 6.5

_TICKS_MAX = 2.0**53


@dataclass(frozen=True, slots=True, eq=False)
class Ticks:
    """``values`` (int64, of any shape) of ``10**-digits`` each, and what they cannot say.

    ``fine_at`` (ascending, into the flattened values) have ``fine_rest`` to be added in units of
    ``10**-fine_digits``; ``bits_at`` have the 64 bits ``bits`` instead.
    """

    digits: int
    values: Int64s
    fine_digits: int
    fine_at: Int64s
    fine_rest: Int64s
    bits_at: Int64s
    bits: Int64s


def to_ticks(prices: Float64s) -> Ticks | None:
    """Return ``prices`` as ticks, or None where their bits are the better way to keep them."""
    flat = np.ascontiguousarray(prices).reshape(-1)
    need = _digits_needed(flat)
    digits, cost = _cheapest_digits(need)
    if cost >= _ALL_BITS_COST * len(flat):
        return None
    ticks = _rounded(flat, digits)
    # Asked anew, because a huge value may be exact in few digits and out of reach in more.
    left_at = np.flatnonzero(~_exact(flat, ticks, digits))
    if not len(left_at):
        return Ticks(digits, ticks.reshape(prices.shape), digits, left_at, left_at, left_at, left_at)
    fine_digits = int(need[left_at].max(initial=digits, where=need[left_at] <= DIGITS_MAX))
    fine = _rounded(flat[left_at], fine_digits)
    exact = _exact(flat[left_at], fine, fine_digits)
    fine_at, bits_at = left_at[exact], left_at[~exact]
    return Ticks(
        digits,
        ticks.reshape(prices.shape),
        fine_digits,
        fine_at,
        fine[exact] - ticks[fine_at] * 10 ** (fine_digits - digits),
        bits_at,
        flat[bits_at].view(np.int64),
    )


def from_ticks(ticks: Ticks) -> Float64s:
    """Return the prices that ``ticks`` were made of, to the bit."""
    prices: Float64s = ticks.values / 10.0**ticks.digits
    flat = prices.reshape(-1)
    if len(ticks.fine_at):
        coarse = ticks.values.reshape(-1)[ticks.fine_at] * 10 ** (ticks.fine_digits - ticks.digits)
        flat[ticks.fine_at] = (coarse + ticks.fine_rest) / 10.0**ticks.fine_digits
    if len(ticks.bits_at):
        flat.view(np.int64)[ticks.bits_at] = ticks.bits
    return prices


def _rounded(flat: Float64s, digits: int) -> Int64s:
    """Return the nearest count of ticks, 0 where there is none that a float64 holds exactly."""
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = np.rint(flat * 10.0**digits)
        return np.where(np.abs(scaled) < _TICKS_MAX, scaled, 0.0).astype(np.int64)


def _exact(flat: Float64s, ticks: Int64s, digits: int) -> NDArray[np.bool_]:
    """Return which of the values their ticks give back to the bit."""
    again: Float64s = ticks / 10.0**digits
    exact: NDArray[np.bool_] = again.view(np.int64) == flat.view(np.int64)
    return exact


def _digits_needed(flat: Float64s) -> NDArray[np.int64]:
    """Return for each value the fewest decimal digits that give it back to the bit; _NOT_DECIMAL where none do."""
    need = np.full(len(flat), _NOT_DECIMAL, np.int64)
    open_at, rest = np.arange(len(flat)), flat
    for digits in range(DIGITS_MAX + 1):
        exact = _exact(rest, _rounded(rest, digits), digits)
        need[open_at[exact]] = digits
        if exact.all():
            break
        open_at, rest = open_at[~exact], rest[~exact]
    return need


def _cheapest_digits(need: NDArray[np.int64]) -> tuple[int, float]:
    counts = np.bincount(need, minlength=_NOT_DECIMAL + 1).tolist()
    finest = max((digits for digits in range(DIGITS_MAX + 1) if counts[digits]), default=0)
    costs = []
    for digits in range(finest + 1):
        fine = sum(counts[digits + 1 : _NOT_DECIMAL])
        costs.append(
            _DIGIT_COST * digits * len(need)
            + fine * (_FINE_COST + _DIGIT_COST * (finest - digits))
            + _BITS_COST * counts[_NOT_DECIMAL]
        )
    cheapest = min(costs)
    return costs.index(cheapest), cheapest
