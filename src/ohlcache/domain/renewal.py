"""Final candles that are about to expire: fetched along with what is missing, so that none costs a call of its own.

Each session lives from its own observation, so a quarter after the first evening every evening's session would
expire at an hour of its own. What expires *soon*, within a twentieth of the retention, counts as missing when something
else is asked for anyway. Its renewal is the later word, and must not be outvoted by the one that is about to go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from ohlcache.domain.coverage import Coverage

    Rows = NDArray[np.bool_]

RENEWAL_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Renewal:
    """What expires soon at ``now`` (epoch seconds); final candles are kept for ``final_life_seconds``, 0 for ever."""

    now: float
    final_life_seconds: float

    def lasting(self, coverage: Coverage) -> Rows:
        """Return which sessions do not expire soon; what is not final is asked again anyway and has its own rules."""
        soon = self.now + RENEWAL_SHARE * self.final_life_seconds
        return coverage.unsettled | coverage.known_empty | (coverage.expires_at(self.final_life_seconds) > soon)

    def needless(self, known: Coverage, held: Iterable[Coverage]) -> Rows:
        """Return which sessions of ``known`` need no renewal: they last, or a part that is ``held`` renews them."""
        lasting = self.lasting(known)
        return lasting if lasting.all() else lasting | np.isin(known.days, self._renewed(held))

    def counting(
        self, relied_on: Callable[[Coverage], Rows], new: Coverage, held: Iterable[Coverage]
    ) -> Callable[[Coverage], Rows]:
        """Return what tells which held sessions count beside ``new``: those relied on, but for the renewed ones."""
        held = list(held)
        if all(self.lasting(part).all() for part in held):
            return relied_on
        renewed = np.concatenate([new.days, self._renewed(held)])
        return lambda old: relied_on(old) & (self.lasting(old) | ~np.isin(old.days, renewed))

    def _renewed(self, held: Iterable[Coverage]) -> NDArray[np.int32]:
        """Return the days of which some part has a final word that lasts."""
        days = [part.days[part.final & self.lasting(part)] for part in held]
        return np.concatenate([np.empty(0, np.int32), *days])
