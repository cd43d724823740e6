"""The memory tier: finished answers, bounded in entries and in bytes, in the queues of S3-FIFO.

An answer enters a small queue, a tenth of the budget. Whoever leaves it having been asked for again goes on to the main
queue; the others are forgotten, and only their keys are remembered for a while: an answer that comes back enters the
main queue at once. There, who was asked for since its last turn has another one. So one scan through a thousand tickers
does not push out what a dashboard asks for every minute, and a hit moves nothing: it only counts.

Juncheng Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

    from ohlcache.domain.answer import Answer

SMALL_SHARE = 0.1
TURNS_MAX = 3
"""How many turns in the main queue an answer can earn ahead."""


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
    __slots__ = ("answer", "expires_at", "nbytes", "turns")

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.expires_at = answer.fresh_until
        self.nbytes = answer.nbytes
        self.turns = 0


class MemoryTier:
    """Answers by key; not thread-safe, it belongs to one event loop."""

    def __init__(self, *, entries_max: int, bytes_max: int) -> None:
        self._entries_max = entries_max
        self._bytes_max = bytes_max
        self._entries: dict[Hashable, _Entry] = {}
        self._small: OrderedDict[Hashable, None] = OrderedDict()
        self._main: OrderedDict[Hashable, None] = OrderedDict()
        self._returning: OrderedDict[Hashable, None] = OrderedDict()
        self._bytes = 0
        self._small_bytes = 0
        self._hits = 0
        self._misses = 0
        self._evictions = 0
        self._expirations = 0

    def get(self, key: Hashable, now: float) -> Answer | None:
        """Return the answer under ``key`` if it is still fresh at ``now``."""
        entry = self._entries.get(key)
        if entry is not None:
            if now < entry.expires_at:
                return self._asked(entry)
            if key in self._main:
                self._remember(key)
            self.discard(key)
            self._expirations += 1
        self._misses += 1
        return None

    def again(self, key: Hashable, now: float) -> Answer | None:
        """Return the answer under ``key`` like ``get``; without one nothing is counted, because ``get`` follows."""
        entry = self._entries.get(key)
        return self._asked(entry) if entry is not None and now < entry.expires_at else None

    def peek(self, key: Hashable) -> Answer | None:
        """Return the answer under ``key``, fresh or not; nothing is counted."""
        entry = self._entries.get(key)
        return entry.answer if entry is not None else None

    def put(self, key: Hashable, answer: Answer) -> None:
        """Keep ``answer`` under ``key``; one larger than the whole tier is not kept."""
        proven = key in self._main or key in self._returning
        self.discard(key)
        entry = _Entry(answer)
        if entry.nbytes > self._bytes_max:
            return
        self._make_room(1, entry.nbytes)
        self._entries[key] = entry
        self._bytes += entry.nbytes
        if proven:
            self._returning.pop(key, None)
            self._main[key] = None
        else:
            self._small[key] = None
            self._small_bytes += entry.nbytes

    def grown(self, key: Hashable, answer: Answer) -> None:
        """Weigh ``answer`` again, after encoded forms were put beside it."""
        entry = self._entries.get(key)
        if entry is None or entry.answer is not answer:
            return
        gain = answer.nbytes - entry.nbytes
        entry.nbytes += gain
        self._bytes += gain
        if key in self._small:
            self._small_bytes += gain
        if entry.nbytes > self._bytes_max:
            self.discard(key)
            self._evictions += 1
        self._make_room(0, 0)

    def discard(self, key: Hashable) -> bool:
        """Forget the answer under ``key``; return whether it was there."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return False
        self._bytes -= entry.nbytes
        if key in self._small:
            del self._small[key]
            self._small_bytes -= entry.nbytes
        else:
            del self._main[key]
        return True

    def drop_ticker(self, ticker: str) -> int:
        """Forget every answer of ``ticker``; return how many there were."""
        keys = [key for key, entry in self._entries.items() if entry.answer.request.ticker == ticker]
        return sum(self.discard(key) for key in keys)

    def statistics(self) -> MemoryStatistics:
        """Return what is held and how often it was of use."""
        return MemoryStatistics(
            entries=len(self._entries),
            entries_max=self._entries_max,
            bytes=self._bytes,
            bytes_max=self._bytes_max,
            hits=self._hits,
            misses=self._misses,
            evictions=self._evictions,
            expirations=self._expirations,
        )

    def _asked(self, entry: _Entry) -> Answer:
        self._hits += 1
        if entry.turns < TURNS_MAX:
            entry.turns += 1
        return entry.answer

    def _make_room(self, entries: int, nbytes: int) -> None:
        """Forget answers until there is room for so many more."""
        while len(self._entries) + entries > self._entries_max or self._bytes + nbytes > self._bytes_max:
            small = len(self._small) > self._entries_max * SMALL_SHARE or (
                self._small_bytes > self._bytes_max * SMALL_SHARE
            )
            if small or not self._main:
                self._turn_of_small()
            else:
                self._turn_of_main()

    def _turn_of_small(self) -> None:
        key, _ = self._small.popitem(last=False)
        entry = self._entries[key]
        self._small_bytes -= entry.nbytes
        self._main[key] = None
        if entry.turns:
            entry.turns = 0
        else:
            self._remember(key)
            self.discard(key)
            self._evictions += 1

    def _turn_of_main(self) -> None:
        key = next(iter(self._main))
        entry = self._entries[key]
        if entry.turns:
            entry.turns -= 1
            self._main.move_to_end(key)
        else:
            self.discard(key)
            self._evictions += 1

    def _remember(self, key: Hashable) -> None:
        """Remember that ``key`` was here, among as many as the tier has room for."""
        self._returning[key] = None
        self._returning.move_to_end(key)
        if len(self._returning) > self._entries_max:
            self._returning.popitem(last=False)
