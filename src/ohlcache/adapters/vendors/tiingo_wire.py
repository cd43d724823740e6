"""Tiingo's replies, read: daily rows, IEX bars, metadata, search results and refusals, as pure functions.

Daily rows carry raw prices with ``divCash`` (on the ex-date) and ``splitFactor`` (on the first session after the
split) beside them; the ``adj`` columns are not read. Dates come as ``2015-01-02T00:00:00.000Z`` and as
``2018-04-12T00:00:00+00:00``. IEX bars are labelled with their start in UTC, and have a volume only where it was
asked for. Quota messages arrive as 429 with JSON, and as plain text with status 200.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date  # noqa: TC003 - msgspec reads the annotations
from typing import TYPE_CHECKING, TypeVar

import msgspec
import numpy as np

from ohlcache.adapters.vendors.hourly_calls import HOUR_SECONDS, next_hour
from ohlcache.adapters.vendors.loose_rows import UNREADABLE
from ohlcache.adapters.vendors.refusals import is_page, words_of
from ohlcache.adapters.vendors.suggestions import tickers_of
from ohlcache.adapters.vendors.tiingo_loose import SECOND, UNIX_EPOCH, Instant, loose_daily, loose_iex
from ohlcache.adapters.vendors.vendor_http import STATUS_OK, refusal_by_status, retry_after_seconds
from ohlcache.domain.adjustment import Actions
from ohlcache.domain.candles import Candles
from ohlcache.domain.errors import (
    BadVendorCredentials,
    NotEntitled,
    OhlcacheError,
    QuotaExceeded,
    TickerNotFound,
    VendorGarbage,
)
from ohlcache.domain.market_time import DAY_SECONDS, next_midnight, ordinal_of
from ohlcache.domain.observation import VendorAnswer
from ohlcache.domain.rejections import all_possible
from ohlcache.domain.span import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ohlcache.adapters.vendors.vendor_http import Reply
    from ohlcache.domain.rejections import RejectedRow
    from ohlcache.ports import TickerInfo

T = TypeVar("T")

Volume = int | float | None

HALF_HOUR_SECONDS = HOUR_SECONDS // 2


class _DailyRow(msgspec.Struct, gc=False):
    date: Instant
    close: float
    high: float
    low: float
    open: float
    volume: Volume = None
    divCash: float | None = None  # noqa: N815 - the wire's own word
    splitFactor: float | None = None  # noqa: N815


class _IexBar(msgspec.Struct, gc=False):
    date: Instant
    open: float
    high: float
    low: float
    close: float
    volume: Volume = None


class _Metadata(msgspec.Struct):
    startDate: date | None = None  # noqa: N815
    endDate: date | None = None  # noqa: N815


class _Found(msgspec.Struct):
    ticker: object = None
    name: object = None


class _SignOfLife(msgspec.Struct):
    message: str


_DAILY_ROWS = msgspec.json.Decoder(list[_DailyRow])
_IEX_BARS = msgspec.json.Decoder(list[_IexBar])
_METADATA = msgspec.json.Decoder(_Metadata)
_FOUND = msgspec.json.Decoder(list[_Found])
_SIGN_OF_LIFE = msgspec.json.Decoder(_SignOfLife)

_OVER = "run over your"
_KNOWN_TEXTS = (f"you have {_OVER}", f"error: you have {_OVER}", "please supply a token", "invalid token")


def wire_ticker(ticker: str) -> str:
    """Return Tiingo's spelling: class shares take a dash (``BRK.B`` → ``BRK-B``)."""
    return ticker.replace(".", "-")


def parse_daily(body: bytes) -> VendorAnswer:
    """Return the raw candles and the actions of ``/tiingo/daily/<ticker>/prices``, and the rows that cannot be true."""
    rows = _strictly(_DAILY_ROWS, body)
    if rows is not None:
        times = _seconds(rows) // DAY_SECONDS * DAY_SECONDS
        candles = _candles(times, rows)
        actions = [
            (ordinal_of(int(time)), row.divCash or 0.0, _ratio(row.splitFactor), row.close)
            for time, row in zip(times, rows, strict=True)
            if row.divCash or row.splitFactor not in {None, 1.0}
        ]
        sound = all(dividend >= 0 and ratio > 0 for _, dividend, ratio, _ in actions)
        if sound and candles is not None and all_possible(candles):
            return VendorAnswer(candles, Actions.from_rows(actions))
    return loose_daily(body)


def parse_iex(body: bytes) -> VendorAnswer:
    """Return the bars of ``/iex/<ticker>/prices``, and those that cannot be true."""
    bars = _strictly(_IEX_BARS, body)
    if bars is not None:
        candles = _candles(_seconds(bars), bars)
        if candles is not None and all_possible(candles):
            return VendorAnswer(candles)
    return loose_iex(body)


def parse_iex_half_hours(body: bytes) -> VendorAnswer:
    """Return hourly bars that begin with the session, at half past, made of the half-hourly ones in ``body``.

    An hour of which a half was rejected is none: the other half alone has another high, low and volume.
    """
    answer = parse_iex(body)
    halves = answer.candles
    times = [halves.time[0]] if len(halves) else []
    times += [row.time for row in answer.rejected if row.time is not None]
    sent, sent_from = len(halves) + len(answer.rejected), int(min(times)) if times else None
    if not len(halves):
        return replace(answer, bars=sent, bars_from=sent_from) if sent else answer
    hours = (halves.time - HALF_HOUR_SECONDS) // HOUR_SECONDS
    first = np.flatnonzero(np.diff(hours, prepend=hours[0] - 1))
    last = np.append(first[1:], len(hours)) - 1
    candles = Candles(
        hours[first] * HOUR_SECONDS + HALF_HOUR_SECONDS,
        halves.open[first],
        np.maximum.reduceat(halves.high, first),
        np.minimum.reduceat(halves.low, first),
        halves.close[last],
        np.add.reduceat(halves.volume, first),
    )
    for row in answer.rejected:
        candles = candles[~_may_lack(candles.time, row)]
    return replace(answer, candles=candles, bars=sent, bars_from=sent_from)


def _may_lack(hours: NDArray[np.int64], half: RejectedRow) -> NDArray[np.bool_]:
    """Return which hours, by their start, may be those that a rejected half hour belongs to."""
    if half.time is not None:
        return (hours <= half.time) & (half.time < hours + HOUR_SECONDS)
    after, before = half.between or (None, None)
    mask = np.ones(len(hours), np.bool_)
    if after is not None:
        mask &= hours + HOUR_SECONDS > after + HALF_HOUR_SECONDS
    if before is not None:
        mask &= hours < before
    return mask


def parse_listing(body: bytes) -> Span | None:
    """Return the first and the last date of ``/tiingo/daily/<ticker>``; None where the ticker has no data."""
    metadata = _decoded(_METADATA, body)
    if metadata.startDate is None or metadata.endDate is None or metadata.startDate > metadata.endDate:
        return None
    return Span(metadata.startDate, metadata.endDate)


def parse_found(body: bytes) -> Sequence[TickerInfo]:
    """Return the results of ``/tiingo/utilities/search``, in our spelling; those that have none are left out."""
    return tickers_of((found.ticker, found.name) for found in _decoded(_FOUND, body))


def parse_sign_of_life(body: bytes) -> bool:
    """Return True for the reply of ``/api/test``; VendorGarbage for anybody else's."""
    return bool(_decoded(_SIGN_OF_LIFE, body).message)


def refusal(reply: Reply, *, ticker: str, now: float) -> OhlcacheError | None:
    """Return the error that ``reply`` means, None where it is an answer."""
    said = words_of(reply.body, member="detail", known_texts=_KNOWN_TEXTS)
    if reply.status == 429 or _OVER in said:  # noqa: PLR2004 - statuses are their own names
        return _quota(said, retry_after_seconds(reply, now), now)
    if reply.status == 401 or (  # noqa: PLR2004
        reply.status in {STATUS_OK, 400, 403} and ("token" in said or "credentials" in said)
    ):
        return BadVendorCredentials("Tiingo refused the key.")
    if reply.status == 403:  # noqa: PLR2004
        return NotEntitled("The Tiingo plan of the key does not include this data.")
    if reply.status == 404 and is_page(reply.body):  # noqa: PLR2004
        return VendorGarbage(
            "What answers in Tiingo's place has a page for a 404, which Tiingo has not.",
            hint="The operator has to check the vendor's address and the network between.",
        )
    if reply.status == 404:  # noqa: PLR2004
        return TickerNotFound(f"Tiingo does not know the ticker {ticker}.")
    return refusal_by_status(reply, now)


def _quota(said: str, stated_seconds: float | None, now: float) -> QuotaExceeded:
    """Return the error for a used-up allowance: hourly ones come back on the hour, others at midnight in New York.

    What is counted by the month comes back on the 1st, but asking once a day finds an upgraded plan.
    """
    on_the_hour = next_hour(now) - now
    if "month" in said or "symbol" in said or "bandwidth" in said:
        message, wait = "The monthly allowance of the Tiingo key is used up.", next_midnight(now) - now
    elif "daily" in said or re.search(r"\bday\b", said):
        message, wait = "The daily allowance of the Tiingo key is used up.", next_midnight(now) - now
    elif "hour" in said:
        message, wait = "The hourly allowance of the Tiingo key is used up.", on_the_hour
    else:
        message, wait = "The allowance of the Tiingo key is used up.", on_the_hour
    return QuotaExceeded(
        message,
        retry_after_seconds=wait if stated_seconds is None else stated_seconds,
        stated_by_vendor=stated_seconds is not None,
        new_tickers_only="symbol" in said,
    )


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


def _candles(times: NDArray[np.int64], rows: Sequence[_DailyRow] | Sequence[_IexBar]) -> Candles | None:
    """Return the columns of rows; None where a volume is beyond all counting."""
    try:
        return Candles.from_columns(
            times,
            [row.open for row in rows],
            [row.high for row in rows],
            [row.low for row in rows],
            [row.close for row in rows],
            # The wire has floats (``38607.0``) and nulls, too.
            [row.volume if row.volume.__class__ is int else round(row.volume or 0) for row in rows],
        )
    except OverflowError:
        return None


def _seconds(rows: Sequence[_DailyRow] | Sequence[_IexBar]) -> NDArray[np.int64]:
    # Whole numbers: a float of seconds would round up the last microsecond of a day.
    return np.array([(row.date - UNIX_EPOCH) // SECOND for row in rows], np.int64)


def _ratio(split_factor: float | None) -> float:
    return 1.0 if split_factor is None else split_factor
