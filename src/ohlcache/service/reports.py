"""What the cache says of itself and of what it did, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ohlcache.domain.coverage import SessionState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    from ohlcache.domain.adjustment import Adjustment
    from ohlcache.domain.coverage import Coverage
    from ohlcache.domain.resolution import Resolution
    from ohlcache.domain.sessions import Sessions
    from ohlcache.ports import BreakerState, QuotaState
    from ohlcache.service.memory_tier import MemoryStatistics


@dataclass(frozen=True, slots=True)
class Invalidated:
    """What an invalidation removed."""

    removed_chunks: int
    removed_answers: int


@dataclass(frozen=True, slots=True)
class SessionReport:
    """What is known of one session.

    ``state`` is final, forming, known-empty, unlisted, rejected (other bars of it may be held), missing or not-due.
    """

    day: date
    state: str
    candles: int
    observed_at: float | None


def session_reports(sessions: Sessions, due: Sessions, coverage: Coverage) -> Iterator[SessionReport]:
    """Yield what ``coverage`` knows of each of ``sessions``, of which ``due`` are due."""
    known = {
        int(day): (SessionState(int(state)).name.lower().replace("_", "-"), int(count), float(observed))
        for day, state, observed, count in zip(*coverage.columns(), strict=True)
    }
    missing = set(due.days.tolist())
    for day in sessions.dates():
        unknown = ("missing" if day.toordinal() in missing else "not-due", 0, None)
        yield SessionReport(day, *known.get(day.toordinal(), unknown))


@dataclass(frozen=True, slots=True)
class Backfilled:
    """What a backfill of one ticker did; ``sessions`` and ``candles`` are what is now held of the span.

    ``believed``: nothing in them is an empty answer that nothing bears out; such a one is not kept. ``degraded``: the
    store failed or was skipped, so what came may be kept nowhere.
    """

    ticker: str
    vendor_calls: int
    sessions: int
    candles: int
    believed: bool = True
    degraded: bool = False


@dataclass(frozen=True, slots=True)
class ResolutionFacts:
    """What the source offers at one resolution; the first adjustment is the default."""

    adjustments: tuple[Adjustment, ...]
    synthetic: bool


@dataclass(frozen=True, slots=True)
class CacheStatus:
    """The cache at work."""

    source: str
    market_date: date
    data_until: float | None
    resolutions: Mapping[Resolution, ResolutionFacts]
    memory: MemoryStatistics
    store: str
    breaker: BreakerState
    quota: QuotaState
    calls_saved: int
