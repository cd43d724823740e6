"""What the memory tier is compared with: libraries, and plain implementations where there is none for Python.

Each takes a capacity in entries and has ``get`` (None for a miss) and ``put``.
"""

from __future__ import annotations

import importlib
import math
from collections import OrderedDict, deque
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


class S3Fifo:
    """S3-FIFO (Yang et al., SOSP 2023): a small queue, a main queue and a ghost queue, two bits of frequency."""

    def __init__(self, capacity: int) -> None:
        self._small_max = max(capacity // 10, 1)
        self._main_max = max(capacity - self._small_max, 1)
        self._entries: dict[Key, list[int]] = {}
        self._small: deque[Key] = deque()
        self._main: deque[Key] = deque()
        self._ghosts: OrderedDict[Key, None] = OrderedDict()
        self._capacity = capacity

    def get(self, key: Key) -> object | None:
        found = self._entries.get(key)
        if found is None:
            return None
        if found[0] < 3:
            found[0] += 1
        return ANSWER

    def put(self, key: Key) -> None:
        while len(self._entries) >= self._capacity:
            self._evict()
        self._entries[key] = [0]
        if key in self._ghosts:
            del self._ghosts[key]
            self._main.append(key)
        else:
            self._small.append(key)

    def _evict(self) -> None:
        if len(self._small) >= self._small_max or not self._main:
            key = self._small.popleft()
            if self._entries[key][0] > 1:
                self._entries[key][0] = 0
                self._main.append(key)
                if len(self._main) > self._main_max:
                    self._evict_from_main()
            else:
                del self._entries[key]
                self._ghosts[key] = None
                if len(self._ghosts) > self._main_max:
                    self._ghosts.popitem(last=False)
        else:
            self._evict_from_main()

    def _evict_from_main(self) -> None:
        while True:
            key = self._main.popleft()
            entry = self._entries[key]
            if not entry[0]:
                del self._entries[key]
                return
            entry[0] -= 1
            self._main.append(key)


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
    "SLRU (ours)": Ours,
    "LRU": Lru,
    "LRU (cachebox)": CacheboxLru,
    "S3-FIFO": S3Fifo,
    "W-TinyLFU (theine)": Theine,
    "TinyLFU (moka)": Moka,
}
