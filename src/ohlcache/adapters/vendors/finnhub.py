"""Finnhub: daily candles adjusted for splits already, and raw intraday candles of all US venues."""

from __future__ import annotations

from datetime import time, timedelta
from typing import TYPE_CHECKING

from ohlcache.adapters.vendors import finnhub_wire as wire
from ohlcache.adapters.vendors.suggestions import RememberedSuggestions
from ohlcache.adapters.vendors.vendor_http import HttpPool, VendorHttp
from ohlcache.domain.adjustment import Adjustment
from ohlcache.domain.market_time import DAY_SECONDS, instant_at, market_date, midnight_utc
from ohlcache.domain.plan import SliceLimit
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.series import Series
from ohlcache.domain.span import Span
from ohlcache.ports import QuotaState, TickerInfo, VendorTraits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ohlcache.adapters.vendors.vendor_key import VendorKey
    from ohlcache.domain.observation import VendorAnswer
    from ohlcache.ports import Clock, Telemetry

INTRADAY_DAYS_MAX = 30
"""Finnhub gives one month of intraday candles at a time."""

CHECK_TICKER = "AAPL"
CHECK_DAYS = 7

TRAITS = VendorTraits(
    limits={
        resolution: SliceLimit() if resolution.is_daily else SliceLimit(days_max=INTRADAY_DAYS_MAX)
        for resolution in Resolution
    },
    adjustments={
        resolution: (Adjustment.SPLITS,) if resolution.is_daily else (Adjustment.NONE,) for resolution in Resolution
    },
    pre_adjusted=frozenset({Resolution.DAY}),
)


class FinnhubVendor:
    """Implements ``ohlcache.ports.CandleVendor`` with Finnhub's REST API."""

    def __init__(
        self,
        *,
        base_url: str,
        key: VendorKey,
        clock: Clock,
        telemetry: Telemetry,
        timeout_seconds: float,
        calls_per_hour: int | None = None,
        pool: HttpPool | None = None,
    ) -> None:
        self._clock = clock
        self._http = VendorHttp(
            source=self.name,
            base_url=base_url,
            key=key,
            headers_of=lambda secret: {"X-Finnhub-Token": secret},
            refusal=wire.refusal,
            clock=clock,
            telemetry=telemetry,
            timeout_seconds=timeout_seconds,
            calls_per_hour=calls_per_hour,
            pool=pool,
        )
        self._suggestions = RememberedSuggestions(self._search, clock)

    @property
    def name(self) -> str:
        """``finnhub``."""
        return "finnhub"

    @property
    def traits(self) -> VendorTraits:
        """Daily prices adjusted for splits, intraday prices raw; the two do not mix."""
        return TRAITS

    async def prepare(self) -> None:
        """Load the HTTP client."""
        await self._http.prepare()

    async def fetch(self, series: Series, span: Span) -> VendorAnswer:
        """Return the candles of ``span``. An unknown ticker and a span without data look the same: an empty answer."""
        if series.resolution.is_daily:
            first, parse = midnight_utc(span.start.toordinal()), wire.parse_daily
            last = midnight_utc(span.end.toordinal()) + DAY_SECONDS - 1
        else:
            first, parse = int(instant_at(span.start, time())), wire.parse_intraday
            last = int(instant_at(span.end + timedelta(days=1), time())) - 1
        return await self._http.ask(
            "/api/v1/stock/candle",
            {"symbol": series.ticker, "resolution": series.resolution.value, "from": str(first), "to": str(last)},
            parse,
            ticker=series.ticker,
            resolution=series.resolution.value,
            span=str(span),
        )

    async def listing(self, series: Series, span: Span) -> Span | None:  # noqa: ARG002 - the port's signature
        """Return None: Finnhub does not tell a ticker's first and last date."""
        return None

    async def suggest(self, text: str, limit: int) -> Sequence[TickerInfo]:
        """Return what Finnhub's search finds for two letters or more, remembered for a day; nothing when it fails."""
        return await self._suggestions.get(text, limit)

    def quota(self) -> QuotaState:
        """Return this process's calls in the current hour, and what Finnhub last said."""
        return self._http.quota()

    async def key_replaced(self) -> bool:
        """Return whether the key, read again, is another one than the vendor refused last."""
        return await self._http.key_replaced()

    async def check(self) -> str:
        """Ask for a week of daily candles, which needs a valid key with candles in its plan."""
        today = market_date(self._clock.now())
        week = Span(today - timedelta(days=CHECK_DAYS), today)
        await self.fetch(Series(CHECK_TICKER, self.name, Resolution.DAY), week)
        return "Finnhub answers, and the plan of the key includes candles."

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _search(self, text: str) -> Sequence[TickerInfo]:
        return await self._http.ask("/api/v1/search", {"q": text}, wire.parse_found, asked="search")
