"""What a change is counted from: the close before the candles, or that there was none, or that a split lies between.

A day's change is counted from the close of the session before, a span's from the close before its first session. The
close is one of the answer's own series, so candles and close are of one feed and on one scale. It never costs a vendor
call: it is looked for in what is read anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from ohlcache.domain.adjustment import Adjustment, adjusted_price
from ohlcache.domain.coverage import SessionState
from ohlcache.domain.freshness import last_due_day
from ohlcache.domain.plan import PREVIOUS_SESSIONS_MAX
from ohlcache.domain.resolution import Resolution

if TYPE_CHECKING:
    from ohlcache.domain.coverage import Coverage, Holding
    from ohlcache.domain.request import CandleRequest
    from ohlcache.domain.sessions import SessionTable
    from ohlcache.domain.span import Span


@dataclass(frozen=True, slots=True)
class Split:
    """A split: its ex-date, and the new shares per old one."""

    day: date
    ratio: float


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the changes of an answer's candles are counted from.

    ``previous_close``: close of the last session before the request's first day that has candles, adjusted as they are;
    intraday, of that session's last bar. None where it is not known, where the ticker was not listed, and of an empty
    answer. ``listed_on``: the first candle's market date, where the ticker is known not to have been listed the session
    before. ``unadjusted_splits``: the splits that the prices are not adjusted for, after the session of
    ``previous_close`` (without one, after that of the first candle) and through that of the last candle; None where it
    is not known whether there are any.
    """

    previous_close: float | None = None
    listed_on: date | None = None
    unadjusted_splits: tuple[Split, ...] | None = None


UNKNOWN_BASELINE = Baseline()


def baseline_of(
    request: CandleRequest,
    adjustment: Adjustment,
    part: Holding,
    own: Holding,
    ledger: Holding,
    *,
    calendar: SessionTable,
    as_of: float,
) -> Baseline:
    """Return the baseline of ``part``, the sessions of ``own`` that are given; ``ledger`` as in ``compose``."""
    given = part.coverage.days[part.coverage.counts > 0]
    if not len(given):
        return UNKNOWN_BASELINE
    first, last = int(given[0]), int(given[-1])
    due = last_due_day(Resolution.DAY, calendar, as_of)
    newest = due.toordinal() if due is not None else 0
    row = previous_row(request.span, own.coverage, calendar)
    since = first if row is None else int(own.coverage.days[row])
    if adjustment is not Adjustment.NONE and not _knows(ledger.coverage, since, min(first, newest), calendar):
        # A split in a session that the ledger does not know would put close and candles on two scales.
        row, since = None, first
    close = None if row is None else _last_close(own, row)
    if adjustment is Adjustment.NONE and not request.resolution.is_daily:
        return Baseline(close)  # without a ledger nothing is known of splits and listing
    return Baseline(
        close if close is None else adjusted_price(close, since, ledger.actions, adjustment),
        _listed_on(first, ledger.coverage, calendar),
        _unadjusted(since, last, ledger, adjustment, calendar) if last <= newest else None,
    )


def previous_row(span: Span, coverage: Coverage, calendar: SessionTable) -> int | None:
    """Return the row of the last session before ``span`` that has candles; None unless all after it are known."""
    before = calendar.before(span.start, PREVIOUS_SESSIONS_MAX)
    row = int(coverage.days.searchsorted(np.int32(span.start.toordinal())))
    for day in before[::-1].tolist():
        row -= 1
        if row < 0 or coverage.days[row] != day:
            return None
        state = int(coverage.states[row])
        if state != SessionState.KNOWN_EMPTY:
            return row if state == SessionState.FINAL else None
    return None


def _last_close(holding: Holding, row: int) -> float:
    return float(holding.candles.close[int(holding.coverage.counts[: row + 1].sum()) - 1])


def _listed_on(first: int, ledger: Coverage, calendar: SessionTable) -> date | None:
    row = int(ledger.days.searchsorted(np.int32(first))) - 1
    if row < 0 or int(ledger.states[row]) != SessionState.UNLISTED:
        return None
    day = date.fromordinal(first)
    return day if ledger.days[row] == calendar.before(day, 1) else None


def _unadjusted(
    after: int, last: int, ledger: Holding, adjustment: Adjustment, calendar: SessionTable
) -> tuple[Split, ...] | None:
    coverage, actions = ledger.coverage, ledger.actions
    # A row that was not out when the vendor was asked, or that cannot be true, says nothing about the session.
    unsettled = coverage.unsettled
    out = coverage[~unsettled | (coverage.counts > 0)] if unsettled.any() else coverage
    if not _knows(out, after, last, calendar):
        return None
    if adjustment is not Adjustment.NONE:
        return ()
    between = (actions.days > after) & (actions.days <= last) & (actions.splits != 1.0)
    return tuple(
        Split(date.fromordinal(day), ratio)
        for day, ratio in zip(actions.days[between].tolist(), actions.splits[between].tolist(), strict=True)
    )


def _knows(coverage: Coverage, after: int, through: int, calendar: SessionTable) -> bool:
    """Whether ``coverage`` speaks of every session after one day and through another."""
    ends = np.array((after, max(after, through)), np.int32)
    known, sessions = coverage.days.searchsorted(ends, "right"), calendar.days.searchsorted(ends, "right")
    return bool(known[1] - known[0] == sessions[1] - sessions[0])
