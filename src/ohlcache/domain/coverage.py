"""What is known, session by session, and the candles that go with it.

Coverage decides completeness, never counting: for every session it says what was asked and what the vendor answered.
A *holding* is coverage with its candles and actions; holdings from any number of chunks merge into one, and the order
in which they arrive does not matter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ohlcache.domain.adjustment import Actions
from ohlcache.domain.candles import Candles
from ohlcache.domain.freshness import (
    CLOCK_SKEW_SECONDS_MAX,
    FORMING_LIFE_SECONDS,
    REJECTED_LIFE_SECONDS,
    known_empty_life_seconds,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from numpy.typing import NDArray


class SessionState(IntEnum):
    """What the vendor's answer says about one session."""

    FINAL = 1
    """It has candles, and the vendor answered after it was final: immutable."""
    FORMING = 2
    """The vendor answered before it was final; there may be no candle yet."""
    KNOWN_EMPTY = 3
    """The vendor answered after it was final and has no candle; asked again after a day, sooner if it was just over."""
    UNLISTED = 4
    """It lies before the ticker's first candle; not asked again."""
    REJECTED = 5
    """The vendor sent a row of it that cannot be true; other bars of it may be held. Missing, and asked again soon."""


# Of the column's type and looked up once: comparing with a member of the enumeration takes several times as long.
_FINAL = np.uint8(SessionState.FINAL)
_FORMING = np.uint8(SessionState.FORMING)
_KNOWN_EMPTY = np.uint8(SessionState.KNOWN_EMPTY)
_UNLISTED = np.uint8(SessionState.UNLISTED)
_REJECTED = np.uint8(SessionState.REJECTED)


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """Four columns, one row per session, ascending by day.

    ``days``: market-date ordinals (int32); ``states``: SessionState (uint8); ``observed_at``: epoch seconds at which
    the vendor answered (int64); ``counts``: candles in the session (int32).
    """

    days: NDArray[np.int32]
    states: NDArray[np.uint8]
    observed_at: NDArray[np.int64]
    counts: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.days)

    def __getitem__(self, part: slice | NDArray[np.bool_] | NDArray[np.int64]) -> Coverage:
        return Coverage(*(column[part] for column in self.columns()))

    def columns(self) -> tuple[NDArray[Any], ...]:
        """Return the four columns in the order days, states, observed_at, counts."""
        return self.days, self.states, self.observed_at, self.counts

    @classmethod
    def empty(cls) -> Coverage:
        """Return knowledge of nothing."""
        return cls(np.empty(0, np.int32), np.empty(0, np.uint8), np.empty(0, np.int64), np.empty(0, np.int32))

    @property
    def final(self) -> NDArray[np.bool_]:
        """Which sessions are FINAL."""
        found: NDArray[np.bool_] = self.states == _FINAL
        return found

    @property
    def forming(self) -> NDArray[np.bool_]:
        """Which sessions are FORMING."""
        found: NDArray[np.bool_] = self.states == _FORMING
        return found

    @property
    def known_empty(self) -> NDArray[np.bool_]:
        """Which sessions are KNOWN_EMPTY."""
        found: NDArray[np.bool_] = self.states == _KNOWN_EMPTY
        return found

    @property
    def rejected(self) -> NDArray[np.bool_]:
        """Which sessions are REJECTED."""
        found: NDArray[np.bool_] = self.states == _REJECTED
        return found

    @property
    def unsettled(self) -> NDArray[np.bool_]:
        """Which sessions are FORMING or REJECTED: another reply takes their place, whatever it says."""
        return self.forming | self.rejected

    @property
    def unlisted_through(self) -> int:
        """The ordinal of the last day of which it says that the ticker was not listed yet; 0 where it says of none."""
        unlisted, traded = self.days[self.states == _UNLISTED], self.days[self.final]
        if not len(unlisted) or (len(traded) and traded[0] < unlisted[-1]):
            return 0
        return int(unlisted[-1])

    def among(self, days: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return which of ``days`` (ascending) it speaks of: what ``np.isin`` does, for columns that are sorted."""
        if not len(self):
            return np.zeros(len(days), np.bool_)
        rows = self.days.searchsorted(days)
        rows[rows == len(self)] = 0
        known: NDArray[np.bool_] = self.days[rows] == days
        return known

    def expires_at(self, final_life_seconds: float) -> NDArray[np.float64]:
        """Return for each session the instant from which it must be asked again."""
        if self.final.all():
            settled: NDArray[np.float64] = np.add(self.observed_at, final_life_seconds or math.inf, dtype=np.float64)
            return settled
        lives = np.full(len(self), final_life_seconds or math.inf, np.float64)
        lives[self.forming] = FORMING_LIFE_SECONDS
        lives[self.rejected] = REJECTED_LIFE_SECONDS
        empty = self.known_empty
        if empty.any():
            lives[empty] = known_empty_life_seconds(self.days[empty], self.observed_at[empty])
        expiry: NDArray[np.float64] = self.observed_at + lives
        return expiry

    def valid(self, now: float, final_life_seconds: float) -> NDArray[np.bool_]:
        """Return which sessions can be relied on at ``now``.

        An unsettled session observed "in the future" beyond any honest clock skew is not: its life cannot be measured.
        """
        relied: NDArray[np.bool_] = self.expires_at(final_life_seconds) > now
        ahead = self.observed_at > now + CLOCK_SKEW_SECONDS_MAX
        return relied & ~(ahead & self.unsettled) if ahead.any() else relied

    def foreseen(self, newest_final: date | None) -> NDArray[np.bool_]:
        """Return which sessions are settled although none after ``newest_final`` can be: another clock saw them.

        A process whose clock was set back, for a replay, finds its future in the store: candles that nobody could know
        yet, and splits that have not happened.
        """
        last = newest_final.toordinal() if newest_final is not None else 0
        after: NDArray[np.bool_] = self.days > last
        return after & ~self.unsettled if after.any() else after


@dataclass(frozen=True, slots=True, eq=False)
class Holding:
    """Coverage, the candles of its sessions in the same order, and the actions with ex-dates among its days."""

    coverage: Coverage
    candles: Candles
    actions: Actions

    def __post_init__(self) -> None:
        assert int(self.coverage.counts.sum()) == len(self.candles), "every candle belongs to a covered session"

    def __len__(self) -> int:
        return len(self.coverage)

    @classmethod
    def empty(cls) -> Holding:
        """Return knowledge of nothing."""
        return cls(Coverage.empty(), Candles.empty(), Actions.none())

    @classmethod
    def unlisted(cls, days: NDArray[np.int32], observed_at: float) -> Holding:
        """Return the knowledge that on none of ``days`` the ticker was listed yet."""
        count = len(days)
        states, observed = np.full(count, _UNLISTED, np.uint8), np.full(count, int(observed_at), np.int64)
        return cls(Coverage(days, states, observed, np.zeros(count, np.int32)), Candles.empty(), Actions.none())

    def select(self, keep: NDArray[np.bool_]) -> Holding:
        """Return only the sessions where ``keep`` is true, with their candles and actions."""
        if keep.all():
            return self
        coverage = self.coverage[keep]
        return Holding(
            coverage,
            self.candles[np.repeat(keep, self.coverage.counts)],
            self.actions[coverage.among(self.actions.days)],
        )

    def between(self, first_day: int, last_day: int) -> Holding:
        """Return only the sessions from ordinal ``first_day`` through ``last_day``."""
        low, high = self.coverage.days.searchsorted(np.array((first_day, last_day + 1), np.int32)).tolist()
        if high - low == len(self):
            return self
        counts, acted = self.coverage.counts, self.actions.days
        start = int(counts[:low].sum())
        candles = self.candles[start : start + int(counts[low:high].sum())]
        if 20 * len(candles) < 19 * len(self.candles):
            # Copied: a view would keep all of the columns in memory for as long as an answer lives.
            candles = Candles(*(column.copy() for column in candles.columns()))
        return Holding(self.coverage[low:high], candles, self.actions[(acted >= first_day) & (acted <= last_day)])

    def candle_days(self) -> NDArray[np.int32]:
        """Return the market-date ordinal of every candle."""
        return np.repeat(self.coverage.days, self.coverage.counts)


def merge(holdings: Sequence[Holding], *, counts: Callable[[Coverage], NDArray[np.bool_]] | None = None) -> Holding:
    """Return what the holdings know together, of the sessions that ``counts`` says yes to.

    Where several speak of one session, the earliest FINAL observation wins, so that nothing once final ever changes;
    without one, the latest observation wins. What does not count outvotes nothing.
    """
    holdings = [holding for holding in holdings if len(holding)]
    if not holdings:
        return Holding.empty()
    holdings.sort(key=lambda holding: int(holding.coverage.days[0]))
    if any(earlier.coverage.days[-1] >= later.coverage.days[0] for earlier, later in pairwise(holdings)):
        if counts is not None:
            return merge([holding.select(counts(holding.coverage)) for holding in holdings])
        return _interleaved(_without_the_outvoted(holdings))
    joined = _joined(holdings) if len(holdings) > 1 else holdings[0]
    return joined.select(counts(joined.coverage)) if counts is not None else joined


def best_of(holdings: Sequence[Holding], keep: Callable[[Coverage], NDArray[np.bool_]]) -> Holding:
    """Return the sessions that ``keep`` selects as ``merge`` does, but a rejected row takes no other row's place.

    Unless it has more candles, as a session of minutes has of which one bar was rejected, or the other has none. For
    what is served when the vendor does not deliver: a possible value that was held is better than an impossible one.
    """
    usable = merge(holdings, counts=lambda coverage: keep(coverage) & ~coverage.rejected)
    rejected = Holding.empty()
    for holding in holdings:
        rejected = _richer(rejected, holding.select(keep(holding.coverage) & holding.coverage.rejected))
    if not len(rejected):
        return usable
    both, of_rejected, of_usable = np.intersect1d(rejected.coverage.days, usable.coverage.days, return_indices=True)
    counts = usable.coverage.counts[of_usable]
    better = both[(rejected.coverage.counts[of_rejected] > counts) & ~usable.coverage.final[of_usable] | (counts == 0)]
    return merge(
        [
            usable.select(~np.isin(usable.coverage.days, better)),
            rejected.select(~np.isin(rejected.coverage.days, both) | np.isin(rejected.coverage.days, better)),
        ]
    )


def _richer(one: Holding, other: Holding) -> Holding:
    """Return every session of two holdings of rejected ones as that has it which has more candles of it."""
    both, mine, theirs = np.intersect1d(one.coverage.days, other.coverage.days, return_indices=True)
    fewer = one.coverage.counts[mine] < other.coverage.counts[theirs]
    one = one.select(~np.isin(one.coverage.days, both[fewer]))
    other = other.select(~np.isin(other.coverage.days, both[~fewer]))
    return merge([one, other])


def _joined(holdings: Sequence[Holding]) -> Holding:
    columns = zip(*(holding.coverage.columns() for holding in holdings), strict=True)
    return Holding(
        Coverage(*(np.concatenate(column) for column in columns)),
        Candles.concatenate(holding.candles for holding in holdings),
        Actions.concatenate(holding.actions for holding in holdings),
    )


def _without_the_outvoted(holdings: Sequence[Holding]) -> list[Holding]:
    """Keep of every session the one observation that wins."""
    days = np.concatenate([holding.coverage.days for holding in holdings])
    states = np.concatenate([holding.coverage.states for holding in holdings])
    observed = np.concatenate([holding.coverage.observed_at for holding in holdings])
    counts = np.concatenate([holding.coverage.counts for holding in holdings])
    final = states == _FINAL
    # Ties end with the row's content, so that the winner does not depend on the order of arrival.
    order = np.lexsort((-counts, states, np.where(final, observed, -observed), ~final, days))
    first_of_day = np.ones(len(order), bool)
    first_of_day[1:] = np.diff(days[order]) != 0
    wins = np.zeros(len(days), bool)
    wins[order[first_of_day]] = True
    bounds = np.cumsum([len(holding) for holding in holdings])[:-1]
    return [holding.select(keep) for holding, keep in zip(holdings, np.split(wins, bounds), strict=True) if keep.any()]


def _interleaved(holdings: Sequence[Holding]) -> Holding:
    """Join holdings whose days are distinct but may lie between one another's."""
    joined = _joined(holdings)
    order = np.argsort(joined.coverage.days, kind="stable")
    counts = joined.coverage.counts.astype(np.int64)
    starts = np.cumsum(counts) - counts
    taken = counts[order]
    candle_order = np.repeat(starts[order] - (np.cumsum(taken) - taken), taken) + np.arange(int(taken.sum()))
    return Holding(
        joined.coverage[order],
        joined.candles[candle_order],
        joined.actions[np.argsort(joined.actions.days, kind="stable")],
    )
