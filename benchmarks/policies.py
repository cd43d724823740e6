"""What the memory tier is compared with: libraries, and plain implementations where there is none for Python.

Each takes a capacity in entries and has ``get`` (None for a miss) and ``put``.
"""

from __future__ import annotations

import importlib
import math
from collections import OrderedDict
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ohlcache.domain.adjustment import Adjustment
from ohlcache.domain.answer import Answer, Certificate
from ohlcache.domain.candles import Candles
from ohlcache.domain.request import CandleRequest
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.span import Span
from ohlcache.service.memory_tier import MemoryTier

if TYPE_CHECKING:
    from collections.abc import Callable

    Key = tuple[str, None, bool]

DAY = Span(date(2024, 1, 2), date(2024, 1, 2))
ANSWER = Answer(
    request=CandleRequest("AAPL", Resolution.DAY, "1Y", DAY),
    resolution=Resolution.DAY,
    adjustment=Adjustment.SPLITS,
    candles=Candles.empty(),
    days=np.empty(0, np.int32),
    certificate=Certificate(0, 0, 0, 0, complete=True, missing=(), calendar_version=""),
    source="sample",
    observed_at=0.0,
    fresh_until=math.inf,
)


class Policy(Protocol):
    """A bounded cache."""

    def get(self, key: Key) -> object | None:
        """Return what is under ``key``, None when it is not there."""
        ...

    def put(self, key: Key) -> None:
        """Keep the one answer of this benchmark under ``key``."""
        ...


class Ours:
    """The memory tier as it is, expiry and the weighing in bytes included."""

    def __init__(self, capacity: int) -> None:
        self._tier = MemoryTier(entries_max=capacity, bytes_max=1 << 60)

    def get(self, key: Key) -> object | None:
        return self._tier.get(key, 0.0)

    def put(self, key: Key) -> None:
        self._tier.put(key, ANSWER)


class Lru:
    """The least recently used goes."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[Key, Answer] = OrderedDict()

    def get(self, key: Key) -> object | None:
        found = self._entries.get(key)
        if found is not None:
            self._entries.move_to_end(key)
        return found

    def put(self, key: Key) -> None:
        self._entries[key] = ANSWER
        if len(self._entries) > self._capacity:
            self._entries.popitem(last=False)


class Slru:
    """Segmented LRU: a second hit protects; the protected four fifths give their oldest back to the rest."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._protected_max = max(capacity * 4 // 5, 1)
        self._probation: OrderedDict[Key, Answer] = OrderedDict()
        self._protected: OrderedDict[Key, Answer] = OrderedDict()

    def get(self, key: Key) -> object | None:
        found = self._protected.get(key)
        if found is not None:
            self._protected.move_to_end(key)
            return found
        found = self._probation.pop(key, None)
        if found is not None:
            self._protected[key] = found
            if len(self._protected) > self._protected_max:
                demoted, answer = self._protected.popitem(last=False)
                self._probation[demoted] = answer
        return found

    def put(self, key: Key) -> None:
        self._probation[key] = ANSWER
        if len(self._probation) + len(self._protected) > self._capacity:
            self._probation.popitem(last=False)


class CacheboxLru:
    """LRU of cachebox, in Rust."""

    def __init__(self, capacity: int) -> None:
        self._cache: Any = importlib.import_module("cachebox").LRUCache(capacity)

    def get(self, key: Key) -> object | None:
        found: object | None = self._cache.get(key)
        return found

    def put(self, key: Key) -> None:
        self._cache[key] = ANSWER


class Theine:
    """W-TinyLFU of theine, its policy in Rust."""

    def __init__(self, capacity: int) -> None:
        self._cache: Any = importlib.import_module("theine").Cache(capacity, nolock=True)

    def get(self, key: Key) -> object | None:
        found, there = self._cache.get(key)
        return found if there else None

    def put(self, key: Key) -> None:
        self._cache.set(key, ANSWER)


class Moka:
    """TinyLFU of moka, in Rust."""

    def __init__(self, capacity: int) -> None:
        self._cache: Any = importlib.import_module("moka_py").Moka(capacity)

    def get(self, key: Key) -> object | None:
        found: object | None = self._cache.get(key)
        return found

    def put(self, key: Key) -> None:
        self._cache.set(key, ANSWER)


POLICIES: dict[str, Callable[[int], Policy]] = {
    "S3-FIFO (ours)": Ours,
    "SLRU": Slru,
    "LRU": Lru,
    "LRU (cachebox)": CacheboxLru,
    "W-TinyLFU (theine)": Theine,
    "TinyLFU (moka)": Moka,
}
