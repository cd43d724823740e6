"""The rows of vendors' replies that were rejected: logged and counted as they come, remembered for whoever asks next.

The store knows which sessions lack a row, not why. Until the vendor sends a better one, this process does.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import date
from typing import TYPE_CHECKING

from ohlcache.ports import Level, Metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ohlcache.domain.coverage import Coverage
    from ohlcache.domain.plan import Need
    from ohlcache.domain.rejections import RejectedRow
    from ohlcache.domain.series import Series
    from ohlcache.domain.span import Span
    from ohlcache.ports import Telemetry

LOGGED_MAX = 10
REMEMBERED_ROWS_MAX = 1_000
REMEMBERED_SERIES_MAX = 1_000


class RejectionLog:
    """Rejected rows by series, the newest series last; belongs to one event loop."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._rows: OrderedDict[Series, dict[tuple[Span, int | None], RejectedRow]] = OrderedDict()

    def add(self, series: Series, rows: Sequence[RejectedRow]) -> None:
        """Log, count and remember the rejected rows of one fetch; a newer row replaces an older one of its time."""
        if not rows:
            return
        self._telemetry.count(Metric.VENDOR_ROWS_REJECTED, len(rows), source=series.source)
        named = {"source": series.source, "ticker": series.ticker, "resolution": series.resolution.value}
        for row in rows[:LOGGED_MAX]:
            self._telemetry.log(
                Level.WARNING,
                "vendor row rejected",
                **named,
                date=row.day.isoformat(),
                field=row.field,
                value=row.value,
                message=row.sentence,
            )
        if len(rows) > LOGGED_MAX:
            self._telemetry.log(Level.WARNING, "vendor rows rejected", **named, rows=len(rows))
        known = self._rows.setdefault(series, {})
        for row in rows:
            key = (row.days, row.time)
            known.pop(key, None)
            known[key] = row
        while len(known) > REMEMBERED_ROWS_MAX:
            del known[next(iter(known))]
        self._rows.move_to_end(series)
        if len(self._rows) > REMEMBERED_SERIES_MAX:
            self._rows.popitem(last=False)

    def of(self, need: Need, coverage: Coverage) -> tuple[RejectedRow, ...]:
        """Return the rows for which sessions of ``coverage`` within the need are rejected, ascending by date."""
        known = self._rows.get(need.series)
        if not known:
            return ()
        days = [date.fromordinal(day) for day in coverage.days[coverage.rejected].tolist()]
        days = [day for day in days if day in need.span]
        rows = [row for row in known.values() if any(day in row.days for day in days)]
        return tuple(sorted(rows, key=lambda row: (row.days, row.time or 0)))

    def drop(self, ticker: str) -> None:
        """Remember nothing more of ``ticker``."""
        for series in [series for series in self._rows if series.ticker == ticker]:
            del self._rows[series]
