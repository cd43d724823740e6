"""The two vendors' paths, parameters, keys and refusals: from a request to an answer, without a socket."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Protocol

from ohlcache.domain.errors import InvalidRequest
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.span import Span
from ohlcache.domain.ticker import normalise_ticker
from ohlcache.testing import finnhub_bodies, tiingo_bodies
from ohlcache.testing.faults import Fault, Faults
from ohlcache.testing.market import Hours
from ohlcache.testing.tiingo_bodies import Asked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ohlcache.testing.faults import Drawn
    from ohlcache.testing.market import Market

JSON = "application/json"
TEXT = "text/plain"

_TIINGO_PATH = re.compile(r"/(?P<kind>tiingo/daily|iex)/(?P<ticker>[^/]+)(?P<prices>/prices)?\Z", re.ASCII)
_FREQUENCY = re.compile(r"(?P<number>\d+)(?P<unit>min|hour)\Z", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes over the wire."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """What a request asks for, in the vendor's own words; empty where it does not apply."""

    ticker: str = ""
    resolution: str = ""
    span: tuple[str, str] = ("", "")


class VendorSide(Protocol):
    """One vendor's API."""

    name: str
    faults: Faults
    key: str | None
    """The only key that is accepted; None: any."""

    def read(self, path: str, query: Mapping[str, str]) -> Question:
        """Return what is asked for."""
        ...

    def key_sent(self, headers: Mapping[str, str], query: Mapping[str, str]) -> tuple[str, str]:
        """Return the key and how it came: ``header``, ``url`` or ``none``."""
        ...

    def refused_key(self, headers: Mapping[str, str], query: Mapping[str, str]) -> Answer | None:
        """Return the refusal where the key is missing or wrong."""
        ...

    def fault_answer(self, faults: Drawn) -> Answer | None:
        """Return the error answer among ``faults``."""
        ...

    def answer(self, path: str, query: Mapping[str, str], market: Market, now: float, faults: Drawn) -> Answer:
        """Return what the vendor says at ``now``."""
        ...


@dataclass(slots=True)
class TiingoSide:
    """Tiingo: daily prices, metadata, IEX prices, search and the test endpoint."""

    name: str = "tiingo"
    faults: Faults = field(default_factory=Faults)
    key: str | None = None

    def read(self, path: str, query: Mapping[str, str]) -> Question:
        """Return what is asked for."""
        match = _TIINGO_PATH.match(path)
        if match is None:
            return Question()
        resolution = query.get("resampleFreq", "daily" if match["kind"] == "tiingo/daily" else "5min")
        dates = (query.get("startDate", ""), query.get("endDate", ""))
        return Question(match["ticker"], resolution if match["prices"] else "", dates)

    def key_sent(self, headers: Mapping[str, str], query: Mapping[str, str]) -> tuple[str, str]:
        """Return the key and how it came."""
        scheme, _, key = headers.get("Authorization", "").partition(" ")
        if scheme == "Token" and key:
            return key, "header"
        return (query["token"], "url") if query.get("token") else ("", "none")

    def refused_key(self, headers: Mapping[str, str], query: Mapping[str, str]) -> Answer | None:
        """Return the refusal where the key is missing or wrong."""
        key, _ = self.key_sent(headers, query)
        if not key:
            return Answer(401, tiingo_bodies.detail("Please supply a token"))
        if self.key is not None and key != self.key:
            return Answer(401, tiingo_bodies.detail("Invalid token."))
        return None

    def fault_answer(self, faults: Drawn) -> Answer | None:
        """Return the error answer among ``faults``."""
        if Fault.TOO_MANY in faults:
            return Answer(429, tiingo_bodies.detail(tiingo_bodies.HOURLY_QUOTA), headers=_retry_after(faults))
        if Fault.QUOTA_TEXT in faults:
            return Answer(200, tiingo_bodies.SYMBOL_QUOTA.encode(), TEXT)
        if Fault.UNAUTHORIZED in faults:
            return Answer(401, tiingo_bodies.detail("Invalid token."))
        if Fault.FORBIDDEN in faults:
            return Answer(403, tiingo_bodies.detail("You do not have permission to access this resource"))
        return _server_error(faults)

    def answer(self, path: str, query: Mapping[str, str], market: Market, now: float, faults: Drawn) -> Answer:
        """Return what Tiingo says at ``now``."""
        if path == "/api/test":
            return Answer(200, tiingo_bodies.written({"message": "You successfully sent a request"}))
        if path == "/tiingo/utilities/search":
            return Answer(200, tiingo_bodies.search(market, query.get("query", "")))
        match = _TIINGO_PATH.match(path)
        ticker = _canonical(match["ticker"]) if match else ""
        if match is None or (match["kind"] == "iex" and not (match["prices"] and market.knows(ticker))):
            return Answer(404, tiingo_bodies.detail("Not found."))
        if not market.knows(ticker):
            return Answer(404, tiingo_bodies.detail(f"Error: Ticker '{match['ticker']}' not found"))
        asked = Asked(market, ticker, now, faults)
        return self._intraday(asked, query) if match["kind"] == "iex" else self._daily(asked, query, match["prices"])

    def _daily(self, asked: Asked, query: Mapping[str, str], prices: str | None) -> Answer:
        if not prices:
            return Answer(200, tiingo_bodies.metadata(asked))
        span = _asked_span(query, asked.market)
        return Answer(200, tiingo_bodies.latest(asked) if span is None else tiingo_bodies.daily(asked, span))

    def _intraday(self, asked: Asked, query: Mapping[str, str]) -> Answer:
        match = _FREQUENCY.match(query.get("resampleFreq", "5min"))
        minutes = int(match["number"]) * (60 if match["unit"].lower() == "hour" else 1) if match else 0
        span = _asked_span(query, asked.market)
        if str(minutes) not in {resolution.value for resolution in Resolution} or span is None:
            return Answer(400, tiingo_bodies.detail(tiingo_bodies.WRONG_FREQUENCY))
        hours = Hours.EXTENDED if query.get("afterHours", "false").lower() == "true" else Hours.REGULAR
        columns = query["columns"].split(",") if query.get("columns") else tiingo_bodies.IEX_COLUMNS_DEFAULT
        return Answer(200, tiingo_bodies.intraday(asked, Resolution(str(minutes)), span, columns, hours))


@dataclass(slots=True)
class FinnhubSide:
    """Finnhub: stock candles and search. ``stamped_at_the_open``: daily candles as they were stamped in 2020."""

    name: str = "finnhub"
    faults: Faults = field(default_factory=Faults)
    key: str | None = None
    stamped_at_the_open: bool = False

    def read(self, path: str, query: Mapping[str, str]) -> Question:
        """Return what is asked for."""
        if not path.endswith("/candle"):
            return Question()
        span = (query.get("from", ""), query.get("to", ""))
        return Question(query.get("symbol", ""), query.get("resolution", ""), span)

    def key_sent(self, headers: Mapping[str, str], query: Mapping[str, str]) -> tuple[str, str]:
        """Return the key and how it came."""
        if headers.get("X-Finnhub-Token"):
            return headers["X-Finnhub-Token"], "header"
        return (query["token"], "url") if query.get("token") else ("", "none")

    def refused_key(self, headers: Mapping[str, str], query: Mapping[str, str]) -> Answer | None:
        """Return the refusal where the key is missing or wrong."""
        key, _ = self.key_sent(headers, query)
        if not key:
            return Answer(429, finnhub_bodies.error(finnhub_bodies.SIGN_UP))
        if self.key is not None and key != self.key:
            return Answer(401, finnhub_bodies.error(finnhub_bodies.INVALID_KEY))
        return None

    def fault_answer(self, faults: Drawn) -> Answer | None:
        """Return the error answer among ``faults``."""
        if Fault.TOO_MANY in faults:
            return Answer(429, finnhub_bodies.error(finnhub_bodies.LIMIT_REACHED), headers=_retry_after(faults))
        if Fault.QUOTA_TEXT in faults:
            return Answer(429, finnhub_bodies.LIMIT_REACHED_TEXT, TEXT)
        if Fault.UNAUTHORIZED in faults:
            return Answer(401, finnhub_bodies.error(finnhub_bodies.INVALID_KEY))
        if Fault.FORBIDDEN in faults:
            return Answer(403, finnhub_bodies.error(finnhub_bodies.NO_ACCESS))
        return _server_error(faults)

    def answer(self, path: str, query: Mapping[str, str], market: Market, now: float, faults: Drawn) -> Answer:
        """Return what Finnhub says at ``now``."""
        if path == "/api/v1/search":
            return Answer(200, finnhub_bodies.search(market, query.get("q", "")))
        first, last = query.get("from", ""), query.get("to", "")
        known = query.get("resolution") in {resolution.value for resolution in Resolution}
        if path != "/api/v1/stock/candle" or not known or not (first.isdigit() and last.isdigit()):
            return Answer(422, finnhub_bodies.error("Wrong parameters."))
        asked = Asked(market, query.get("symbol", ""), now, faults)
        resolution = Resolution(query["resolution"])
        bars = finnhub_bodies.candles(asked, resolution, int(first), int(last))
        if resolution.is_daily and self.stamped_at_the_open:
            bars = finnhub_bodies.stamped_at_the_open(bars)
        return Answer(200, finnhub_bodies.columns(bars))


def _retry_after(faults: Drawn) -> Mapping[str, str]:
    seconds = faults.get(Fault.TOO_MANY, 0.0)
    return {"Retry-After": str(int(seconds))} if seconds else {}


def _server_error(faults: Drawn) -> Answer | None:
    if Fault.SERVER_ERROR not in faults:
        return None
    return Answer(int(faults[Fault.SERVER_ERROR] or 503), b"<html><body>An error.</body></html>", "text/html")


def _canonical(ticker: str) -> str:
    try:
        return normalise_ticker(ticker)
    except InvalidRequest:
        return ""


def _asked_span(query: Mapping[str, str], market: Market) -> Span | None:
    """Return the dates asked for, within the calendar; None without a start."""
    if not query.get("startDate"):
        return None
    calendar = market.calendar.span
    start = max(date.fromisoformat(query["startDate"]), calendar.start)
    end = min(date.fromisoformat(query.get("endDate") or calendar.end.isoformat()), calendar.end)
    return Span(start, max(start, end))
