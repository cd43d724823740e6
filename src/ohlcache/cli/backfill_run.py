"""Filling many tickers within a budget of vendor calls and at a pace, whatever goes wrong with single ones.

What is held is the only state: a run that was stopped, by whatever, is resumed by running it again.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from ohlcache.domain.errors import (
    BadVendorCredentials,
    InvalidRequest,
    OhlcacheError,
    QuotaExceeded,
    StoreError,
    VendorUnavailable,
)
from ohlcache.library.backfilling import BackfillStep, backfill_steps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ohlcache.domain.resolution import Resolution
    from ohlcache.domain.span import Span
    from ohlcache.service.read_through import ReadThrough

HOUR_SECONDS = 3600.0
UNAVAILABLE_IN_A_ROW_MAX = 3
"""So many tickers in a row for which the vendor was down end the run."""
RETRY_AFTER_SECONDS_DEFAULT = HOUR_SECONDS


class Outcome(StrEnum):
    """How far a ticker came."""

    HELD = "held"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(slots=True)
class TickerReport:
    """What became of one ticker; ``calls`` is what this run spent on it."""

    ticker: str
    outcome: Outcome = Outcome.STOPPED
    sessions: int = 0
    held: int = 0
    candles: int = 0
    calls: int = 0
    error: OhlcacheError | None = None

    def take(self, step: BackfillStep) -> None:
        """Note where a step left the ticker."""
        self.sessions, self.held, self.candles = step.sessions, step.held, step.candles
        self.calls += step.vendor_calls
        if step.done:
            self.outcome = Outcome.HELD


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent: vendor calls in all and per hour (None: no limit); whether a used-up quota is waited for."""

    calls_max: int | None = None
    calls_per_hour: int | None = None
    waits_for_quota: bool = False


@dataclass(slots=True)
class BackfillRun:
    """One run over many tickers; ``reports`` holds what is known so far, also after it was interrupted.

    ``tell`` is called after every step with the report of its ticker, ``say`` with what a person should know.
    """

    cache: ReadThrough
    budget: Budget
    tell: Callable[[TickerReport], None]
    say: Callable[[str], None]
    reports: list[TickerReport] = field(default_factory=list)
    calls: int = 0
    stopped_by: OhlcacheError | None = None
    _unavailable_in_a_row: int = 0
    _next_call_at: float = 0.0

    @property
    def spent(self) -> bool:
        """Whether no further vendor call may be made."""
        used_up = self.budget.calls_max is not None and self.calls >= self.budget.calls_max
        return used_up or self.stopped_by is not None

    async def fill(self, tickers: Sequence[str], resolution: Resolution, span: Span) -> None:
        """Fill ``span`` of every ticker; tickers that come after the budget is spent are only looked at."""
        for ticker in tickers:
            report = TickerReport(ticker)
            self.reports.append(report)
            while await self._quota_waited_for(report, resolution, span):
                pass
            self.tell(report)

    async def _quota_waited_for(self, report: TickerReport, resolution: Resolution, span: Span) -> bool:
        """Fill one ticker as far as it goes; return whether it should be gone on with after a wait."""
        try:
            await self._fill_one(report, resolution, span)
        except QuotaExceeded as exc:
            if self.budget.waits_for_quota:
                seconds = exc.retry_after_seconds or RETRY_AFTER_SECONDS_DEFAULT
                self.say(f"The vendor's allowance is used up; going on in {seconds / 60:.0f} minutes.")
                await self.cache.clock.sleep(seconds)
                return True
            self.stopped_by = exc
        except (BadVendorCredentials, StoreError) as exc:
            self._failed(report, exc)
            self.stopped_by = exc
        except VendorUnavailable as exc:
            self._failed(report, exc)
            self._unavailable_in_a_row += 1
            if self._unavailable_in_a_row >= UNAVAILABLE_IN_A_ROW_MAX:
                self.stopped_by = exc
        except InvalidRequest:
            raise
        except OhlcacheError as exc:
            self._failed(report, exc)
        return False

    async def _fill_one(self, report: TickerReport, resolution: Resolution, span: Span) -> None:
        asked = self._asked()
        try:
            async with aclosing(backfill_steps(self.cache, report.ticker, resolution, span)) as steps:
                async for step in steps:
                    report.take(step)
                    self.calls += step.vendor_calls
                    self.tell(report)
                    if step.vendor_calls:
                        self._unavailable_in_a_row = 0
                    self._owe(step.vendor_calls)
                    if step.done or self.spent:
                        return
                    await self._pace()
                    asked = self._asked()
        except OhlcacheError:
            # A call that fails is a call.
            failed = self._asked() - asked
            report.calls += failed
            self.calls += failed
            self._owe(failed)
            raise

    def _asked(self) -> int:
        """Return how often the vendor has been asked."""
        return self.cache.status().quota.calls

    def _owe(self, calls: int) -> None:
        """Move the instant of the next call by what ``calls`` take at the pace that was asked for."""
        if self.budget.calls_per_hour is not None:
            interval = HOUR_SECONDS / self.budget.calls_per_hour
            self._next_call_at = max(self._next_call_at, self.cache.clock.now()) + interval * calls

    async def _pace(self) -> None:
        """Wait until the next call may be made."""
        wait = self._next_call_at - self.cache.clock.now()
        if self.budget.calls_per_hour is not None and wait > 0:
            await self.cache.clock.sleep(wait)

    @staticmethod
    def _failed(report: TickerReport, error: OhlcacheError) -> None:
        report.outcome, report.error = Outcome.FAILED, error
