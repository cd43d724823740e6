"""A backfill for the eye: a bar on a terminal, a line per ticker elsewhere, and a summary at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ohlcache.cli.backfill_run import Outcome
from ohlcache.cli.wording import another_try, in_options

if TYPE_CHECKING:
    from types import TracebackType

    from ohlcache.cli.backfill_run import BackfillRun, TickerReport

FAILURES_SHOWN_MAX = 20


class BackfillDrawing:
    """Draws to standard error, so that standard output stays for the summary."""

    def __init__(self, tickers: int) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._all = self._progress.add_task("all", total=tickers, unit="tickers")
        self._one = self._progress.add_task("", total=None, unit="sessions", visible=False)
        self._settled: set[str] = set()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def tell(self, report: TickerReport) -> None:
        """Show how far a ticker is."""
        self._progress.update(
            self._one, description=report.ticker, total=report.sessions, completed=report.held, visible=True
        )
        if report.outcome is Outcome.STOPPED or report.ticker in self._settled:
            return
        self._settled.add(report.ticker)
        self._progress.update(self._all, completed=len(self._settled))
        if not self._console.is_terminal:
            self.say(f"{report.ticker}: {_described(report)}")

    def say(self, line: str) -> None:
        """Show a line above the bar."""
        self._progress.console.print(line, markup=False, soft_wrap=True)

    def summarise(self, work: BackfillRun) -> None:
        """Say what was done, what failed and why, and what is left."""
        self._progress.stop()
        out = Console(highlight=False)
        reports = work.reports
        held = sum(report.outcome is Outcome.HELD for report in reports)
        out.print(
            f"{held} of {len(reports)} tickers held whole, {sum(r.candles for r in reports):,} candles; "
            f"{work.calls} vendor calls made",
            soft_wrap=True,
        )
        failed = [report for report in reports if report.outcome is Outcome.FAILED]
        for report in failed[:FAILURES_SHOWN_MAX]:
            out.print(f"  {report.ticker}: {_described(report)}", markup=False, soft_wrap=True)
        if len(failed) > FAILURES_SHOWN_MAX:
            out.print(f"  and {len(failed) - FAILURES_SHOWN_MAX} more failed")
        left = [report for report in reports if report.outcome is Outcome.STOPPED]
        if left:
            missing = sum(report.sessions - report.held for report in left)
            out.print(
                f"{len(left)} tickers are not whole ({missing:,} sessions missing): {_reason(work)}", soft_wrap=True
            )
            out.print("The same command goes on from here.")


def _described(report: TickerReport) -> str:
    if report.error is not None:
        return in_options(f"{report.error.message} {report.error.hint}".strip())
    return f"{report.held} of {report.sessions} sessions held, {report.calls} vendor calls"


def _reason(work: BackfillRun) -> str:
    error = work.stopped_by
    if error is None:
        return "the budget of vendor calls is used up." if work.spent else "it was interrupted."
    return error.message + another_try(error)
