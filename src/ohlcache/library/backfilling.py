"""Filling a span vendor call by vendor call, newest first: whoever iterates decides after each whether to go on.

Coverage in the store is the only state, so stopping anywhere loses nothing and starting again repeats nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ohlcache.domain.errors import IncompleteData, OhlcacheError, StoreError
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.span import Span
from ohlcache.domain.ticker import normalise_ticker

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from datetime import date

    from ohlcache.service.read_through import ReadThrough
    from ohlcache.service.reports import Backfilled, SessionReport

MISSING = "missing"
NOT_DUE = "not-due"


@dataclass(frozen=True, slots=True)
class BackfillStep:
    """Where a backfill stands after ``vendor_calls`` more: ``held`` of ``sessions`` due, with ``candles`` in them."""

    ticker: str
    vendor_calls: int
    sessions: int
    held: int
    candles: int

    @property
    def done(self) -> bool:
        """Whether nothing is missing any more."""
        return self.held == self.sessions


async def backfill_steps(
    cache: ReadThrough, ticker: str, resolution: Resolution, span: Span
) -> AsyncGenerator[BackfillStep, None]:
    """Yield where things stand before the first call, then after each; end when nothing of ``span`` is missing.

    A step is one vendor call, or a few where the vendor cuts its answers short. Intraday steps begin with the daily
    series, whose ledger adjusts them. Raises what the vendor raises, IncompleteData when it
    leaves a hole, and StoreError when the store keeps nothing.
    """
    symbol = normalise_ticker(ticker)
    reports = await cache.coverage(symbol, resolution, span)
    yield _standing(symbol, 0, reports)
    if not resolution.is_daily and _missing(reports):
        daily = await cache.backfill(symbol, Resolution.DAY, Span(span.start, cache.status().market_date))
        yield _standing(symbol, daily.vendor_calls, reports)
        if daily.degraded:
            raise _not_kept(symbol)
    while missing := _missing(reports):
        # A daily call costs the same however far it reaches; an intraday one reaches back from the newest hole itself.
        wanted = Span(missing[0] if resolution.is_daily else missing[-1], missing[-1])
        filled = await cache.backfill(symbol, resolution, wanted)
        reports = await cache.coverage(symbol, resolution, span)
        if len(_missing(reports)) >= len(missing):
            raise _stuck(symbol, filled, _missing(reports))
        yield _standing(symbol, filled.vendor_calls, reports)


def _stuck(ticker: str, filled: Backfilled, missing: Sequence[date]) -> OhlcacheError:
    """Return why a step led nowhere: the store kept nothing of what came, nothing came, or nothing to be believed."""
    days = tuple(day.isoformat() for day in missing)
    if not filled.believed:
        return IncompleteData(
            f"The vendor gave nothing for {len(days)} sessions of {ticker}, the last {days[-1]}, "
            "and nothing bears out that there is nothing.",
            hint="Begin later: the vendor's history may not go back so far.",
            missing=days,
        )
    if filled.sessions:
        return _not_kept(ticker)
    return IncompleteData(f"{len(days)} sessions of {ticker} could not be had, the last {days[-1]}.", missing=days)


def _not_kept(ticker: str) -> StoreError:
    return StoreError(
        f"The store does not keep what was fetched of {ticker}.",
        hint="See that the disk has room and the store may be written, and that no other process keeps it locked; every"
        " further try costs a vendor call.",
    )


def _missing(reports: Sequence[SessionReport]) -> list[date]:
    return [report.day for report in reports if report.state == MISSING]


def _standing(ticker: str, calls: int, reports: Sequence[SessionReport]) -> BackfillStep:
    due = [report for report in reports if report.state != NOT_DUE]
    return BackfillStep(
        ticker=ticker,
        vendor_calls=calls,
        sessions=len(due),
        held=sum(report.state != MISSING for report in due),
        candles=sum(report.candles for report in due),
    )
