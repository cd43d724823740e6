"""When a lease may be taken, what those who do not get it see, and what is left of it: rules without an engine.

A record outlives its release, so that the fence keeps rising and a failure note can be read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ohlcache.ports import LeaseTaken

if TYPE_CHECKING:
    from ohlcache.ports import FailureNote, Lease


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """What is kept of one key: its last holder, None once released, and why that one gave up, if it did."""

    key: str
    fence: int
    expires_at: float
    holder: str | None
    failure: FailureNote | None = None

    def free(self, now: float) -> bool:
        """Whether nobody has the lease at ``now``."""
        return self.holder is None or self.expires_at <= now

    def released(self, failure: FailureNote | None) -> LeaseRecord:
        """Return the record as its holder leaves it."""
        return replace(self, holder=None, failure=failure)


def take(
    held: LeaseRecord | None,
    key: str,
    holder: str,
    *,
    now: float,
    life_seconds: float,
    displacing: int | None,
    fence_floor: int = 0,
) -> LeaseRecord | None:
    """Return the record in which ``holder`` has the lease; None when another's stands in the way.

    ``fence_floor``: the fence above which a key without a record begins.
    """
    if held is not None and not held.free(now) and held.fence != displacing:
        return None
    fence = held.fence if held is not None else fence_floor
    return LeaseRecord(key, fence + 1, now + life_seconds, holder)


def held_by(held: LeaseRecord, lease: Lease) -> bool:
    """Whether ``lease`` is the one that stands: the same holder under the same fence."""
    return held.holder == lease.holder and held.fence == lease.fence


def seen(held: LeaseRecord | None, now: float) -> LeaseTaken | None:
    """Return what a waiter sees: the lease that is held, or the failure that a released one left, or nothing."""
    if held is None or (held.free(now) and held.failure is None):
        return None
    return LeaseTaken(held.key, held.fence, held.expires_at, held.failure)
