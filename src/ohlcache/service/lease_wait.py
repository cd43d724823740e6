"""Who fetches: whoever takes the lease of a key. Everybody else waits for what its holder brings.

::

    acquire ── taken ──▶ poll every 200 ms: what the holder brought, why it failed, whether the lease is free
       │                    │ 3 s
       ▼                    └─▶ displace the holder: exactly one of those who wait does, the others wait for that one
    fetch
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ohlcache.ports import Lease, Level
from ohlcache.service.failure_notes import failure_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ohlcache.ports import Clock, LeaseTaken, Telemetry
    from ohlcache.service.guarded_store import StoreVisit

Value = TypeVar("Value")

LEASE_LIFE_SECONDS = 30.0
WAIT_TRIES = 15
WAIT_SECONDS = 0.2
WAIT_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class LeaseWait:
    """Takes leases as ``holder``, or waits for those who have them."""

    holder: str
    clock: Clock
    telemetry: Telemetry

    async def lease_or_value(
        self, key: str, visit: StoreVisit, brought: Callable[[], Awaitable[Value | None]]
    ) -> Lease | Value | None:
        """Return the lease; or what ``brought`` finds that its holder has brought; or None to go on without one.

        Raises the holder's failure when it gives up while we wait. A store that is asked no more ends the waiting.
        """
        got = await self._acquire(key, visit)
        for _ in range(WAIT_ROUNDS):
            if got is None or isinstance(got, Lease):
                return got
            outcome = await self._wait(got, visit, brought)
            if outcome is not None or visit.ended:
                return outcome
            # The holder has had its time: exactly one of those who waited takes over, the others wait for that one.
            self.telemetry.log(Level.WARNING, "lease displaced", key=key, fence=got.fence)
            got = await self._acquire(key, visit, displacing=got.fence)
        return got if isinstance(got, Lease) else None

    async def _wait(
        self, taken: LeaseTaken, visit: StoreVisit, brought: Callable[[], Awaitable[Value | None]]
    ) -> Lease | Value | None:
        until = self.clock.now() + WAIT_TRIES * WAIT_SECONDS
        for _ in range(WAIT_TRIES):
            if self.clock.now() >= until:
                break  # a slow store makes the tries long: what is bounded is the waiting
            await self.clock.sleep(WAIT_SECONDS)
            value = await brought()
            if value is not None:
                return value
            seen = await visit.look(taken.key, now=self.clock.now())
            if seen is not None and seen.failure is not None and seen.fence >= taken.fence:
                raise failure_of(seen.failure)
            if visit.ended:
                break  # nothing more can be learnt of the holder: not even that there is none
            if seen is None:
                got = await self._acquire(taken.key, visit)
                if isinstance(got, Lease):
                    return got
        return None

    async def _acquire(
        self, key: str, visit: StoreVisit, *, displacing: int | None = None
    ) -> Lease | LeaseTaken | None:
        return await visit.acquire(
            key, self.holder, now=self.clock.now(), life_seconds=LEASE_LIFE_SECONDS, displacing=displacing
        )
