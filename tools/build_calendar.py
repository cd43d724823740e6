"""Regenerate the exchange calendar that ships with the package, and say what changed.

``python tools/build_calendar.py`` rewrites ``src/ohlcache/data/xnys_sessions.bin`` from the installed
exchange_calendars: 1970 to the end of the year after next (``--through`` sets another last date). With
``--check`` nothing is written; the exit status is 1 if the shipped table differs from what this version of
exchange_calendars says of the same dates, or reaches less than a year ahead.
"""

from __future__ import annotations

import argparse
import sys
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import exchange_calendars
import numpy as np

from ohlcache.adapters.calendar import XNYS_TABLE, decode_sessions, encode_sessions
from ohlcache.domain.market_time import NEW_YORK
from ohlcache.domain.sessions import SessionTable

if TYPE_CHECKING:
    from collections.abc import Iterator

EXCHANGE = "XNYS"
FIRST_DATE = date(1970, 1, 1)
YEARS_AHEAD = 2
CHECK_RUNWAY = timedelta(days=365)
SHOWN_CHANGES_MAX = 40


def build(through: date) -> SessionTable:
    """Return every session from 1970 through ``through`` as exchange_calendars has them."""
    schedule = exchange_calendars.get_calendar(EXCHANGE, start=FIRST_DATE, end=through).schedule
    days = np.array([stamp.toordinal() for stamp in schedule.index], np.int32)
    opens = schedule["open"].to_numpy("datetime64[s]").astype(np.int64)
    closes = schedule["close"].to_numpy("datetime64[s]").astype(np.int64)
    assert not (opens % 60).any(), "the format counts in minutes"
    assert not (closes % 60).any(), "the format counts in minutes"
    last = date.fromordinal(int(days[-1]))
    return SessionTable(f"{exchange_calendars.__version__}+{last.isoformat()}", days, opens, closes)


def changes(old: SessionTable, new: SessionTable) -> Iterator[str]:
    """Yield one line for the version and for every session that was added, dropped or has other hours."""
    if old.version != new.version:
        yield f"version {old.version} -> {new.version}"
    before, after = _hours_by_day(old), _hours_by_day(new)
    for day in sorted(before.keys() | after.keys()):
        if before.get(day) != after.get(day):
            yield f"{date.fromordinal(day)}: {before.get(day, 'closed')} -> {after.get(day, 'closed')}"


def _hours_by_day(table: SessionTable) -> dict[int, str]:
    rows = zip(table.days.tolist(), table.opens.tolist(), table.closes.tolist(), strict=True)
    return {day: f"{_new_york(opened)}-{_new_york(closed)}" for day, opened, closed in rows}


def _new_york(instant: int) -> str:
    return datetime.fromtimestamp(instant, NEW_YORK).strftime("%H:%M")


def main() -> int:
    """Build or check; return the exit status."""
    today = datetime.now(NEW_YORK).date()  # noqa: TID251 - how far to reach depends on the day of the build
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if it is stale")
    parser.add_argument("--through", type=date.fromisoformat, default=date(today.year + YEARS_AHEAD, 12, 31))
    arguments = parser.parse_args()

    old = decode_sessions(XNYS_TABLE.read_bytes()) if XNYS_TABLE.exists() else None
    if arguments.check:
        if old is None:
            print("There is no table.")
            return 1
        stale = list(changes(old, build(old.span.end)))
        if old.span.end < today + CHECK_RUNWAY:
            stale.append(f"the table ends on {old.span.end}, in less than a year")
        _show(stale)
        return 1 if stale else 0

    new = build(arguments.through)
    _show(["There was no table."] if old is None else list(changes(old, new)))
    table = encode_sessions(new, EXCHANGE)
    assert not list(changes(new, decode_sessions(table))), "the format holds what was put in"
    XNYS_TABLE.write_bytes(table)
    print(f"{XNYS_TABLE.name}: {len(table)} bytes, {len(new.days)} sessions, {new.span}, {new.version}")
    return 0


def _show(lines: list[str]) -> None:
    print("\n".join(lines[:SHOWN_CHANGES_MAX]) or "Nothing changed.")
    if len(lines) > SHOWN_CHANGES_MAX:
        print(f"… and {len(lines) - SHOWN_CHANGES_MAX} more")


if __name__ == "__main__":
    sys.exit(main())
