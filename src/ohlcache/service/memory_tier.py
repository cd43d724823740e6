"""The memory tier: a segmented LRU of answers, bounded in entries and in bytes.

An answer enters on probation; a second hit protects it. The protected segment holds at most four fifths of the budget
and gives its oldest back to probation, and eviction starts with the oldest on probation: one scan through a thousand
tickers does not push out what a dashboard asks for every minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

    from ohlcache.domain.answer import Answer

PROTECTED_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class MemoryStatistics:
    """What the tier holds and how it has done since the start; ``hits + misses`` is every look-up."""

    entries: int
    entries_max: int
    bytes: int
    bytes_max: int
    hits: int
    misses: int
    evictions: int
    expirations: int


class _Entry:
    __slots__ = ("answer", "expires_at", "nbytes")

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.expires_at = answer.fresh_until
        self.nbytes = answer.nbytes


class MemoryTier:
    """Answers by key; not thread-safe, it belongs to one event loop."""

    def __init__(self, *, entries_max: int, bytes_max: int) -> None:
        self._entries_max = entries_max
        self._bytes_max = bytes_max
        self._probation: dict[Hashable, _Entry] = {}
        self._protected: dict[Hashable, _Entry] = {}
        self._protected_bytes = 0
        self._probation_bytes = 0
        self._hits = 0
        self._misses = 0
        self._evictions = 0
        self._expirations = 0

    def get(self, key: Hashable, now: float) -> Answer | None:
        """Return the answer under ``key`` if it is still fresh at ``now``."""
        entry = self._protected.pop(key, None)
        if entry is not None:
            if now < entry.expires_at:
                self._protected[key] = entry
                self._hits += 1
                return entry.answer
            self._protected_bytes -= entry.nbytes
            self._expirations += 1
        else:
            entry = self._probation.pop(key, None)
            if entry is not None:
                self._probation_bytes -= entry.nbytes
                if now < entry.expires_at:
                    self._protect(key, entry)
                    self._hits += 1
                    return entry.answer
                self._expirations += 1
        self._misses += 1
        return None

    def again(self, key: Hashable, now: float) -> Answer | None:
        """Return the answer under ``key`` like ``get``; without one nothing is counted, because ``get`` follows."""
        entry = self._protected.get(key) or self._probation.get(key)
        return self.get(key, now) if entry is not None and now < entry.expires_at else None

    def put(self, key: Hashable, answer: Answer) -> None:
        """Keep ``answer`` under ``key``; one larger than the whole tier is not kept."""
        self.discard(key)
        entry = _Entry(answer)
        if entry.nbytes > self._bytes_max:
            return
        self._probation[key] = entry
        self._probation_bytes += entry.nbytes
        self._evict()

    def grown(self, key: Hashable, answer: Answer) -> None:
        """Weigh ``answer`` again, after encoded forms were put beside it."""
        entry = self._protected.get(key)
        protected = entry is not None
        entry = entry or self._probation.get(key)
        if entry is None or entry.answer is not answer:
            return
        gain = answer.nbytes - entry.nbytes
        entry.nbytes += gain
        if protected:
            self._protected_bytes += gain
        else:
            self._probation_bytes += gain
        self._evict()

    def discard(self, key: Hashable) -> bool:
        """Forget ``key``; return whether it was there."""
        entry = self._protected.pop(key, None)
        if entry is not None:
            self._protected_bytes -= entry.nbytes
            return True
        entry = self._probation.pop(key, None)
        if entry is not None:
            self._probation_bytes -= entry.nbytes
            return True
        return False

    def drop_ticker(self, ticker: str) -> int:
        """Forget every answer of ``ticker``; return how many there were."""
        keys = [
            key
            for segment in (self._probation, self._protected)
            for key, entry in segment.items()
            if entry.answer.request.ticker == ticker
        ]
        return sum(self.discard(key) for key in keys)

    def statistics(self) -> MemoryStatistics:
        """Return what is held and how often it was of use."""
        return MemoryStatistics(
            entries=len(self._probation) + len(self._protected),
            entries_max=self._entries_max,
            bytes=self._probation_bytes + self._protected_bytes,
            bytes_max=self._bytes_max,
            hits=self._hits,
            misses=self._misses,
            evictions=self._evictions,
            expirations=self._expirations,
        )

    def _protect(self, key: Hashable, entry: _Entry) -> None:
        if self._entries_max * PROTECTED_SHARE < 1:  # a tier of one entry: protected, it would never give way
            self._probation[key] = entry
            self._probation_bytes += entry.nbytes
            return
        self._protected[key] = entry
        self._protected_bytes += entry.nbytes
        while self._protected and (
            len(self._protected) > max(1, self._entries_max * PROTECTED_SHARE)
            or self._protected_bytes > self._bytes_max * PROTECTED_SHARE
        ):
            oldest = next(iter(self._protected))
            if oldest == key:
                break
            demoted = self._protected.pop(oldest)
            self._protected_bytes -= demoted.nbytes
            self._probation[oldest] = demoted
            self._probation_bytes += demoted.nbytes

    def _evict(self) -> None:
        while (
            len(self._probation) + len(self._protected) > self._entries_max
            or self._probation_bytes + self._protected_bytes > self._bytes_max
        ):
            segment = self._probation or self._protected
            if not segment:
                return
            self.discard(next(iter(segment)))
            self._evictions += 1
