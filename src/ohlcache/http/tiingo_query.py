"""What a client of Tiingo's asks for: its parameters, in this cache's terms."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING

from ohlcache.domain.errors import InvalidRequest
from ohlcache.domain.market_time import market_date
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.span import Span
from ohlcache.http.tiingo_rows import Frequency, Style

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ohlcache.service.read_through import ReadThrough

_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ].*)?", re.ASCII)
_WIDTH = re.compile(r"(?P<number>\d{1,4})(?P<unit>min|hour)", re.IGNORECASE | re.ASCII)


def style_of(fields: Mapping[str, str]) -> Style:
    """Return how the rows are to be written."""
    try:
        return Style(fields.get("format", Style.JSON).lower())
    except ValueError as exc:
        raise InvalidRequest("Unknown format.", hint="Use format=json or format=csv.", field="format") from exc


def frequency_of(fields: Mapping[str, str]) -> Frequency:
    """Return how many days a row of end-of-day prices is to stand for."""
    try:
        return Frequency(fields.get("resampleFreq", Frequency.DAILY).lower())
    except ValueError as exc:
        raise InvalidRequest(
            "Unknown resampleFreq.", hint=f"Use one of {', '.join(Frequency)}.", field="resampleFreq"
        ) from exc


def resolution_of(fields: Mapping[str, str]) -> Resolution:
    """Return the width of the bars."""
    match = _WIDTH.fullmatch(fields.get("resampleFreq", "5min"))
    minutes = int(match["number"]) * (60 if match["unit"].lower() == "hour" else 1) if match else 0
    try:
        return Resolution(str(minutes))
    except ValueError as exc:
        raise InvalidRequest(
            "resampleFreq must be in 'Min' or 'Hour' only, of a width that is kept.",
            hint="Use 1min, 5min, 15min, 30min or 1hour.",
            field="resampleFreq",
        ) from exc


def span_of(fields: Mapping[str, str], cache: ReadThrough) -> Span | None:
    """Return the dates asked for, None where there are none; up to today where there is no end."""
    start, end = fields.get("startDate"), fields.get("endDate")
    if start is None and end is None:
        return None
    if start is None:
        raise InvalidRequest("endDate needs a startDate.", hint="Add startDate=YYYY-MM-DD.", field="startDate")
    first = _date(start, "startDate")
    last = _date(end, "endDate") if end is not None else max(first, market_date(cache.as_of()))
    if first > last:
        raise InvalidRequest("startDate lies after endDate.", hint="Swap the two.", field="startDate")
    return Span(first, last)


def within(cache: ReadThrough, span: Span) -> Span | None:
    """Return what of ``span`` can have candles: nothing before the calendar begins, and nothing to come."""
    first, last = max(span.start, cache.calendar.span.start), min(span.end, market_date(cache.as_of()))
    return Span(first, last) if first <= last else None


def _date(text: str, field: str) -> date:
    match = _DATE.fullmatch(text)
    if match is not None:
        with suppress(ValueError):  # a day that its month does not have
            return date(*map(int, match.groups()))
    raise InvalidRequest(f"{field} is not a date.", hint=f"Write {field}=2024-01-02.", field=field)
