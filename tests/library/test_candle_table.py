"""The table of candles: rows, columns, conversions."""

from __future__ import annotations

import csv
import io
import json
import pickle
import sys
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ohlcache

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ohlcache import CandleTable, SyncCache

PRICES = ("open", "high", "low", "close")


@pytest.fixture(scope="module")
def cache() -> Iterator[SyncCache]:
    with ohlcache.connect_sync(source="sample", store="memory") as opened:
        yield opened


@pytest.fixture(scope="module")
def daily(cache: SyncCache) -> CandleTable:
    return cache.get("AAPL", start="2014-06-02", end="2014-06-13", adjust="none")


@pytest.fixture(scope="module")
def intraday(cache: SyncCache) -> CandleTable:
    return cache.get("AAPL", start="2014-11-28", end="2014-12-01", resolution="30")


def test_rows(daily: CandleTable, intraday: CandleTable) -> None:
    """A table is a sequence of candles with dates (daily) or aware instants (intraday)."""
    assert len(daily) == 10
    assert daily[0].date == date(2014, 6, 2)
    assert (daily[-1], daily[1:3]) == (list(daily)[-1], list(daily)[1:3])
    assert daily[-1].close == 91.28
    assert intraday[0].date == datetime(2014, 11, 28, 14, 30, tzinfo=UTC)
    assert len(intraday) == 7 + 13  # the day after Thanksgiving is short
    assert isinstance(intraday[0].volume, int)
    with pytest.raises(IndexError):
        _ = daily[10]


def test_columns(daily: CandleTable, intraday: CandleTable) -> None:
    """Columns are numpy arrays of the documented dtypes, in step with the rows."""
    assert daily.date.dtype == np.dtype("datetime64[D]")
    assert intraday.date.dtype == np.dtype("datetime64[s]")
    assert daily.time.dtype == daily.volume.dtype == np.int64
    assert daily.close.tolist() == [row.close for row in daily]
    assert all(getattr(daily, name).dtype == np.float64 for name in PRICES)
    assert intraday.time.tolist() == [row.date.timestamp() for row in intraday if isinstance(row.date, datetime)]


def test_columns_cannot_be_written(daily: CandleTable) -> None:
    """Candles are shared by everybody who asks: nobody can spoil them for the others."""
    for name in (*PRICES, "time", "date", "volume"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(daily, name)[0] = 0


def test_certificate_and_provenance(daily: CandleTable, intraday: CandleTable) -> None:
    """A table says what it is worth and where it came from."""
    assert daily.complete
    assert (daily.certificate.expected, daily.certificate.count) == (10, 10)
    assert (daily.ticker, daily.resolution, daily.adjustment) == ("AAPL", "D", "none")
    assert daily.provenance.source == daily.provenance.tier == "sample"
    assert daily.provenance.age_seconds >= 0
    assert daily.provenance.data_until == datetime(2015, 1, 1, 1, tzinfo=UTC)
    assert (daily.provenance.synthetic, intraday.provenance.synthetic) == (False, True)
    assert "AAPL D 2014-06-02..2014-06-13: 10 candles, complete, adjusted: none, from sample" in repr(daily)


def test_what_changes_are_counted_from(cache: SyncCache, daily: CandleTable, intraday: CandleTable) -> None:
    """AAPL closed 2014 1.90 % below the day before and 37.72 % above 2013, worked out from the sample's rows."""
    day, year = cache.get("AAPL", "1D"), cache.get("AAPL", "YTD")
    assert day.previous_close == 112.52
    assert year.previous_close == 561.02 / 7  # the split of 9 June 2014
    assert round(day[-1].close / 112.52 * 100 - 100, 2) == -1.90
    assert round(year[-1].close / year.previous_close * 100 - 100, 2) == 37.72
    assert (day.unadjusted_splits, daily.unadjusted_splits) == ((), (ohlcache.Split(date(2014, 6, 9), 7.0),))
    assert daily.previous_close == 633.0
    assert intraday.previous_close == 119.0
    assert cache.get("AAPL", "1W", adjust="none", resolution="60").unadjusted_splits is None
    listed = cache.get("ZEN", "1Y")
    assert (listed.previous_close, listed.listed_on, day.listed_on) == (None, date(2014, 5, 15), None)


def test_a_notebook_shows_both_ends(cache: SyncCache, daily: CandleTable) -> None:
    """A notebook shows the description and the candles, of a long table the first and the last five."""
    assert daily._repr_html_().count("<tr>") == 1 + 10
    year = cache.get("AAPL", "1Y")._repr_html_()
    assert year.count("<tr>") == 1 + 5 + 1 + 5
    assert "&lt;CandleTable AAPL D" in year
    assert "<td>2014-12-31</td>" in year


def test_it_travels_between_processes(daily: CandleTable) -> None:
    """A table can be pickled, its provenance included."""
    there = pickle.loads(pickle.dumps(daily))  # noqa: S301 - our own bytes
    assert list(there) == list(daily)
    assert there.provenance.source == "sample"


def test_an_empty_table(cache: SyncCache) -> None:
    """A weekend is a table without candles, and converts like any other (G1)."""
    empty = cache.get("AAPL", start="2014-06-07", end="2014-06-08")
    assert not empty
    assert empty.complete
    assert list(empty) == empty[:] == []
    assert len(empty.to_pandas()) == len(empty.to_polars()) == empty.to_arrow().num_rows == 0
    assert empty.to_csv() == "date,open,high,low,close,volume\n"


def test_pandas(daily: CandleTable, intraday: CandleTable) -> None:
    """The index is dates for daily candles, and aware in UTC for intraday ones; the frame is the caller's own."""
    frame = daily.to_pandas()
    assert list(frame.columns) == [*PRICES, "volume"]
    assert frame.index.name == "date"
    assert frame.index.tz is None
    assert frame.loc["2014-06-09", "close"] == 93.70
    assert str(intraday.to_pandas().index.tz) == "UTC"
    assert intraday.to_pandas().index[0] == pd.Timestamp("2014-11-28 14:30", tz="UTC")
    frame.loc[:, "close"] = 0.0
    assert daily.close.all()


def test_polars(daily: CandleTable, intraday: CandleTable) -> None:
    """The date is a Date, or a Datetime in UTC."""
    assert daily.to_polars().schema["date"] == pl.Date
    assert intraday.to_polars().schema["date"] == pl.Datetime("us", "UTC")
    assert intraday.to_polars()["date"].to_list() == [row.date for row in intraday]
    assert daily.to_polars()["close"].to_list() == daily.close.tolist()


def test_arrow_and_parquet(daily: CandleTable, intraday: CandleTable, tmp_path: Path) -> None:
    """Arrow carries the certificate, and comes back from Parquet to the bit."""
    table = daily.to_arrow()
    assert table.schema.field("date").type == pa.date32()
    assert intraday.to_arrow().schema.field("date").type == pa.timestamp("s", tz="UTC")
    assert json.loads(table.schema.metadata[b"ohlcache"])["complete"] is True
    daily.to_parquet(tmp_path / "aapl.parquet")
    read = pq.read_table(tmp_path / "aapl.parquet")
    assert read["close"].to_numpy().tobytes() == daily.close.tobytes()


def test_text_forms_read_back_to_the_bit(daily: CandleTable) -> None:
    """CSV and JSON write prices with the fewest digits that read back as the same number (B1)."""
    rows = list(csv.DictReader(io.StringIO(daily.to_csv())))
    assert [float(row["low"]) for row in rows] == daily.low.tolist()
    document = json.loads(daily.to_json())
    assert document["count"] == 10
    assert [row["volume"] for row in document["candles"]] == daily.volume.tolist()


@pytest.mark.parametrize(
    ("module", "method", "extra"),
    [("pandas", "to_pandas", "pandas"), ("polars", "to_polars", "polars"), ("pyarrow", "to_arrow", "arrow")],
)
def test_a_missing_extra_is_named(
    daily: CandleTable, monkeypatch: pytest.MonkeyPatch, module: str, method: str, extra: str
) -> None:
    """Without the library the error is the command that installs it; it is an ImportError, too."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ohlcache.MissingExtra) as caught:
        getattr(daily, method)()
    assert caught.value.hint == f"pip install 'ohlcache[{extra}]'"
    assert isinstance(caught.value, ImportError)
    assert module in str(caught.value)
