"""Tiingo: daily candles with their splits and dividends, and intraday bars of the IEX exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from ohlcache.adapters.vendors import tiingo_wire as wire
from ohlcache.adapters.vendors.suggestions import RememberedSuggestions
from ohlcache.adapters.vendors.vendor_http import HttpPool, VendorHttp
from ohlcache.domain.adjustment import Adjustment
from ohlcache.domain.errors import OhlcacheError
from ohlcache.domain.plan import SliceLimit
from ohlcache.domain.resolution import Resolution
from ohlcache.ports import QuotaState, TickerInfo, VendorTraits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ohlcache.adapters.vendors.vendor_key import VendorKey
    from ohlcache.domain.observation import VendorAnswer
    from ohlcache.domain.series import Series
    from ohlcache.domain.span import Span
    from ohlcache.ports import Clock, Telemetry

INTRADAY_CANDLES_MAX = 8_000
"""The row cap of the IEX endpoint is not documented; clients ask by the month, which points at about 10,000."""

METADATA_BUDGET_SHARE = 0.5
"""Of the time-out: prices and metadata together stay well below the life of a lease, which is two time-outs."""

SUGGESTIONS_ASKED = 20
LISTINGS_REMEMBERED_MAX = 10_000

TRAITS = VendorTraits(
    limits={
        **dict.fromkeys(Resolution, SliceLimit(candles_max=INTRADAY_CANDLES_MAX)),
        Resolution.HOUR: SliceLimit(candles_max=INTRADAY_CANDLES_MAX // 2),
        Resolution.DAY: SliceLimit(),
    },
    adjustments=dict.fromkeys(Resolution, (Adjustment.SPLITS, Adjustment.ALL, Adjustment.NONE)),
)
"""Hourly candles are made of two rows each."""


class TiingoVendor:
    """Implements ``ohlcache.ports.CandleVendor`` with Tiingo's REST API."""

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
        self._http = VendorHttp(
            source=self.name,
            base_url=base_url,
            key=key,
            headers_of=lambda secret: {"Authorization": f"Token {secret}"},
            refusal=wire.refusal,
            clock=clock,
            telemetry=telemetry,
            timeout_seconds=timeout_seconds,
            calls_per_hour=calls_per_hour,
            pool=pool,
        )
        self._suggestions = RememberedSuggestions(self._search, clock)
        self._listings: dict[str, Span] = {}

    @property
    def name(self) -> str:
        """``tiingo``."""
        return "tiingo"

    @property
    def traits(self) -> VendorTraits:
        """Raw prices at every resolution."""
        return TRAITS

    async def prepare(self) -> None:
        """Load the HTTP client."""
        await self._http.prepare()

    async def fetch(self, series: Series, span: Span) -> VendorAnswer:
        """Return the raw candles of ``span``; daily ones with every split and dividend among them."""
        ticker = quote(wire.wire_ticker(series.ticker), safe="")
        dates = {"startDate": span.start.isoformat(), "endDate": span.end.isoformat(), "format": "json"}
        if series.resolution.is_daily:
            path, parse = f"/tiingo/daily/{ticker}/prices", wire.parse_daily
            params = dates | {"resampleFreq": "daily"}
        else:
            # Tiingo's own hours follow the clock and leave out the half hour after the bell.
            hourly = series.resolution is Resolution.HOUR
            path, parse = f"/iex/{ticker}/prices", wire.parse_iex_half_hours if hourly else wire.parse_iex
            params = dates | {
                "resampleFreq": "30min" if hourly else f"{series.resolution.value}min",
                "columns": "open,high,low,close,volume",
                "afterHours": "false",
                "forceFill": "false",
            }
        return await self._http.ask(
            path, params, parse, ticker=series.ticker, resolution=series.resolution.value, span=str(span)
        )

    async def listing(self, series: Series, span: Span) -> Span | None:
        """Return the first and last date of the ticker's daily rows, remembered for spans before the first."""
        known = self._listings.get(series.ticker)
        if known is not None and span.end < known.start:
            return known  # a first day does not change, a last one does
        ticker = quote(wire.wire_ticker(series.ticker), safe="")
        try:
            listing = await self._http.ask(
                f"/tiingo/daily/{ticker}",
                {},
                wire.parse_listing,
                budget_share=METADATA_BUDGET_SHARE,
                ticker=series.ticker,
                asked="metadata",
            )
        except OhlcacheError:
            return None
        if listing is not None and len(self._listings) < LISTINGS_REMEMBERED_MAX:
            self._listings[series.ticker] = listing
        return listing

    async def suggest(self, text: str, limit: int) -> Sequence[TickerInfo]:
        """Return what Tiingo's search finds for two letters or more, remembered for a day; nothing when it fails."""
        return await self._suggestions.get(text, limit)

    def quota(self) -> QuotaState:
        """Return this process's calls in the current hour, and what Tiingo last said."""
        return self._http.quota()

    async def key_replaced(self) -> bool:
        """Return whether the key, read again, is another one than the vendor refused last."""
        return await self._http.key_replaced()

    async def check(self) -> str:
        """Ask Tiingo's test endpoint, which needs a valid key."""
        await self._http.ask("/api/test", {}, wire.parse_sign_of_life)
        return "Tiingo answers and accepts the key."

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _search(self, text: str) -> Sequence[TickerInfo]:
        params = {"query": text, "limit": str(SUGGESTIONS_ASKED)}
        return await self._http.ask("/tiingo/utilities/search", params, wire.parse_found, asked="search")
