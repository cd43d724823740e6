"""Tiingo's own paths, so that a client written for Tiingo needs nothing but another base URL.

``/tiingo/daily/<ticker>/prices``, ``/tiingo/daily/<ticker>``, ``/iex/<ticker>/prices``, ``/tiingo/utilities/search``
and ``/api/test`` are answered from the cache, whatever the source behind it. What this cache does not have (other
widths, hours outside the session, quotes) is refused; nothing is passed on.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from ohlcache.domain.adjustment import Adjustment
from ohlcache.domain.errors import InvalidRequest, NotEntitled, TickerNotFound, VendorUnavailable
from ohlcache.domain.market_time import market_date
from ohlcache.domain.request import Range
from ohlcache.domain.span import Span
from ohlcache.http.conditional import is_held, wants_retry
from ohlcache.http.messages import NO_STORE, Response, json_response
from ohlcache.http.negotiation import Coding, choose_coding
from ohlcache.http.ohlc import provenance_headers
from ohlcache.http.query import parse_any_query, parse_searched
from ohlcache.http.representations import Encoder, represented
from ohlcache.http.tiingo_query import frequency_of, resolution_of, span_of, style_of, within
from ohlcache.http.tiingo_rows import IEX_COLUMNS_DEFAULT, Frequency, Rows, Style, daily_rows, iex_rows
from ohlcache.service.single_flight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ohlcache.domain.answer import Answer, Served
    from ohlcache.http.lifecycle import Lifecycle
    from ohlcache.http.messages import Request
    from ohlcache.http.representations import Representation
    from ohlcache.service.read_through import ReadThrough

SEARCH_RESULTS_MAX = 10
LIVES_REMEMBERED_MAX = 10_000
QUIET_TIME_MAX = timedelta(days=31)
"""How far the newest candle is looked for, before the ticker's listing is."""

_CONTENT_TYPES = {Style.JSON: b"application/json", Style.CSV: b"text/csv"}


class TiingoResource:
    """Answers as api.tiingo.com would."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle
        self._encoder = Encoder(self._weigh)
        self._lives = Lives()

    async def daily(self, request: Request) -> Response:
        """Return end-of-day rows: of the dates asked for, or the newest one."""
        cache, fields = self._lifecycle.cache, parse_any_query(request.query)
        style, frequency = style_of(fields), frequency_of(fields)
        span, coding, retry = span_of(fields, cache), _coding(request), wants_retry(request.headers)
        if span is None:
            served = await self._newest(cache, request.params[0], frequency, retry=retry)
        elif (possible := within(cache, span)) is None:
            return _nothing(style)
        else:
            served = await _end_of_day(cache, request.params[0], frequency.covering(possible), retry=retry)

        def encode(answer: Answer) -> bytes:
            rows = daily_rows(answer, frequency)
            if span is None:
                return _shaped(rows.newest(), fields).written(style, "T00:00:00+00:00", by_name=True)
            return _shaped(rows, fields).written(style, "T00:00:00.000Z")

        if fields.keys() & {"columns", "sort"}:
            shown = await asyncio.to_thread(lambda: represented(served.answer, encode(served.answer), coding))
        else:
            form = f"tiingo-{frequency}-{style}{'-newest' if span is None else ''}"
            shown = await self._encoder.represent(served.answer, form, coding, encode)
        return _response(request, cache, served, shown, style)

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
        if span is None:
            asked = cache.parse(request.params[0], range=Range.DAY, resolution=resolution, adjust=Adjustment.NONE)
        elif (possible := within(cache, span)) is None:
            return _nothing(style)
        else:
            asked = cache.parse(
                request.params[0],
                start_date=possible.start,
                end_date=possible.end,
                resolution=resolution,
                adjust=Adjustment.NONE,
            )
        served = await cache.get(asked, retry=wants_retry(request.headers))
        if served.answer.fallback is not None:
            raise VendorUnavailable(served.answer.fallback.message)
        shape = {"columns": ",".join(IEX_COLUMNS_DEFAULT)} | {name: text for name, text in fields.items() if text}
        coding = _coding(request)

        def encode() -> Representation:
            rows = _shaped(iex_rows(served.answer), shape)
            return represented(served.answer, rows.written(style, ""), coding)

        return _response(request, cache, served, await asyncio.to_thread(encode), style)

    async def metadata(self, request: Request) -> Response:
        """Return what is known of a ticker: its name, and the dates of its first and last daily candle."""
        cache = self._lifecycle.cache
        # Asked first, because it says why it cannot answer, and has today's row as soon as anybody.
        month = await cache.get(cache.parse(request.params[0], range=Range.MONTH))
        ticker, days = month.answer.request.ticker, month.answer.days[-1:].tolist()
        life = await self._lives.of(ticker, cache)
        if life is None and not days:
            raise TickerNotFound(f"The dates of {ticker} are not known.")
        names = [info.name for info in await cache.suggest(ticker, SEARCH_RESULTS_MAX) if info.ticker == ticker]
        last = date.fromordinal(days[0]) if days else life and life.end
        return json_response(
            {
                "ticker": _spelled(ticker),
                "name": names[0] if names else _spelled(ticker),
                "exchangeCode": None,
                "description": None,
                "startDate": life and life.start.isoformat(),
                "endDate": last and last.isoformat(),
            }
        )

    async def search(self, request: Request) -> Response:
        """Return tickers of the source that match what is asked, as a parameter or at the end of the path."""
        text = request.params[0] if request.params else parse_any_query(request.query).get("query", "")
        found = await self._lifecycle.cache.suggest(parse_searched(text), SEARCH_RESULTS_MAX)
        return json_response(
            [{"ticker": _spelled(info.ticker), "name": info.name, "assetType": "Stock"} for info in found]
        )

    async def test(self, request: Request) -> Response:  # noqa: ARG002 - a handler's signature
        """Return Tiingo's sign of life."""
        return json_response({"message": "You successfully sent a request"})

    async def _newest(self, cache: ReadThrough, ticker: str, frequency: Frequency, *, retry: bool) -> Served:
        """Return the periods that have the newest candle in them."""
        today = market_date(cache.as_of())
        recent = Span(frequency.period(today - QUIET_TIME_MAX).start, today)
        served = await _end_of_day(cache, ticker, recent, retry=retry)
        if len(served.answer.candles):
            return served
        life = await self._lives.of(served.answer.request.ticker, cache)  # it may have been delisted long ago
        return served if life is None else await _end_of_day(cache, ticker, frequency.period(life.end), retry=retry)

    def _weigh(self, answer: Answer) -> None:
        cache = self._lifecycle.opened
        if cache is not None:
            cache.grown(answer)


class Lives:
    """The first and last dates of tickers, asked for once a day whoever asks."""

    def __init__(self) -> None:
        self._day: date | None = None
        self._known: dict[str, Span] = {}
        self._flights: SingleFlight[Span | None] = SingleFlight()

    async def of(self, ticker: str, cache: ReadThrough) -> Span | None:
        """Return the life of ``ticker``; None where the source does not tell, which is not remembered."""
        today = market_date(cache.as_of())
        if self._day != today or len(self._known) >= LIVES_REMEMBERED_MAX:
            self._day = today
            self._known.clear()
        if ticker not in self._known:
            told, _ = await self._flights.do(ticker, lambda: cache.listing(ticker))
            if told is None:
                return None
            self._known[ticker] = told
        return self._known[ticker]


async def _end_of_day(cache: ReadThrough, ticker: str, span: Span, *, retry: bool) -> Served:
    """Return raw and adjusted candles of the same replies of the vendor."""
    possible = within(cache, span)
    assert possible is not None, "it begins with what is possible"
    asked = cache.parse(ticker, start_date=possible.start, end_date=possible.end, adjust=Adjustment.ALL)
    try:
        return await cache.get(replace(asked, raw_too=True), retry=retry)
    except InvalidRequest as exc:
        raise NotEntitled(
            "These rows need raw prices, and this source gives prices that are adjusted already.",
            hint=f"Use /api/v2/tickers/{asked.ticker}/ohlc, or another source.",
        ) from exc


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
    columns = [name for name in fields.get("columns", "").split(",") if name]
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
