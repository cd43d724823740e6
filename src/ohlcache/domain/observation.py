"""From a vendor's answer to what is known: which session is final, forming, known to be empty or not yet listed.

Candles outside sessions are dropped here (vendors send flat phantom bars on holidays); impossible ones reject the
whole answer; an answer that looks cut off is told apart from one that is merely short.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ohlcache.domain.adjustment import Actions
from ohlcache.domain.candles import Candles, check_possible
from ohlcache.domain.coverage import Coverage, Holding, SessionState
from ohlcache.domain.freshness import last_final_day
from ohlcache.domain.span import Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ohlcache.domain.resolution import Resolution
    from ohlcache.domain.sessions import Sessions, SessionTable

ROUND_ROWS = 500


@dataclass(frozen=True, slots=True, eq=False)
class VendorAnswer:
    """What a vendor said about one span of one series.

    ``candles`` as received, ascending, anything outside sessions included; ``actions`` only of daily series;
    ``listing`` the first and last market date of the ticker's life, where the vendor told it.
    """

    candles: Candles
    actions: Actions = field(default_factory=Actions.none)
    listing: Span | None = None


def observe(
    answer: VendorAnswer,
    span: Span,
    resolution: Resolution,
    *,
    calendar: SessionTable,
    asked_as_of: float,
    observed_at: float,
    listed_before: bool,
) -> Holding:
    """Return what ``answer`` tells about every session of ``span`` that had begun when the vendor was asked.

    ``asked_as_of`` is the market time of the question: a session is final only if it was final *then*.
    ``listed_before`` says that candles older than the span are known, so that leading gaps are no "not yet listed".
    Raises VendorGarbage when any candle is impossible.
    """
    check_possible(answer.candles)
    sessions = _begun(calendar.between(span), asked_as_of)
    index = sessions.locate(answer.candles.time, resolution)
    # A bar that had not begun when the vendor was asked cannot be knowledge (a replayed source sends its future).
    inside = (index >= 0) & (answer.candles.time <= asked_as_of)
    candles, index = answer.candles[inside], index[inside]
    counts = np.bincount(index, minlength=len(sessions)).astype(np.int32)
    newest_final = last_final_day(resolution, calendar, asked_as_of)
    final = sessions.days <= (newest_final.toordinal() if newest_final else 0)
    states = np.where(
        final, np.where(counts > 0, SessionState.FINAL, SessionState.KNOWN_EMPTY), SessionState.FORMING
    ).astype(np.uint8)
    if not listed_before:
        states[_before_listing(counts, sessions, answer.listing) & final] = SessionState.UNLISTED
    coverage = Coverage(
        sessions.days.astype(np.int32), states, np.full(len(sessions), int(observed_at), np.int64), counts
    )
    return Holding(coverage, candles, answer.actions[np.isin(answer.actions.days, sessions.days)])


def _begun(sessions: Sessions, as_of: float) -> Sessions:
    return sessions[sessions.opens <= as_of]


def _before_listing(counts: NDArray[np.int32], sessions: Sessions, listing: Span | None) -> NDArray[np.bool_]:
    """Return which sessions lie before the ticker's first candle, as far as the answer proves it."""
    if listing is not None:
        return np.asarray(sessions.days < listing.start.toordinal())
    with_candles = np.flatnonzero(counts)
    first = int(with_candles[0]) if len(with_candles) else 0
    return np.arange(len(sessions)) < first


def contradicts_listing(answer: VendorAnswer, span: Span, calendar: SessionTable) -> bool:
    """Whether an answer without a candle denies sessions in which, by the vendor's own word, the ticker was listed."""
    if answer.listing is None or len(answer.candles) or not answer.listing.overlaps(span):
        return False
    alive = Span(max(span.start, answer.listing.start), min(span.end, answer.listing.end))
    return len(calendar.between(alive)) > 0


def doubtful_gaps(
    answer: VendorAnswer, span: Span, resolution: Resolution, *, calendar: SessionTable, as_of: float
) -> list[Span]:
    """Return the gaps at the edges of ``answer`` that may be a row cap's doing, to be asked again on their own.

    A row cap cuts off the oldest or the newest rows. At the old end a gap is normal (the ticker was not listed yet), so
    it is doubted only if the answer has a round number of rows or begins in the middle of a session. At the new end a
    gap among final sessions is always doubted. An answer without any candle is not this function's business.
    """
    sessions = _begun(calendar.between(span), as_of)
    located = sessions.locate(answer.candles.time, resolution)
    index = located[located >= 0]
    if not len(index):
        return []
    gaps = []
    first, last = int(index[0]), int(index[-1])
    rounded = len(answer.candles) % ROUND_ROWS == 0
    times = answer.candles.time[located >= 0]
    starts_late = not resolution.is_daily and bool(times[0] > sessions.opens[first])
    ends_early = not resolution.is_daily and bool(times[-1] + resolution.seconds < sessions.closes[last])
    if (rounded and (first > 0 or starts_late)) or (first > 0 and starts_late):
        # The first session may itself be cut in two, so it is asked again with the gap.
        gaps.append(sessions[: first + 1 if starts_late else first].span)
    newest_final = last_final_day(resolution, calendar, as_of)
    final = int(np.searchsorted(sessions.days, newest_final.toordinal(), side="right")) if newest_final else 0
    cut_inside = rounded and ends_early
    if last + 1 < final or (cut_inside and last < final):
        gaps.append(sessions[last if cut_inside else last + 1 : final].span)
    return gaps
