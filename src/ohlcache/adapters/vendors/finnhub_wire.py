"""Finnhub's replies, read: candles as parallel arrays, search results and refusals, as pure functions.

Daily ``t`` is 00:00 UTC of the market date or the session's open, by the year of the reply; daily prices are divided
by later splits, volumes are not. Intraday prices are raw, bars are labelled with their start, extended hours included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec
import numpy as np

from ohlcache.adapters.vendors.loose_rows import UNREADABLE, LooseRows, instant, loosely
from ohlcache.adapters.vendors.refusals import words_of
from ohlcache.adapters.vendors.suggestions import tickers_of
from ohlcache.adapters.vendors.vendor_http import refusal_by_status, retry_after_seconds
from ohlcache.domain.candles import Candles
from ohlcache.domain.errors import (
    BadVendorCredentials,
    NotEntitled,
    OhlcacheError,
    QuotaExceeded,
    VendorGarbage,
)
from ohlcache.domain.market_time import DAY_SECONDS
from ohlcache.domain.observation import VendorAnswer
from ohlcache.domain.rejections import EARLIEST, LATEST, UNDATED, all_possible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ohlcache.adapters.vendors.vendor_http import Reply
    from ohlcache.ports import TickerInfo

    Int64s = NDArray[np.int64]

T = TypeVar("T")

LIMIT_WAIT_SECONDS = 60.0
"""Finnhub counts by the minute."""

WORDS = {"time": "t", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}

DAY_BEGINS_NEW_YORK_SECONDS = 4 * 3600
DAY_ENDS_NEW_YORK_SECONDS = 21 * 3600
"""Between these times of the UTC day, winter and summer, the dates of UTC and New York are the same."""


class _Columns(msgspec.Struct):
    s: str
    t: list[int] | None = None
    o: list[float] | None = None
    h: list[float] | None = None
    l: list[float] | None = None  # noqa: E741 - the wire's own word
    c: list[float] | None = None
    v: list[int | float | None] | None = None


class _Found(msgspec.Struct):
    symbol: object = None
    description: object = None


class _Search(msgspec.Struct):
    result: list[_Found]


_COLUMNS = msgspec.json.Decoder(_Columns)
_SEARCH = msgspec.json.Decoder(_Search)

_KNOWN_TEXTS = ("api limit reached", "you don't have access", "invalid api key")


def parse_daily(body: bytes) -> VendorAnswer:
    """Return daily candles at 00:00 UTC of their market date, and the rows that cannot be true."""
    return _answer(body, _market_dates, daily=True)


def parse_intraday(body: bytes) -> VendorAnswer:
    """Return intraday candles as received, and those that cannot be true."""
    return _answer(body, _as_received, daily=False)


def parse_found(body: bytes) -> Sequence[TickerInfo]:
    """Return the results of ``/search``, in our spelling; those that have none (foreign exchanges) are left out."""
    return tickers_of((found.symbol, found.description) for found in _decoded(_SEARCH, body).result)


def refusal(reply: Reply, *, ticker: str, now: float) -> OhlcacheError | None:  # noqa: ARG001 - no wording names it
    """Return the error that ``reply`` means, None where it is an answer."""
    said = words_of(reply.body, member="error", known_texts=_KNOWN_TEXTS)
    if "sign up" in said or "invalid api key" in said:
        # An empty or unknown token is answered with 429 and an invitation to sign up.
        return BadVendorCredentials("Finnhub refused the key.")
    if reply.status == 429 or "limit reached" in said:  # noqa: PLR2004 - statuses are their own names
        stated = retry_after_seconds(reply, now)
        return QuotaExceeded(
            "The allowance of the Finnhub key is used up for the moment.",
            retry_after_seconds=LIMIT_WAIT_SECONDS if stated is None else stated,
            stated_by_vendor=stated is not None,
        )
    if reply.status == 403 or "have access" in said:  # noqa: PLR2004
        # The same words came with 401 in 2021.
        return NotEntitled("The Finnhub plan of the key does not include this data.")
    if reply.status == 401:  # noqa: PLR2004
        return BadVendorCredentials("Finnhub refused the key.")
    return refusal_by_status(reply, now)


def _answer(body: bytes, times_of: Callable[[Int64s], Int64s], *, daily: bool) -> VendorAnswer:
    columns = _strictly(_COLUMNS, body)
    if columns is not None and columns.s == "no_data":
        return VendorAnswer(Candles.empty())
    if columns is not None and columns.s == "ok" and columns.t is not None:
        candles = _candles(columns, times_of)
        if candles is not None and all_possible(candles):
            return VendorAnswer(candles)
    return _loose_answer(body, times_of, daily=daily)


def _candles(columns: _Columns, times_of: Callable[[Int64s], Int64s]) -> Candles | None:
    """Return the columns as candles; None where they are of unequal length or a number is out of all bounds."""
    times, opened, high, low, close = (
        column or [] for column in (columns.t, columns.o, columns.h, columns.l, columns.c)
    )
    volume = columns.v if columns.v is not None else [None] * len(times)
    if any(len(column) != len(times) for column in (opened, high, low, close, volume)):
        return None
    try:
        shares = np.asarray([round(number) if number else 0 for number in volume], np.int64)
        return Candles.from_columns(times_of(np.asarray(times, np.int64)), opened, high, low, close, shares)
    except OverflowError:
        return None


def _loose_answer(body: bytes, times_of: Callable[[Int64s], Int64s], *, daily: bool) -> VendorAnswer:
    """Return what of the columns can be used, place by place, and the others by name."""
    reply = loosely(body)
    if not isinstance(reply, dict):
        raise VendorGarbage(UNREADABLE)
    if reply.get("s") == "no_data":
        return VendorAnswer(Candles.empty())
    times = reply.get("t")
    if reply.get("s") != "ok" or not isinstance(times, list):
        raise VendorGarbage("The vendor's answer says neither that there is data nor that there is none.")
    columns = [reply.get(name) for name in "ohlc"]
    columns.append(reply["v"] if reply.get("v") is not None else [None] * len(times))
    if any(not isinstance(column, list) or len(column) != len(times) for column in columns):
        raise VendorGarbage("The vendor sent columns of unequal length.")
    rows = LooseRows(daily=daily, words=WORDS)
    for stamp, cells in zip(times, zip(*columns, strict=True), strict=True):
        time = instant(stamp)
        if time is not None and EARLIEST <= time <= LATEST:
            time = int(times_of(np.array([time], np.int64))[0])
        rows.add(None if time == UNDATED else time, stamp, cells)
    found, sifted = rows.sifted({})
    return VendorAnswer(found[sifted.kept], rejected=sifted.rejected)


def _as_received(times: Int64s) -> Int64s:
    return times


def _market_dates(times: Int64s) -> Int64s:
    """Return the midnights of daily stamps, UNDATED for a time of day at which New York and UTC differ in the date."""
    of_day = times % DAY_SECONDS
    known = (of_day == 0) | ((of_day >= DAY_BEGINS_NEW_YORK_SECONDS) & (of_day <= DAY_ENDS_NEW_YORK_SECONDS))
    return np.where(known, times - of_day, UNDATED)


def _strictly(decoder: msgspec.json.Decoder[T], body: bytes) -> T | None:
    """Return what the decoder reads; None where it refuses."""
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _decoded(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    decoded = _strictly(decoder, body)
    if decoded is None:
        raise VendorGarbage(UNREADABLE)
    return decoded
