"""Which sessions that the store holds can be used now: relied on, shared by a fetch, or only better than nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ohlcache.domain.freshness import CLOCK_SKEW_SECONDS_MAX, last_final_day
from ohlcache.domain.renewal import Renewal
from ohlcache.service.lease_wait import LEASE_LIFE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    import numpy as np
    from numpy.typing import NDArray

    from ohlcache.domain.coverage import Coverage
    from ohlcache.domain.plan import Need
    from ohlcache.domain.sessions import SessionTable
    from ohlcache.ports import Clock
    from ohlcache.service.hold_off import HoldOffs

    Filter = Callable[[Coverage], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Usability:
    """Judges rows of the store by the clock; each method returns which sessions of a coverage may be used."""

    calendar: SessionTable
    clock: Clock
    hold_offs: HoldOffs
    final_life_seconds: float

    def now(self, need: Need) -> Filter:
        """Sessions that need not be asked for now: those that are fresh, and those that are not asked for again yet."""
        at, newest = self.clock.now(), self.newest_final(need)

        def is_usable(coverage: Coverage) -> NDArray[np.bool_]:
            usable = coverage.valid(at, self.final_life_seconds)
            if self.hold_offs.leaves_rejected(need.series):
                usable |= coverage.rejected
            return usable & ~coverage.foreseen(newest)

        return is_usable

    def shared(self, need: Need) -> Filter:
        """Sessions that those who wait for a fetch may use, however long it took: what was rejected would be again."""
        since = self.clock.now() - LEASE_LIFE_SECONDS
        is_usable = self.now(need)
        return lambda coverage: is_usable(coverage) | (coverage.rejected & (coverage.observed_at > since))

    def ever(self, need: Need) -> Filter:
        """Sessions to serve when the vendor does not deliver: all but those from the future."""
        newest = self.newest_final(need)
        return lambda coverage: ~coverage.foreseen(newest)

    def renewal(self) -> Renewal:
        """Return what expires soon."""
        return Renewal(self.clock.now(), self.final_life_seconds)

    def newest_final(self, need: Need) -> date | None:
        """Return the newest session that is final by any honest clock: ours may be as slow as another is fast."""
        latest = self.clock.now() + 2 * CLOCK_SKEW_SECONDS_MAX
        return last_final_day(need.series.resolution, self.calendar, latest)
