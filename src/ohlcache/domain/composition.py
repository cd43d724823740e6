"""From what is held to the answer: cut to the request, adjust, certify, and date its freshness."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from ohlcache.domain.adjustment import Adjustment, adjust
from ohlcache.domain.answer import Answer, Certificate, Shortfall
from ohlcache.domain.baseline import baseline_of
from ohlcache.domain.coverage import SessionState
from ohlcache.domain.freshness import last_due_day, next_due_at
from ohlcache.domain.plan import Need, due_sessions, with_previous
from ohlcache.domain.request import CUSTOM
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.series import Series

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ohlcache.domain.candles import Candles
    from ohlcache.domain.coverage import Coverage, Holding
    from ohlcache.domain.request import CandleRequest
    from ohlcache.domain.sessions import Sessions, SessionTable

STALE_LIFE_SECONDS = 5.0
"""How long an answer with a shortfall is repeated before the vendor is tried again."""

SPLIT_JUMP = 1.4
"""A price that changes by this factor over sessions that the ledger does not know may have been split: 3 for 2 is the
smallest common split. A stock that moves as far by itself is cut, too, and that is said."""


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What of a source goes into every answer; prices that arrive ``pre_adjusted`` are all on one scale."""

    name: str
    data_until: float | None
    synthetic: bool
    pre_adjusted: bool = False


def compose(
    request: CandleRequest,
    adjustment: Adjustment,
    own: Holding,
    ledger: Holding,
    source: SourceFacts,
    *,
    calendar: SessionTable,
    now: float,
    as_of: float,
    final_life_seconds: float,
    stale: bool = False,
    shortfall: Shortfall | None = None,
) -> Answer:
    """Return the answer to ``request`` from the holding of its own series and of its ledger of actions.

    For a daily request both are the same holding. Rows of the holdings are valid ones, or any where ``stale``.
    ``shortfall`` says why the holdings may have holes; without one they have none.
    """
    first, last = request.span.start.toordinal(), request.span.end.toordinal()
    part = own.between(first, last)
    if shortfall is not None and adjustment is not Adjustment.NONE and not source.pre_adjusted:
        part, current_scale = _on_one_scale(part, ledger, calendar, as_of)
        # What a session after the last candle may have split is given as it was before.
        stale = stale or not current_scale
    days = part.candle_days()
    candles = adjust(part.candles, days, ledger.actions, adjustment)
    need = Need(Series(request.ticker, source.name, request.resolution), request.span)
    current = part.coverage
    if stale:
        # What was forming when the vendor was last heard is no word on the session as it is due now.
        current = current[~current.forming | current.valid(now, final_life_seconds)]
    forming = int(part.coverage.counts[part.coverage.forming].sum())
    certificate = _certify(need, current, len(candles), forming, calendar, as_of)
    since = with_previous(request.span, calendar).start.toordinal()
    if adjustment is Adjustment.NONE:
        used = [_rows(own.coverage, since, last)]
    else:
        used = [_rows(each.coverage, since, None) for each in ((own,) if ledger is own else (own, ledger))]
    observed = [int(coverage.observed_at.max()) for coverage in used if len(coverage)]
    if certificate.complete and not stale:
        shortfall = None  # it was about other sessions than those of this answer
    if shortfall is not None or any(coverage.rejected.any() for coverage in used):
        fresh_until = now + STALE_LIFE_SECONDS
    else:
        expiries = [float(c.expires_at(final_life_seconds).min()) for c in used if len(c)]
        fresh_until = min([*expiries, _next_change(request, adjustment, calendar, as_of, source.data_until)])
    return Answer(
        request=request,
        resolution=request.resolution,
        adjustment=adjustment,
        candles=candles,
        days=days,
        certificate=certificate,
        source=source.name,
        observed_at=float(max(observed, default=int(now))),
        fresh_until=fresh_until,
        data_until=source.data_until,
        synthetic=source.synthetic,
        stale=stale,
        shortfall=shortfall,
        actions=part.actions,
        raw=part.candles if request.raw_too else None,
        baseline=baseline_of(request, adjustment, part, own, ledger, calendar=calendar, as_of=as_of),
    )


def _rows(coverage: Coverage, first: int, last: int | None) -> Coverage:
    """Return what is known of the sessions from ``first`` on, through ``last`` where there is one."""
    low = int(coverage.days.searchsorted(np.int32(first)))
    return coverage[low : None if last is None else int(coverage.days.searchsorted(np.int32(last), "right"))]


def _on_one_scale(part: Holding, ledger: Holding, calendar: SessionTable, as_of: float) -> tuple[Holding, bool]:
    """Return what of a holding can be adjusted alike though the ledger has holes, and whether that is today's scale.

    The ledger knows of no split in a hole. Where the price jumps over one as over a split, the two sides must not stand
    in one answer: at a hole that ends the ledger the older side stays, so that the answer is what it was before;
    elsewhere the newer one. Where it does not jump, both stay: what is held is served.
    """
    days = part.candle_days()
    if not len(days):
        return part, True
    newest = last_due_day(Resolution.DAY, calendar, as_of)
    due = calendar.days[(calendar.days > days[0]) & (calendar.days <= (newest.toordinal() if newest else 0))]
    # A row that was rejected, or not out yet when it was asked for, says nothing of the session.
    rows = ledger.coverage
    known = np.union1d(rows.days[~rows.unsettled | (rows.forming & (rows.counts > 0))], ledger.actions.days)
    holes = due[~np.isin(due, known)]
    if not len(holes):
        return part, True
    jumps = holes[_has_jump(part.candles, days, holes)]
    newest_known = known.max(initial=0)
    first_kept = jumps[jumps < newest_known].max(initial=0)
    covered = part.coverage.days
    first_cut = jumps[jumps > newest_known].min(initial=np.iinfo(covered.dtype).max)
    kept = part.select((covered >= first_kept) & (covered < first_cut))
    last = kept.candle_days().max(initial=0)
    return kept, bool((holes <= last).all())


def _has_jump(candles: Candles, days: NDArray[np.int32], holes: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return over which holes the price changes as by a split: from the last close before to the first open after."""
    after = days.searchsorted(holes)
    between = (after > 0) & (after < len(days))
    jumps = np.zeros(len(holes), np.bool_)
    change = candles.open[after[between]] / candles.close[after[between] - 1]
    jumps[between] = (change >= SPLIT_JUMP) | (change <= 1 / SPLIT_JUMP)
    return jumps


def _certify(
    need: Need, coverage: Coverage, count: int, forming: int, calendar: SessionTable, as_of: float
) -> Certificate:
    due = due_sessions(need, calendar, as_of)
    known = coverage.among(due.days)
    if coverage.rejected.any():
        known &= ~np.isin(due.days, coverage.days[coverage.rejected])
    missing = due.days[~known]
    whole = due.candles_in_each(need.series.resolution)
    rows = coverage.days.searchsorted(due.days[known])
    expected = int(_closed(whole[~known], as_of, due[~known], need).sum())
    states = coverage.states[rows]
    expected += int(_begun(whole[known], states, coverage.observed_at[rows], due[known], need).sum())
    return Certificate(
        expected=expected,
        count=count,
        known_empty=int(((states == SessionState.KNOWN_EMPTY) | (states == SessionState.UNLISTED)).sum()),
        forming=forming,
        complete=not len(missing),
        missing=tuple(date.fromordinal(int(day)).isoformat() for day in missing),
        calendar_version=calendar.version,
    )


def _begun(whole: np.ndarray, states: np.ndarray, observed_at: np.ndarray, due: Sessions, need: Need) -> np.ndarray:
    """Return how many candles each session must have: all, or those closed before a forming session was observed."""
    return np.where(states == SessionState.FORMING, _closed(whole, observed_at, due, need), whole)


def _closed(whole: np.ndarray, at: np.ndarray | float, due: Sessions, need: Need) -> np.ndarray:
    """Return how many candles of each session were closed at an instant: all of them once the session was."""
    if need.series.resolution.is_daily:
        return whole
    closed = np.clip((at - due.opens) // need.series.resolution.seconds, 0, whole)
    # The last hour of a session is half an hour long.
    return np.where(at < due.closes, closed, whole)


def _next_change(
    request: CandleRequest,
    adjustment: Adjustment,
    calendar: SessionTable,
    as_of: float,
    data_until: float | None,
) -> float:
    """Return the next instant at which a session becomes due that the request includes, or a split may appear."""
    if data_until is not None and as_of >= data_until:
        return math.inf
    moments = []
    upcoming = next_due_at(request.resolution, calendar, as_of)
    following = calendar.next_after(request.span.end)
    if request.range != CUSTOM or following is None or upcoming < _opening(following, calendar):
        moments.append(upcoming)
    if adjustment is not Adjustment.NONE:
        moments.append(next_due_at(Resolution.DAY, calendar, as_of))
    return min(moments, default=math.inf)


def _opening(day: date, calendar: SessionTable) -> float:
    opened = calendar.open_of(day)
    return math.inf if opened is None else float(opened)
