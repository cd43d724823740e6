"""Suggestions of tickers by a vendor's search: a convenience that must neither fail nor eat the allowance."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from ohlcache.domain.errors import InvalidRequest, OhlcacheError
from ohlcache.domain.market_time import DAY_SECONDS
from ohlcache.domain.ticker import normalise_ticker
from ohlcache.ports import TickerInfo

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from ohlcache.ports import Clock

CHARACTERS_MIN = 2
CHARACTERS_MAX = 32
REMEMBERED_MAX = 1_000


class RememberedSuggestions:
    """Asks ``search`` once a day for each text of two characters or more; a failure is an empty answer, not kept."""

    def __init__(self, search: Callable[[str], Awaitable[Sequence[TickerInfo]]], clock: Clock) -> None:
        self._search = search
        self._clock = clock
        self._remembered: OrderedDict[str, tuple[float, Sequence[TickerInfo]]] = OrderedDict()

    async def get(self, text: str, limit: int) -> Sequence[TickerInfo]:
        """Return at most ``limit`` suggestions for ``text``, best first."""
        text = text.strip().upper()
        if not CHARACTERS_MIN <= len(text) <= CHARACTERS_MAX:
            return ()
        expires_at, found = self._remembered.get(text, (0.0, ()))
        if expires_at <= self._clock.now():
            try:
                found = await self._search(text)
            except OhlcacheError:
                return ()
            self._remembered[text] = (self._clock.now() + DAY_SECONDS, found)
            self._remembered.move_to_end(text)
            if len(self._remembered) > REMEMBERED_MAX:
                self._remembered.popitem(last=False)
        return tuple(found[:limit])


def tickers_of(found: Iterable[tuple[object, object]]) -> Sequence[TickerInfo]:
    """Return tickers in our spelling with their names; entries that have none here, or are no text, are left out."""
    infos: dict[str, TickerInfo] = {}
    for symbol, name in found:
        try:
            ticker = normalise_ticker(symbol) if isinstance(symbol, str) else None
        except InvalidRequest:
            continue
        if ticker is not None:
            infos.setdefault(ticker, TickerInfo(ticker, name if isinstance(name, str) else ""))
    return tuple(infos.values())
