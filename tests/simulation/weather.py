"""What goes wrong and how often: drawn from the seed, different for every run, calm in some.

Each run switches a random handful of faults on ("swarm testing"): a fault that is always there hides what only shows
without it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

CALM_SHARE = 0.15
SWITCHED_ON_SHARE = 0.3


class Kind(StrEnum):
    """Every kind of fault."""

    CRASH = "crash"
    PAUSE = "pause"
    SKEW = "clock skew"
    CANCEL = "caller cancelled"
    INVALIDATE = "invalidation"
    STORE_ERROR = "store error"
    STORE_THROTTLE = "store throttled"
    STORE_OUTAGE = "store outage"
    STORE_SLOW = "store slow"
    STORE_LATE_READ = "late read"
    STORE_LATE_DELETION = "expired chunk still there"
    STORE_TORN_WRITE = "torn write"
    LOST_REQUEST = "lost request"
    LOST_REPLY = "lost reply"
    DOUBLED = "doubled request"
    VENDOR_DOWN = "vendor 5xx"
    VENDOR_HANG = "vendor time-out"
    VENDOR_SLOW = "vendor slow"
    VENDOR_QUOTA = "vendor 429"
    VENDOR_GARBAGE = "vendor garbage"
    VENDOR_CAP = "vendor row cap"
    VENDOR_PHANTOM = "phantom bars"
    VENDOR_EMPTY = "vendor empty answer"
    LATE_PUBLICATION = "late publication"
    REVISION = "revision before final"


ALWAYS_THERE = frozenset({Kind.LATE_PUBLICATION, Kind.REVISION, Kind.STORE_LATE_DELETION})
"""Facts of the market and of the store, not of a run's luck: they spare nobody."""

VENDOR_KINDS = frozenset(kind for kind in Kind if kind.name.startswith("VENDOR")) - {
    Kind.VENDOR_PHANTOM,
    Kind.VENDOR_SLOW,
}
"""Faults for which a request may fail."""


@dataclass(slots=True)
class Weather:
    """Which faults this run has, how likely each is, and how often each has struck."""

    dice: random.Random
    chances: dict[Kind, float] = field(default_factory=dict)
    struck: Counter[Kind] = field(default_factory=Counter)
    windows: dict[Kind, float] = field(default_factory=dict)

    @classmethod
    def drawn(cls, dice: random.Random) -> Weather:
        """Return the weather of one run."""
        weather = cls(dice)
        if dice.random() < CALM_SHARE:
            return weather
        for kind in Kind:
            if kind not in ALWAYS_THERE and dice.random() < SWITCHED_ON_SHARE:
                weather.chances[kind] = dice.choice((0.02, 0.1, 0.3))
        return weather

    @property
    def calm(self) -> bool:
        """Whether nothing is to go wrong."""
        return not self.chances

    def strikes(self, kind: Kind, now: float = 0.0) -> bool:
        """Return whether ``kind`` strikes this time, by chance or because its window is open; counts it if so."""
        chance = self.chances.get(kind)
        if chance is None:
            return False
        if now < self.windows.get(kind, 0.0) or self.dice.random() < chance:
            self.struck[kind] += 1
            return True
        return False

    def open_window(self, kind: Kind, until: float) -> None:
        """Let ``kind`` strike every time until ``until``, if this run has it."""
        if kind in self.chances:
            self.windows[kind] = until

    def clear_up(self) -> None:
        """Let nothing go wrong any more."""
        self.chances.clear()
        self.windows.clear()
