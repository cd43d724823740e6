"""From the arguments of a call straight to its answer, while that answer cannot have changed.

Only what the memory tier has just served becomes a shortcut, so the rules of what may be kept stay the tier's. It is
valid from the instant it was asked for until the answer could change or the market date does ("1Y" is another span
tomorrow), whichever comes first; a clock that was set back is outside too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from ohlcache.domain.market_time import next_midnight

if TYPE_CHECKING:
    from collections.abc import Hashable

    from ohlcache.domain.answer import Answer
    from ohlcache.library.candle_table import CandleTable

Shortcut: TypeAlias = "tuple[CandleTable, float, float]"
"""The table, and the instants from and until which it is the answer."""

SHORTCUTS_MAX = 1024
SHORTCUT_BYTES_MAX = 64 * 1024 * 1024


class Shortcuts:
    """Bounded in entries and bytes, the oldest goes first. Written by one thread, read (``entries``) by any."""

    def __init__(self, *, entries_max: int = SHORTCUTS_MAX, bytes_max: int = SHORTCUT_BYTES_MAX) -> None:
        self.entries: dict[Hashable, Shortcut] = {}
        self._entries_max = entries_max
        self._bytes_max = bytes_max
        self._bytes = 0

    def keep(self, call: Hashable, table: CandleTable, answer: Answer, asked_at: float) -> None:
        """Let ``call``, which was made at ``asked_at``, lead to ``table`` from then on."""
        self._drop(call)
        self.entries[call] = (table, asked_at, min(answer.fresh_until, next_midnight(asked_at)))
        self._bytes += table.nbytes
        while len(self.entries) > self._entries_max or self._bytes > self._bytes_max:
            self._drop(next(iter(self.entries)))

    def forget(self, ticker: str) -> None:
        """Drop everything that leads to candles of ``ticker``."""
        for call in [call for call, (table, _, _) in self.entries.items() if table.ticker == ticker]:
            self._drop(call)

    def clear(self) -> None:
        """Drop everything."""
        self.entries.clear()
        self._bytes = 0

    def _drop(self, call: Hashable) -> None:
        dropped = self.entries.pop(call, None)
        if dropped is not None:
            self._bytes -= dropped[0].nbytes
