"""A vendor in the same process, made of a generated market: no socket, every call logged, faults on demand."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from ohlcache.domain.adjustment import Actions, Adjustment, adjust
from ohlcache.domain.errors import (
    BadVendorCredentials,
    NotEntitled,
    OhlcacheError,
    QuotaExceeded,
    TickerNotFound,
    VendorGarbage,
    VendorUnavailable,
)
from ohlcache.domain.market_time import DAY_SECONDS
from ohlcache.domain.observation import VendorAnswer
from ohlcache.domain.plan import SliceLimit
from ohlcache.domain.resolution import Resolution
from ohlcache.ports import QuotaState, TickerInfo, VendorTraits
from ohlcache.testing.faults import RETRY_AFTER_SECONDS_DEFAULT, Fault, Faults, tamper
from ohlcache.testing.phantoms import with_phantom_bars

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from ohlcache.domain.series import Series
    from ohlcache.domain.span import Span
    from ohlcache.ports import Clock
    from ohlcache.testing.market import Market

HANG_SECONDS = 10.0
INTRADAY_CANDLES_MAX = 8_000
ALL_ADJUSTMENTS = (Adjustment.SPLITS, Adjustment.ALL, Adjustment.NONE)

RAW_TRAITS = VendorTraits(
    limits={
        resolution: SliceLimit() if resolution.is_daily else SliceLimit(candles_max=INTRADAY_CANDLES_MAX)
        for resolution in Resolution
    },
    adjustments=dict.fromkeys(Resolution, ALL_ADJUSTMENTS),
)
"""A vendor of raw prices with splits and dividends beside them, as Tiingo is."""

PRE_ADJUSTED_TRAITS = VendorTraits(
    limits={r: SliceLimit() if r.is_daily else SliceLimit(days_max=30) for r in Resolution},
    adjustments={r: (Adjustment.SPLITS,) if r.is_daily else (Adjustment.NONE,) for r in Resolution},
    pre_adjusted=frozenset({Resolution.DAY}),
)
"""A vendor whose daily prices are adjusted for splits already, as Finnhub is."""


@dataclass(frozen=True, slots=True)
class VendorCall:
    """One call that was made; ``outcome`` is ``ok`` or the error's code."""

    series: Series
    span: Span
    instant: float
    outcome: str
    rows: int = 0


@dataclass(slots=True)
class FakeVendor:
    """Implements ``ohlcache.ports.CandleVendor``.

    ``faults`` and ``latency_seconds`` (of ``clock``) may be changed at any time. ``before`` is awaited before the
    answer is made (raise there, or wait there for a gate); ``after`` may change the answer. ``calls`` are those for
    candles, ``asked`` counts those for listings too.
    """

    market: Market
    clock: Clock
    name: str = "tiingo"
    traits: VendorTraits = RAW_TRAITS
    faults: Faults = field(default_factory=Faults)
    latency_seconds: float = 0.0
    preparing_seconds: float = 0.0
    tells_listings: bool = True
    before: Callable[[Series, Span], Awaitable[None]] | None = None
    after: Callable[[VendorAnswer], VendorAnswer] | None = None
    calls: list[VendorCall] = field(default_factory=list)
    asked: int = 0
    closed: bool = False
    key_is_new: bool = False
    """What ``key_replaced`` returns."""

    async def prepare(self) -> None:
        """Take ``preparing_seconds`` of the clock."""
        if self.preparing_seconds:
            await self.clock.sleep(self.preparing_seconds)

    async def fetch(self, series: Series, span: Span) -> VendorAnswer:
        """Return what the market shows of ``series`` in ``span`` at the clock's instant, or fail as told."""
        self.asked += 1
        instant = self.clock.now()
        try:
            answer = await self._answer(series, span)
        except OhlcacheError as exc:
            self.calls.append(VendorCall(series, span, instant, exc.code))
            raise
        self.calls.append(VendorCall(series, span, instant, "ok", len(answer.candles)))
        return answer

    async def listing(self, series: Series, span: Span) -> Span | None:  # noqa: ARG002 - the port's signature
        """Return the ticker's life so far, in one call; None where it is unknown or ``tells_listings`` is off."""
        self.asked += 1
        told = self.tells_listings and self.market.knows(series.ticker)
        return self.market.listing(series.ticker, self.clock.now()) if told else None

    async def suggest(self, text: str, limit: int) -> Sequence[TickerInfo]:
        """Return the market's tickers that begin with ``text``."""
        found = sorted(ticker for ticker in self.market.stocks if ticker.startswith(text.upper()))
        return [TickerInfo(ticker, self.market.stocks[ticker].name) for ticker in found[:limit]]

    def quota(self) -> QuotaState:
        """Return how many calls were made."""
        return QuotaState(self.asked)

    async def key_replaced(self) -> bool:
        """Return ``key_is_new``."""
        return self.key_is_new

    async def check(self) -> str:
        """Say that all is well."""
        return f"The fake vendor {self.name} answers."

    async def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    async def _answer(self, series: Series, span: Span) -> VendorAnswer:
        faults = self.faults.draw()
        latency = self.latency_seconds + faults.get(Fault.LATENCY, 0.0) + HANG_SECONDS * (Fault.HANG in faults)
        if latency:
            await self.clock.sleep(latency)
        if self.before is not None:
            await self.before(series, span)
        _raise_transport(faults)
        if not self.market.knows(series.ticker):
            raise TickerNotFound(f"The vendor does not know {series.ticker}.")
        answer = self._view(series, span, faults)
        return answer if self.after is None else self.after(answer)

    def _view(self, series: Series, span: Span, faults: Mapping[Fault, float]) -> VendorAnswer:
        now = self.clock.now()
        actions = Actions.none()
        if series.resolution.is_daily:
            rows = self.market.daily(series.ticker, span, now)
            candles = rows.candles
            if series.resolution in self.traits.pre_adjusted:
                known = self.market.actions(series.ticker, now)
                adjusted = adjust(candles, rows.days.astype(np.int32), known, Adjustment.SPLITS)
                candles = replace(adjusted, volume=candles.volume)
            else:
                actions = rows.actions
        else:
            candles = self.market.bars(series.ticker, series.resolution, span, now)
        if Fault.PHANTOM_BARS in faults:
            candles = with_phantom_bars(candles, series.resolution, span, self.market.calendar, now)
        candles = tamper(candles, faults)
        kept = candles.time // DAY_SECONDS + date(1970, 1, 1).toordinal()
        return VendorAnswer(candles, actions[np.isin(actions.days, kept)])


def _raise_transport(faults: Mapping[Fault, float]) -> None:
    """Raise what an adapter makes of the transport fault among ``faults``."""
    if Fault.TOO_MANY in faults or Fault.QUOTA_TEXT in faults:
        wait = faults.get(Fault.TOO_MANY) or RETRY_AFTER_SECONDS_DEFAULT
        raise QuotaExceeded("The vendor's allowance is used up.", retry_after_seconds=wait)
    if Fault.UNAUTHORIZED in faults:
        raise BadVendorCredentials("The vendor refused the key.")
    if Fault.FORBIDDEN in faults:
        raise NotEntitled("The vendor plan does not include this.")
    if faults.keys() & {Fault.SERVER_ERROR, Fault.HANG, Fault.TRUNCATED_BODY, Fault.RESET}:
        raise VendorUnavailable("The vendor does not answer.")
    if Fault.CUT_JSON in faults:
        raise VendorGarbage("The vendor's answer cannot be read.")
