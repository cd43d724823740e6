"""What a caller gets: candles as rows or columns, what they are worth (the certificate), and where they came from."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from ohlcache.domain.market_time import ordinal_of
from ohlcache.http.encodings import encode_answer
from ohlcache.http.negotiation import Format
from ohlcache.library.extras import import_extra

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from os import PathLike

    import numpy as np
    import pandas as pd
    import polars as pl
    import pyarrow as pa
    from numpy.typing import NDArray

    from ohlcache.domain.answer import Answer, Certificate, Served
    from ohlcache.domain.baseline import Split

NOTEBOOK_ROWS = 5
"""How many candles a notebook shows from either end."""


class Candle(NamedTuple):
    """One candle; ``date`` is a date when daily, an aware datetime (UTC, start of the bar) when intraday."""

    date: dt.date
    open: float
    high: float
    low: float
    close: float
    volume: int


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where candles came from.

    ``source``: the vendor whose series it is; ``tier``: who answered (``in-memory``, the store's or the vendor's name);
    ``age_seconds``: since the newest reply of the vendor in them; ``degraded``: a failure was bypassed on the way;
    ``stale``: something that is due could not be fetched, so this is what was held; ``stale_reason`` and
    ``missing_reason``: why, None where it is not stale, or no session is missing; ``synthetic``: derived, not recorded;
    ``data_until``: where the source's data ends, None for a live one; ``fallback``: why these are daily candles though
    minutes were asked for.
    """

    source: str
    tier: str
    age_seconds: float
    degraded: bool
    stale: bool
    stale_reason: str | None
    missing_reason: str | None
    synthetic: bool
    data_until: dt.datetime | None
    fallback: str | None


def completeness_text(certificate: Certificate) -> str:
    """Return ``complete``, or how many sessions are missing."""
    missing = len(certificate.missing)
    return "complete" if certificate.complete else f"{missing} session{'s' if missing > 1 else ''} missing"


class CandleTable:
    """Candles of one ticker, oldest first; immutable, and safe to share between threads.

    A sequence of ``Candle`` rows. The columns are read-only numpy arrays of equal length: ``time`` (int64 epoch seconds
    UTC, start of the bar), ``date`` (datetime64[D] daily, datetime64[s] UTC intraday), ``open high low close``
    (float64), ``volume`` (int64).
    """

    __slots__ = ("_now", "_served")

    def __init__(self, served: Served, now: Callable[[], float]) -> None:
        self._served = served
        self._now = now

    # --- what it is ----------------------------------------------------------------------------------------------

    @property
    def ticker(self) -> str:
        """The ticker, normalised."""
        return self._answer.request.ticker

    @property
    def resolution(self) -> str:
        """The resolution of the candles: ``1 5 15 30 60`` or ``D``."""
        return self._answer.resolution.value

    @property
    def adjustment(self) -> str:
        """What was applied on reading: ``splits``, ``all`` or ``none``."""
        return self._answer.adjustment.value

    @property
    def start(self) -> dt.date:
        """The first market date that was asked for."""
        return self._answer.request.span.start

    @property
    def end(self) -> dt.date:
        """The last market date that was asked for."""
        return self._answer.request.span.end

    @property
    def certificate(self) -> Certificate:
        """What the candles are worth, measured against the exchange calendar."""
        return self._answer.certificate

    @property
    def complete(self) -> bool:
        """Whether every session that is due is in the table."""
        return self._answer.certificate.complete

    @property
    def provenance(self) -> Provenance:
        """Where the candles came from, their age as of now."""
        answer = self._answer
        return Provenance(
            source=answer.source,
            tier=self._served.tier,
            age_seconds=max(0.0, self._now() - answer.observed_at),
            degraded=self._served.degraded,
            stale=answer.stale,
            stale_reason=answer.stale_reason,
            missing_reason=answer.missing_reason,
            synthetic=answer.synthetic,
            data_until=None if answer.data_until is None else dt.datetime.fromtimestamp(answer.data_until, dt.UTC),
            fallback=None if answer.fallback is None else answer.fallback.message,
        )

    # --- what changes are counted from ---------------------------------------------------------------------------

    @property
    def previous_close(self) -> float | None:
        """The close before the first day asked for: of the last session with candles, adjusted as these are.

        Intraday it is the close of that session's last bar. None where it is not known (before the first session that
        is held, for no vendor call is made for it alone), where the ticker was not listed yet, and of an empty table.
        """
        return self._answer.baseline.previous_close

    @property
    def listed_on(self) -> dt.date | None:
        """The first candle's market date, where the ticker is known not to have been listed the session before."""
        return self._answer.baseline.listed_on

    @property
    def unadjusted_splits(self) -> tuple[Split, ...] | None:
        """Splits that the prices are not adjusted for, from ``previous_close`` through the last candle, oldest first.

        A change across one is no return. None where it is not known whether there are any: with ``adjust="none"`` at
        intraday resolutions, and while the last session's daily row is not out.
        """
        return self._answer.baseline.unadjusted_splits

    # --- columns -------------------------------------------------------------------------------------------------

    @property
    def time(self) -> NDArray[np.int64]:
        """Open times: epoch seconds UTC; daily candles at 00:00 UTC of the market date."""
        return _read_only(self._answer.candles.time)

    @property
    def date(self) -> NDArray[np.datetime64]:
        """Open times as datetime64: days for daily candles, seconds UTC for intraday ones."""
        seconds = self._answer.candles.time.astype("datetime64[s]")
        return _read_only(seconds.astype("datetime64[D]") if self._daily else seconds)

    @property
    def open(self) -> NDArray[np.float64]:
        """First prices."""
        return _read_only(self._answer.candles.open)

    @property
    def high(self) -> NDArray[np.float64]:
        """Highest prices."""
        return _read_only(self._answer.candles.high)

    @property
    def low(self) -> NDArray[np.float64]:
        """Lowest prices."""
        return _read_only(self._answer.candles.low)

    @property
    def close(self) -> NDArray[np.float64]:
        """Last prices."""
        return _read_only(self._answer.candles.close)

    @property
    def volume(self) -> NDArray[np.int64]:
        """Shares traded; 0 where the vendor has none."""
        return _read_only(self._answer.candles.volume)

    # --- rows ----------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._answer.candles)

    def __bool__(self) -> bool:
        return len(self) > 0

    def __iter__(self) -> Iterator[Candle]:
        return iter(self._rows(slice(None)))

    @overload
    def __getitem__(self, index: int) -> Candle: ...
    @overload
    def __getitem__(self, index: slice) -> list[Candle]: ...
    def __getitem__(self, index: int | slice) -> Candle | list[Candle]:
        if isinstance(index, slice):
            return self._rows(index)
        position = range(len(self))[index]
        return self._rows(slice(position, position + 1))[0]

    def __repr__(self) -> str:
        complete = completeness_text(self.certificate)
        if self._answer.stale:
            complete += ", stale"
        return (
            f"<CandleTable {self.ticker} {self.resolution} {self.start}..{self.end}: {len(self)} candles, "
            f"{complete}, adjusted: {self.adjustment}, from {self._served.tier} ({self._answer.source})>"
        )

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the first and the last candles under the one-line description."""
        shown = self[:] if len(self) <= 2 * NOTEBOOK_ROWS else [*self[:NOTEBOOK_ROWS], None, *self[-NOTEBOOK_ROWS:]]
        head = "".join(f"<th>{name}</th>" for name in Candle._fields)
        rows = "".join(
            "<tr>" + "".join(f"<td>{cell}</td>" for cell in row or ["…"] * len(Candle._fields)) + "</tr>"
            for row in shown
        )
        return (
            f"<table><caption>{escape(repr(self))}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        )

    # --- conversions ---------------------------------------------------------------------------------------------

    def to_pandas(self) -> pd.DataFrame:
        """Return a DataFrame of open, high, low, close, volume; its index ``date`` is aware (UTC) for intraday candles.

        Raises MissingExtra without pandas. The frame is the caller's own: changing it changes nothing here.
        """
        pandas = import_extra("pandas", "pandas")
        index = pandas.DatetimeIndex(self.date.astype("datetime64[ns]"), name="date")
        if not self._daily:
            index = index.tz_localize("UTC")
        return pandas.DataFrame(self._prices_and_volume(), index=index, copy=True)

    def to_polars(self) -> pl.DataFrame:
        """Return a DataFrame of date (Date, or Datetime in UTC), open, high, low, close, volume.

        Raises MissingExtra without polars.
        """
        polars = import_extra("polars", "polars")
        when = polars.Series("date", self.date.astype("datetime64[us]"))
        when = when.cast(polars.Date) if self._daily else when.dt.replace_time_zone("UTC")
        frame: pl.DataFrame = polars.DataFrame({"date": when, **self._prices_and_volume()})
        return frame

    def to_arrow(self) -> pa.Table:
        """Return the table that the HTTP API sends as Arrow, the certificate in its metadata.

        Raises MissingExtra without pyarrow.
        """
        import_extra("pyarrow", "arrow")
        ipc = import_extra("pyarrow.ipc", "arrow")
        return ipc.open_stream(encode_answer(self._answer, Format.ARROW)).read_all()

    def to_parquet(self, path: str | PathLike[str]) -> None:
        """Write the Arrow table to a Parquet file; MissingExtra without pyarrow."""
        import_extra("pyarrow", "arrow")
        import_extra("pyarrow.parquet", "arrow").write_table(self.to_arrow(), path, compression="zstd")

    def to_csv(self) -> str:
        """Return CSV with the header ``date,open,high,low,close,volume``; prices read back to the bit."""
        return encode_answer(self._answer, Format.CSV).decode()

    def to_json(self) -> str:
        """Return the JSON that the HTTP API sends: the candles in rows, with their certificate."""
        return encode_answer(self._answer, Format.JSON).decode()

    # --- inside --------------------------------------------------------------------------------------------------

    @property
    def nbytes(self) -> int:
        """The memory the candles take, in bytes."""
        return self._answer.nbytes

    @property
    def _answer(self) -> Answer:
        return self._served.answer

    @property
    def _daily(self) -> bool:
        return self._answer.resolution.is_daily

    def _prices_and_volume(self) -> dict[str, NDArray[Any]]:
        return {"open": self.open, "high": self.high, "low": self.low, "close": self.close, "volume": self.volume}

    def _rows(self, part: slice) -> list[Candle]:
        times, *columns = (column[part].tolist() for column in self._answer.candles.columns())
        return [Candle(self._date_of(time), *row) for time, *row in zip(times, *columns, strict=True)]

    def _date_of(self, time: int) -> dt.date:
        if self._daily:
            return dt.date.fromordinal(ordinal_of(time))
        return dt.datetime.fromtimestamp(time, dt.UTC)


def _read_only(column: NDArray[Any]) -> NDArray[Any]:
    """Return a view that cannot be written through: the same candles are served to everybody."""
    view = column.view()
    view.flags.writeable = False
    return view
