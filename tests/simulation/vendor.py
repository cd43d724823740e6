"""The vendor of the fleet, made of the same market: a quota per hour, latency, and everything a vendor gets wrong."""

from __future__ import annotations

import asyncio
from contextvars import Context
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from ohlcache.domain.adjustment import Actions, Adjustment
from ohlcache.domain.candles import Candles
from ohlcache.domain.errors import (
    OhlcacheError,
    QuotaExceeded,
    TickerNotFound,
    VendorGarbage,
    VendorUnavailable,
)
from ohlcache.domain.observation import VendorAnswer
from ohlcache.domain.plan import SliceLimit
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.span import Span
from ohlcache.ports import QuotaState, TickerInfo, VendorTraits
from ohlcache.testing.phantoms import with_phantom_bars

from .truth import UNIX_EPOCH_ORDINAL, as_actions
from .weather import Kind

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from ohlcache.domain.series import Series

    from .nodes import Node
    from .truth import Truth
    from .virtual_loop import VirtualLoop
    from .weather import Weather

CLIENT_TIMEOUT_SECONDS = 10.0
LATENCY_SECONDS = (0.05, 0.9)
SLOW_SECONDS = (2.0, 9.5)
HOUR_SECONDS = 3600.0
ROW_CAPS = (500, 1000)
CANDLES_MAX = 2_000

TRAITS = VendorTraits(
    limits={
        resolution: SliceLimit() if resolution.is_daily else SliceLimit(candles_max=CANDLES_MAX)
        for resolution in Resolution
    },
    adjustments=dict.fromkeys(Resolution, (Adjustment.SPLITS, Adjustment.ALL, Adjustment.NONE)),
)


@dataclass(slots=True)
class Look:
    """One answer that left the vendor: what it shows is the market at ``seen_at``; the asker's clock said ``asked_at``."""

    series: Series
    span: Span
    asked_at: float
    seen_at: float


@dataclass(slots=True)
class VendorServer:
    """The vendor's side: one quota for the whole fleet."""

    loop: VirtualLoop
    dice: random.Random
    weather: Weather
    truth: Truth
    calls_per_hour: int | None
    looks: dict[Series, list[Look]] = field(default_factory=dict)
    calls: int = 0
    refused: int = 0
    failed_at: float = 0.0
    _hour: int = 0
    _calls_in_hour: int = 0

    async def call(self, series: Series, span: Span, asked_at: float) -> VendorAnswer:
        """Send one call and return its answer, or raise what an adapter makes of it."""
        self.calls += 1
        weather, now = self.weather, self.loop.time()
        reply: asyncio.Future[Any] = self.loop.create_future()
        latency = self.dice.uniform(*LATENCY_SECONDS)
        if weather.strikes(Kind.VENDOR_SLOW, now):
            latency += self.dice.uniform(*SLOW_SECONDS)
        hangs = weather.strikes(Kind.VENDOR_HANG, now)
        seen_in = latency * self.dice.random()
        self._later(seen_in, self._answer, series, span, asked_at, None if hangs else reply, latency - seen_in)
        self._later(CLIENT_TIMEOUT_SECONDS, self._fail, reply, VendorUnavailable("The vendor does not answer."))
        answer: VendorAnswer = await reply
        return answer

    def looks_between(self, series: Series, first: float, last: float) -> list[Look]:
        """Return the looks at ``series`` that the market was seen for from ``first`` through ``last``."""
        return [look for look in self.looks.get(series, ()) if first <= look.seen_at <= last]

    def _answer(
        self, series: Series, span: Span, asked_at: float, reply: asyncio.Future[Any] | None, back: float
    ) -> None:
        weather, now = self.weather, self.loop.time()
        failure: OhlcacheError | None = self._over_quota(now)
        if failure is None and weather.strikes(Kind.VENDOR_DOWN, now):
            failure = VendorUnavailable("The vendor answers 503.")
        if failure is None and weather.strikes(Kind.VENDOR_GARBAGE, now):
            failure = VendorGarbage("The vendor's answer cannot be read.")
        if failure is None and not self.truth.market.knows(series.ticker):
            failure = TickerNotFound("The vendor does not know the ticker.")
        if reply is None:
            return
        if failure is not None:
            self._later(back, self._fail, reply, failure)
            return
        self.looks.setdefault(series, []).append(Look(series, span, asked_at, now))
        self._later(back, _resolve, reply, self._view(series, span, now))

    def _over_quota(self, now: float) -> QuotaExceeded | None:
        hour = int(now // HOUR_SECONDS)
        if hour != self._hour:
            self._hour, self._calls_in_hour = hour, 0
        self._calls_in_hour += 1
        spent = self.calls_per_hour is not None and self._calls_in_hour > self.calls_per_hour
        if spent:
            self.weather.struck[Kind.VENDOR_QUOTA] += 1
        if not spent and not self.weather.strikes(Kind.VENDOR_QUOTA, now):
            return None
        self.refused += 1
        wait = (hour + 1) * HOUR_SECONDS - now
        return QuotaExceeded("The vendor's allowance is used up.", retry_after_seconds=wait)

    def _view(self, series: Series, span: Span, now: float) -> VendorAnswer:
        truth, weather = self.truth, self.weather
        candles = truth.view(series.ticker, series.resolution, span, now)
        actions = as_actions(truth.actions_view(series.ticker, span, now)) if series.resolution.is_daily else None
        if weather.chances:
            if weather.strikes(Kind.VENDOR_PHANTOM, now):
                candles = with_phantom_bars(candles, series.resolution, span, truth.calendar, now)
            cap = self.dice.choice(ROW_CAPS)
            if len(candles) > cap and weather.strikes(Kind.VENDOR_CAP, now):
                # A cap cuts off the oldest or the newest rows.
                candles = candles[-cap:] if self.dice.random() < 0.6 else candles[:cap]
            # Of a single session nobody can tell a lie from a halt.
            if span.start < span.end and len(candles) and weather.strikes(Kind.VENDOR_EMPTY, now):
                candles = Candles.empty()
        if actions is not None and len(actions):
            actions = actions[np.isin(actions.days, candles.time // 86_400 + UNIX_EPOCH_ORDINAL)]
        listing = None if len(candles) else self._listing(series, now)
        return VendorAnswer(candles, Actions.none() if actions is None else actions, listing)

    def _listing(self, series: Series, now: float) -> Span | None:
        """Return the first and the newest day of which there is a daily row; intraday, since the minutes begin."""
        first, _ = self.truth.listed(series.ticker)
        if not series.resolution.is_daily:
            first = max(first, self.truth.first_minute_day())
        newest = self.truth.newest_published(series.ticker, now)
        if newest is None or newest < first:
            return None
        return Span(date.fromordinal(first), date.fromordinal(newest))

    def _fail(self, reply: asyncio.Future[Any], failure: OhlcacheError) -> None:
        if not reply.done():
            self.failed_at = self.loop.time()
            reply.set_exception(failure)

    def _later(self, seconds: float, callback: Any, *args: Any) -> None:
        self.loop.call_later(seconds, callback, *args, context=Context())


@dataclass(slots=True)
class VendorPort:
    """One node's client of the vendor: implements CandleVendor."""

    server: VendorServer
    node: Node
    life: int
    name: str = "tiingo"
    traits: VendorTraits = TRAITS

    async def prepare(self) -> None:
        """Be ready."""

    async def fetch(self, series: Series, span: Span) -> VendorAnswer:
        """Return what the market shows of ``series`` in ``span``, or fail as drawn."""
        if self.life != self.node.life:
            raise asyncio.CancelledError
        call = self.node.checks.calling(self.node, series, span)
        try:
            answer = await self.server.call(series, span, self.node.clock.now())
        except OhlcacheError as exc:
            self.node.checks.called(self.node, call, exc)
            raise
        finally:
            self.node.checks.ended(call)
        if self.life != self.node.life:
            raise asyncio.CancelledError
        self.node.checks.called(self.node, call, None)
        return answer

    async def listing(self, series: Series, span: Span) -> Span | None:
        """Return nothing more than every empty answer tells."""
        return None

    async def suggest(self, text: str, limit: int) -> Sequence[TickerInfo]:
        """Return nothing: nobody asks here."""
        return ()

    def quota(self) -> QuotaState:
        """Return how many calls were made."""
        return QuotaState(self.server.calls)

    async def key_replaced(self) -> bool:
        """Return False: there is no key."""
        return False

    async def check(self) -> str:
        """Say that all is well."""
        return "The simulated vendor answers."

    async def close(self) -> None:
        """Hold nothing open."""


def _resolve(reply: asyncio.Future[Any], answer: VendorAnswer) -> None:
    if not reply.done():
        reply.set_result(answer)
