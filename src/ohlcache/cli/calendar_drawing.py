"""Sessions as a calendar: a line per month, a block per week, a sign per weekday."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ohlcache.service.reports import SessionReport

FRIDAY = 4


class Sign(NamedTuple):
    """How a state is drawn, where only ASCII can be, in which colour, and what it means."""

    drawn: str
    ascii: str
    style: str
    meaning: str


SIGNS = {
    "final": Sign("█", "#", "green", "held, final"),
    "forming": Sign("▒", "~", "yellow", "held, still forming"),
    "known-empty": Sign("○", "o", "cyan", "the vendor has none"),
    "unlisted": Sign("-", "-", "dim", "before the listing"),
    "rejected": Sign("✗", "x", "red", "a row that cannot be true"),
    "missing": Sign("!", "!", "bold red", "due and missing"),
    "not-due": Sign("·", ".", "dim", "not due yet"),
}
CLOSED = " "


def print_calendar(title: str, reports: Sequence[SessionReport]) -> None:
    """Print the calendar, the legend of the signs that occur, and how many sessions are in each state."""
    console = Console(highlight=False)
    plain = not (console.encoding or "").lower().startswith("utf")
    console.print(title, style="bold")
    if not reports:
        console.print("No session in this span.")
        return
    for line in calendar_lines(reports, plain=plain):
        console.print(line, soft_wrap=True)
    counts = Counter(report.state for report in reports)
    console.print()
    for state, sign in SIGNS.items():
        if counts[state]:
            console.print(
                Text(f"{_drawn(sign, plain=plain)} ", sign.style), f"{counts[state]:>6} {sign.meaning}", sep=""
            )
    console.print(f"{sum(report.candles for report in reports):,} candles in {len(reports):,} sessions")


def calendar_lines(reports: Sequence[SessionReport], *, plain: bool) -> Iterator[Text]:
    """Yield a line per month: its name, then Monday to Friday of each week; days without a session stay blank."""
    for month, group in groupby(reports, key=lambda report: (report.day.year, report.day.month)):
        by_day = {report.day: report.state for report in group}
        line = Text(f"{date(*month, 1):%Y %b}  ")
        for day in _weekdays(*month):
            if day is None:
                line.append(CLOSED)
                continue
            state = by_day.get(day)
            sign = SIGNS[state] if state is not None else None
            line.append(CLOSED if sign is None else _drawn(sign, plain=plain), None if sign is None else sign.style)
            if day.weekday() == FRIDAY:
                line.append(" ")
        line.rstrip()
        yield line


def _weekdays(year: int, month: int) -> Iterator[date | None]:
    """Yield the weekdays of a month, None for each one before the first, so that weeks stand in columns."""
    day = date(year, month, 1)
    if day.weekday() <= FRIDAY:
        yield from [None] * day.weekday()
    while day.month == month:
        if day.weekday() <= FRIDAY:
            yield day
        day += timedelta(days=1)


def _drawn(sign: Sign, *, plain: bool) -> str:
    return sign.ascii if plain else sign.drawn
