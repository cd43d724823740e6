"""Tiingo's own paths, so that a client written for Tiingo needs nothing but another base URL.

``/tiingo/daily/<ticker>/prices``, ``/tiingo/daily/<ticker>``, ``/iex/<ticker>/prices``, ``/tiingo/utilities/search``
and ``/api/test`` are answered from the cache, whatever the source behind it. What this cache does not have (other
widths, hours outside the session, quotes) is refused; nothing is passed on.
"""

from __future__ import annotations

import asyncio
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from ohlcache.domain.adjustment import Adjustment
from ohlcache.domain.errors import InvalidRequest, TickerNotFound, VendorUnavailable
from ohlcache.domain.market_time import market_date
from ohlcache.domain.request import Range
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.ticker import normalise_ticker
from ohlcache.http.conditional import is_held
from ohlcache.http.messages import NO_STORE, Response, json_response
from ohlcache.http.negotiation import Coding, choose_coding
from ohlcache.http.ohlc import provenance_headers
from ohlcache.http.query import parse_any_query
from ohlcache.http.representations import Encoder, represented
from ohlcache.http.tiingo_query import frequency_of, resolution_of, span_of, style_of, wanted, within
from ohlcache.http.tiingo_rows import IEX_COLUMNS_DEFAULT, Frequency, Rows, Style, daily_rows, iex_rows
from ohlcache.service.single_flight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ohlcache.domain.answer import Answer, Served
    from ohlcache.domain.span import Span
    from ohlcache.http.lifecycle import Lifecycle
    from ohlcache.http.messages import Request
    from ohlcache.http.representations import Representation
    from ohlcache.service.read_through import ReadThrough

    Metadata = dict[str, str | None]

SEARCH_RESULTS_MAX = 10
METADATA_REMEMBERED_MAX = 10_000
TRIES_MAX = 3

_CONTENT_TYPES = {Style.JSON: b"application/json", Style.CSV: b"text/csv"}


class TiingoResource:
    """Answers as api.tiingo.com would."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle
        self._encoder = Encoder(self._weigh)
        self._metadata: dict[str, tuple[date, Metadata]] = {}
        self._flights: SingleFlight[Metadata] = SingleFlight()

    async def daily(self, request: Request) -> Response:
        """Return end-of-day rows: of the dates asked for, or the newest one."""
        cache, fields = self._lifecycle.cache, parse_any_query(request.query)
        style, frequency = style_of(fields), frequency_of(fields)
        span = span_of(fields, cache)
        if span is not None:
            span = within(cache, frequency.covering(span))
            if span is None:
                return _nothing(style)
        raw, adjusted = await _raw_and_adjusted(cache, request.params[0], span, frequency)
        coding = _coding(request)

        def encode(answer: Answer) -> bytes:
            rows = daily_rows(raw.answer, answer, frequency)
            if span is None:
                return _shaped(rows.newest(), fields).written(style, "T00:00:00+00:00", by_name=True)
            return _shaped(rows, fields).written(style, "T00:00:00.000Z")

        if span is None or fields.keys() & {"columns", "sort"}:
            shown = represented(encode(adjusted.answer), coding)
        else:
            shown = await self._encoder.represent(adjusted.answer, f"tiingo-{frequency}-{style}", coding, encode)
        return _response(request, cache, adjusted, shown, style)

    async def iex(self, request: Request) -> Response:
        """Return bars of the session's minutes: of the dates asked for, or of the newest session."""
        cache, fields = self._lifecycle.cache, parse_any_query(request.query)
        style, resolution = style_of(fields), resolution_of(fields)
        for flag in ("afterHours", "forceFill"):
            if fields.get(flag, "false").lower() not in {"false", "0", ""}:
                raise InvalidRequest(
                    f"{flag} is not to be had: there are bars of the session that were traded.",
                    hint=f"Leave {flag} out.",
                    field=flag,
                )
        span = span_of(fields, cache)
        if span is not None and (span := within(cache, span)) is None:
            return _nothing(style)
        served = await cache.get(wanted(cache, request.params[0], span, resolution, Adjustment.NONE))
        if served.answer.fallback is not None:
            raise VendorUnavailable(served.answer.fallback.message)
        shape = {"columns": ",".join(IEX_COLUMNS_DEFAULT)} | {name: text for name, text in fields.items() if text}
        coding = _coding(request)

        def encode() -> Representation:
            return represented(_shaped(iex_rows(served.answer), shape).written(style, ""), coding)

        return _response(request, cache, served, await asyncio.to_thread(encode), style)

    async def metadata(self, request: Request) -> Response:
        """Return what is known of a ticker: its name, and the dates of its first and last daily candle."""
        cache = self._lifecycle.cache
        ticker = normalise_ticker(request.params[0])
        today = market_date(cache.as_of())
        known = self._metadata.get(ticker)
        if known is None or known[0] != today:
            found, _ = await self._flights.do(ticker, lambda: _metadata_of(cache, ticker))
            if len(self._metadata) >= METADATA_REMEMBERED_MAX:
                self._metadata.clear()
            known = self._metadata[ticker] = today, found
        return json_response(known[1])

    async def search(self, request: Request) -> Response:
        """Return tickers of the source that match ``query``."""
        fields = parse_any_query(request.query)
        found = await self._lifecycle.cache.suggest(fields.get("query", "")[:40].strip(), SEARCH_RESULTS_MAX)
        return json_response(
            [{"ticker": _spelled(info.ticker), "name": info.name, "assetType": "Stock"} for info in found]
        )

    async def test(self, request: Request) -> Response:  # noqa: ARG002 - a handler's signature
        """Return Tiingo's sign of life."""
        return json_response({"message": "You successfully sent a request"})

    def _weigh(self, answer: Answer) -> None:
        cache = self._lifecycle.opened
        if cache is not None:
            cache.grown(answer)


async def _metadata_of(cache: ReadThrough, ticker: str) -> Metadata:
    listing = await cache.listing(ticker)
    if listing is None:
        raise TickerNotFound(f"The dates of {ticker} are not known.")
    names = [info.name for info in await cache.suggest(ticker, SEARCH_RESULTS_MAX) if info.ticker == ticker]
    return {
        "ticker": _spelled(ticker),
        "name": names[0] if names else _spelled(ticker),
        "exchangeCode": None,
        "description": None,
        "startDate": listing.start.isoformat(),
        "endDate": listing.end.isoformat(),
    }


async def _raw_and_adjusted(
    cache: ReadThrough, ticker: str, span: Span | None, frequency: Frequency
) -> tuple[Served, Served]:
    """Return the same candles twice, as they were and adjusted; without a span those of the newest period."""
    if span is None:
        # A month, because it may have been halted for some days.
        newest = await cache.get(cache.parse(ticker, range=Range.MONTH, adjust=Adjustment.ALL))
        last = newest.answer.days[-1:].tolist() or [market_date(cache.as_of()).toordinal()]
        span = within(cache, frequency.period(date.fromordinal(last[0])))
        assert span is not None, "the newest candle is not in the future"
    for _ in range(TRIES_MAX):
        # One after the other: the adjusted answer needs more, so that the raw one is in the store by then.
        adjusted = await cache.get(wanted(cache, ticker, span, Resolution.DAY, Adjustment.ALL))
        raw = await cache.get(wanted(cache, ticker, span, Resolution.DAY, Adjustment.NONE))
        if np.array_equal(raw.answer.days, adjusted.answer.days):
            return raw, adjusted
    raise VendorUnavailable("The candles are changing at the moment.")


def _response(request: Request, cache: ReadThrough, served: Served, shown: Representation, style: Style) -> Response:
    headers = provenance_headers(served, shown, cache.clock.now())
    held = request.headers.get(b"if-none-match")
    if held is not None and is_held(held, shown.etag):
        return Response(304, headers, tier=served.tier)
    headers.append((b"content-type", _CONTENT_TYPES[style]))
    if shown.coding is not Coding.IDENTITY:
        headers.append((b"content-encoding", shown.coding.encode()))
    return Response(200, headers, shown.body, tier=served.tier)


def _nothing(style: Style) -> Response:
    """Return that there are no rows: the dates lie in the future, or before the calendar begins."""
    return json_response([]) if style is Style.JSON else Response(200, [(b"content-type", b"text/csv"), NO_STORE])


def _shaped(rows: Rows, fields: Mapping[str, str]) -> Rows:
    columns = [name for name in fields.get("columns", "").split(",") if name not in {"", "date"}]
    rows = rows.only(columns) if columns else rows
    sort = fields.get("sort", "date")
    if sort not in {"date", "-date"}:
        raise InvalidRequest(
            f"Rows cannot be sorted by {sort[:20]!r}.", hint="Use sort=date or sort=-date.", field="sort"
        )
    return rows.backwards() if sort == "-date" else rows


def _coding(request: Request) -> Coding:
    return choose_coding(request.headers.get(b"accept-encoding", b""))


def _spelled(ticker: str) -> str:
    """Return Tiingo's spelling of a ticker."""
    return ticker.replace(".", "-")
