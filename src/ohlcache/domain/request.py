"""A request for candles: validated, market-dated, frozen; it carries its cache key and its lock key.

::

    ohlc:AAPL:D:1W:2026-02-04                       cache key of a named range, dated by the end of the span
    ohlc:AAPL:D:custom:2026-01-02:2026-02-04        cache key of a custom range
    LOCK#AAPL#D#1W#2026-02-04                       lock key: the same granularity, so 1W never blocks 1M
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from ohlcache.domain.adjustment import Adjustment
from ohlcache.domain.errors import InvalidRequest
from ohlcache.domain.freshness import last_due_day
from ohlcache.domain.market_time import market_date
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.span import Span
from ohlcache.domain.ticker import normalise_ticker

if TYPE_CHECKING:
    from ohlcache.domain.sessions import SessionTable

CANDLES_MAX = 200_000
CUSTOM = "custom"


class Range(StrEnum):
    """A named span that ends today."""

    DAY = "1D"
    WEEK = "1W"
    MONTH = "1M"
    MONTHS_3 = "3M"
    MONTHS_6 = "6M"
    YEAR = "1Y"
    YEARS_5 = "5Y"
    YEAR_TO_DATE = "YTD"

    @classmethod
    def parse(cls, text: str) -> Range:
        """Return the range named ``text`` in either case, or raise InvalidRequest with the list of them."""
        try:
            return cls(text.strip().upper())
        except ValueError as exc:
            names = ", ".join(member.value for member in cls)
            raise InvalidRequest(
                f"Unknown range {text[:20]!r}.",
                hint=f"Use one of {names}, for example range=1M, or start_date=2024-01-02&end_date=2024-03-28.",
                field="range",
            ) from exc


_MONTHS = {Range.MONTH: 1, Range.MONTHS_3: 3, Range.MONTHS_6: 6, Range.YEAR: 12, Range.YEARS_5: 60}


@dataclass(frozen=True, slots=True)
class CandleRequest:
    """One ticker, one resolution, one span, and how it is to be adjusted.

    ``range`` is the name of the range, or ``custom``. ``adjustment`` None means the source's default. With ``raw_too``
    the candles as they were come with the adjusted ones.
    """

    ticker: str
    resolution: Resolution
    range: str
    span: Span
    adjustment: Adjustment | None = None
    raw_too: bool = False
    cache_key: str = field(init=False)
    lock_key: str = field(init=False)

    def __post_init__(self) -> None:
        dates = [self.span.end.isoformat()]
        if self.range == CUSTOM:
            dates.insert(0, self.span.start.isoformat())
        parts = [self.ticker, self.resolution.value, self.range, *dates]
        object.__setattr__(self, "cache_key", ":".join(["ohlc", *parts]))
        object.__setattr__(self, "lock_key", "#".join(["LOCK", *parts]))

    @classmethod
    def parse(
        cls,
        ticker: str,
        *,
        range: str | None = None,  # noqa: A002 - the API's own word
        start_date: str | date | None = None,
        end_date: str | date | None = None,
        resolution: str = Resolution.DAY,
        adjust: str | None = None,
        calendar: SessionTable,
        as_of: float,
    ) -> CandleRequest:
        """Return the request a caller wrote, at the market time ``as_of``; InvalidRequest names the field to fix.

        Without a range and dates the range is ``1M``; without an end date the span ends today.
        """
        symbol = normalise_ticker(ticker)
        width = Resolution.parse(resolution)
        adjustment = Adjustment.parse(adjust) if adjust is not None else None
        today = market_date(as_of)
        if start_date is None and end_date is None:
            named = Range.parse(range) if range is not None else Range.MONTH
            span, name = _span_of(named, width, calendar, as_of), named.value
        elif range is not None:
            raise InvalidRequest(
                "Give a range or dates, not both.",
                hint="Use range=1M, or start_date=2024-01-02&end_date=2024-03-28.",
                field="range",
            )
        else:
            span, name = _custom_span(start_date, end_date, today), CUSTOM
        request = cls(symbol, width, name, span, adjustment)
        _check_length(request, calendar)
        return request


@dataclass(frozen=True, slots=True)
class KeyParts:
    """A cache key taken apart; ``start`` only of a custom range."""

    ticker: str
    resolution: Resolution
    range: str
    start: date | None
    end: date


def parse_cache_key(key: str) -> KeyParts:
    """Return the parts of a cache key; ValueError when it is not one."""
    prefix, ticker, resolution, name, *dates = key.split(":")
    if prefix != "ohlc" or len(dates) != (2 if name == CUSTOM else 1):
        raise ValueError(f"not a cache key: {key[:80]!r}")
    days = [date.fromisoformat(day) for day in dates]
    return KeyParts(ticker, Resolution(resolution), name, days[0] if name == CUSTOM else None, days[-1])


def years_before(day: date, years: int) -> date:
    """Return the same day ``years`` earlier (29 February becomes 28)."""
    return months_before(day, 12 * years)


def months_before(day: date, months: int) -> date:
    """Return the same day of the month ``months`` earlier, or that month's last day."""
    month = day.year * 12 + day.month - 1 - months
    first = date(month // 12, month % 12 + 1, 1)
    following = date((month + 1) // 12, (month + 1) % 12 + 1, 1)
    return min(first + timedelta(days=day.day - 1), following - timedelta(days=1))


def _span_of(name: Range, resolution: Resolution, calendar: SessionTable, as_of: float) -> Span:
    """Return the span of a named range; one day is the newest session that is due, so a weekend shows Friday."""
    today = market_date(as_of)
    if name is Range.DAY:
        return Span(last_due_day(resolution, calendar, as_of) or today, today)
    if name is Range.WEEK:
        return Span(today - timedelta(days=7), today)
    if name is Range.YEAR_TO_DATE:
        return Span(date(today.year, 1, 1), today)
    return Span(months_before(today, _MONTHS[name]), today)


def _custom_span(start: str | date | None, end: str | date | None, today: date) -> Span:
    if start is None:
        raise InvalidRequest(
            "end_date needs a start_date.",
            hint="Add start_date=YYYY-MM-DD, for example start_date=2024-01-02.",
            field="start_date",
        )
    first = _parse_date(start, "start_date")
    last = _parse_date(end, "end_date") if end is not None else today
    for day, name in ((first, "start_date"), (last, "end_date")):
        if day > today:
            raise InvalidRequest(
                f"{name} {day} is in the future: today is {today} in New York.",
                hint=f"Use {name}={today} or earlier.",
                field=name,
            )
    if first > last:
        raise InvalidRequest(
            f"start_date {first} lies after end_date {last}.",
            hint=f"Swap the two: start_date={last}&end_date={first}.",
            field="start_date",
        )
    return Span(first, last)


def _parse_date(value: str | date, name: str) -> date:
    if isinstance(value, date):
        return value
    with suppress(ValueError):
        day = date.fromisoformat(value)
        if day.isoformat() == value:  # 20240102 and 2024-W01-2 are ISO dates too
            return day
    raise InvalidRequest(
        f"{name} {value[:20]!r} is not a date.",
        hint=f"Write it as YYYY-MM-DD, for example {name}=2024-01-02.",
        field=name,
    )


def _check_length(request: CandleRequest, calendar: SessionTable) -> None:
    sessions = calendar.between(request.span)
    if int(sessions.candles_in_each(request.resolution).sum()) > CANDLES_MAX:
        raise InvalidRequest(
            f"{request.span} at resolution {request.resolution} is more than {CANDLES_MAX} candles.",
            hint="Ask for a shorter span or a coarser resolution, for example resolution=5.",
            field="range" if request.range != CUSTOM else "start_date",
        )
