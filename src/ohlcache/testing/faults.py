"""What goes wrong on which call: always, on the next calls in a row, or at random from a seed."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from ohlcache.domain.candles import Candles

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROW_CAP_DEFAULT = 1000
RETRY_AFTER_SECONDS_DEFAULT = 30


class Fault(StrEnum):
    """One way for a vendor to misbehave; some take a number."""

    LATENCY = "latency"
    """Answers after so many seconds."""
    TOO_MANY = "429"
    """429, JSON; with a number above 0: a Retry-After of so many seconds."""
    QUOTA_TEXT = "quota-text"
    """The quota message: 200 and plain text where the vendor does that."""
    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    SERVER_ERROR = "5xx"
    """A 5xx: the number, or 503."""
    HANG = "hang"
    """Takes the request and never answers."""
    TRUNCATED_BODY = "truncated-body"
    """Announces the whole body, sends half, closes."""
    CUT_JSON = "cut-json"
    """Sends half of the body as if it were whole."""
    RESET = "reset"
    """Resets the connection instead of answering."""
    REDIRECT = "redirect"
    """Redirects to the same address."""
    REDIRECT_AWAY = "redirect-away"
    """Redirects to another host."""
    ROW_CAP = "row-cap"
    """Gives only the newest so many rows."""
    PHANTOM_BARS = "phantom-bars"
    """Adds flat bars without volume: off hours and on holidays."""
    NAN = "nan"
    NEGATIVE = "negative"
    HIGH_BELOW_LOW = "high-below-low"
    OUT_OF_ORDER = "out-of-order"
    EMPTY = "empty"
    """Answers without a row, as if there were nothing."""


Drawn = dict[Fault, float]


@dataclass(slots=True)
class Faults:
    """Decides call by call. ``always`` holds until changed; ``then`` queues; ``at_random`` rolls dice from a seed."""

    always: Drawn = field(default_factory=dict)
    _queue: deque[Drawn] = field(default_factory=deque)
    _chances: Mapping[Fault, float] = field(default_factory=dict)
    _dice: random.Random = field(default_factory=lambda: random.Random(0))
    _values: Drawn = field(default_factory=dict)

    def set(self, fault: Fault, value: float = 0.0) -> None:
        """Show ``fault`` on every call from now on."""
        self.always[fault] = value

    def then(self, *sequence: Fault | tuple[Fault, float] | None) -> None:
        """Queue one entry for each of the next calls; None is a call that goes well."""
        for entry in sequence:
            if entry is None:
                self._queue.append({})
            else:
                fault, value = entry if isinstance(entry, tuple) else (entry, 0.0)
                self._queue.append({Fault(fault): value})

    def at_random(self, seed: int, chances: Mapping[Fault, float], values: Mapping[Fault, float] | None = None) -> None:
        """Show each fault with its own chance (0 to 1) per call, replayable from ``seed``."""
        self._dice, self._chances, self._values = random.Random(seed), dict(chances), dict(values or {})

    def clear(self) -> None:
        """Let everything go well again."""
        self.always.clear()
        self._queue.clear()
        self._chances = {}

    def draw(self) -> Drawn:
        """Return the faults of the next call, each with its number."""
        drawn = dict(self.always)
        if self._queue:
            drawn.update(self._queue.popleft())
        for fault, chance in self._chances.items():
            if self._dice.random() < chance:
                drawn[fault] = self._values.get(fault, 0.0)
        return drawn


def tampered_rows(count: int, faults: Mapping[Fault, float]) -> Sequence[int]:
    """Return which of ``count`` rows are given and in which order, under ``faults``."""
    if Fault.EMPTY in faults:
        return []
    rows = list(range(count))
    if Fault.ROW_CAP in faults:
        rows = rows[-int(faults[Fault.ROW_CAP] or ROW_CAP_DEFAULT) :]
    if Fault.OUT_OF_ORDER in faults and len(rows) > 1:
        rows[0], rows[-1] = rows[-1], rows[0]
    return rows


def tamper(candles: Candles, faults: Mapping[Fault, float]) -> Candles:
    """Return ``candles`` with the row faults among ``faults``."""
    return spoil(candles[np.asarray(tampered_rows(len(candles), faults), np.int64)], faults)


def spoil(candles: Candles, faults: Mapping[Fault, float]) -> Candles:
    """Return ``candles`` with the impossible numbers among ``faults`` in the middle row."""
    if not len(candles):
        return candles
    middle = len(candles) // 2
    opened, high, low, close = (column.copy() for column in (candles.open, candles.high, candles.low, candles.close))
    if Fault.NAN in faults:
        close[middle] = np.nan
    if Fault.NEGATIVE in faults:
        low[middle] = -low[middle]
    if Fault.HIGH_BELOW_LOW in faults:
        high[middle] = low[middle] - 0.01
    return Candles(candles.time, opened, high, low, close, candles.volume)
