"""The daily sample that ships with the package is whole, possible, and adjusts to what others published."""

from __future__ import annotations

import csv
import gzip
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ohlcache.adapters.calendar import load_xnys
from ohlcache.adapters.vendors.sample_files import (
    SAMPLE_FOLDER,
    SAMPLE_LAST_DAY,
    SAMPLE_NAMES,
    SampleHistory,
    read_sample,
)
from ohlcache.domain.adjustment import Adjustment, adjust
from ohlcache.domain.candles import check_possible
from ohlcache.domain.market_time import midnight_utc
from ohlcache.domain.span import Span

if TYPE_CHECKING:
    from ohlcache.domain.candles import Candles

EXTRACTS = Path(__file__).parents[1] / "data"
FIRST_SESSIONS = {
    "AAPL": date(2000, 3, 1),
    "BRK.A": date(2014, 1, 2),
    "IBM": date(2000, 3, 1),
    "MSFT": date(2000, 3, 1),
    "ZEN": date(2014, 5, 15),
}
# The sources keep 12 to 14 digits.
RELATIVE_ERROR_MAX = 1e-12


def rows_of(extract: str) -> list[dict[str, str]]:
    with gzip.open(EXTRACTS / extract, "rt", newline="") as lines:
        return list(csv.DictReader(lines))


def actions_of(history: SampleHistory) -> dict[str, tuple[float, float]]:
    actions = history.actions
    days = [date.fromordinal(day).isoformat() for day in actions.days.tolist()]
    return dict(zip(days, zip(actions.dividends.tolist(), actions.splits.tolist(), strict=True), strict=True))


def fully_adjusted(history: SampleHistory) -> Candles:
    return adjust(history.candles, history.days, history.actions, Adjustment.ALL)


def greatest_error(ours: object, theirs: object) -> float:
    """Return the greatest relative difference once the last values are made equal."""
    mine, others = np.asarray(ours, float), np.asarray(theirs, float)
    return float(np.max(np.abs(mine / mine[-1] / (others / others[-1]) - 1)))


@pytest.mark.parametrize("ticker", SAMPLE_NAMES)
def test_no_session_is_missing(ticker: str) -> None:
    """From the first session to the last of 2014 there is a row for every session of the exchange, and no other."""
    history = read_sample(ticker)
    expected = load_xnys().between(Span(FIRST_SESSIONS[ticker], SAMPLE_LAST_DAY))
    assert history.days.tolist() == expected.days.tolist()
    assert history.span == Span(FIRST_SESSIONS[ticker], SAMPLE_LAST_DAY)
    assert history.candles.time.tolist() == [midnight_utc(day) for day in history.days.tolist()]


@pytest.mark.parametrize("ticker", SAMPLE_NAMES)
def test_every_candle_is_possible(ticker: str) -> None:
    """High is highest and low is lowest in every row, and something was traded."""
    candles = read_sample(ticker).candles
    check_possible(candles)
    assert candles.volume.min() > 0


@pytest.mark.parametrize("ticker", SAMPLE_NAMES)
def test_actions_carry_the_close_of_their_day(ticker: str) -> None:
    """Every action falls on a session and knows its raw close; no session has both a dividend and a split."""
    history = read_sample(ticker)
    at = np.searchsorted(history.days, history.actions.days)
    assert np.array_equal(history.days[at], history.actions.days)
    assert np.array_equal(history.candles.close[at], history.actions.closes)
    assert np.all((history.actions.dividends > 0) != (history.actions.splits != 1))


def test_apple_paid_nothing_from_2000_to_the_summer_of_2012() -> None:
    """AAPL has three splits and, from 2012-08-09 on, a dividend each quarter, in the money of the time."""
    assert actions_of(read_sample("AAPL")) == {
        "2000-06-21": (0, 2),
        "2005-02-28": (0, 2),
        "2012-08-09": (2.65, 1),
        "2012-11-07": (2.65, 1),
        "2013-02-07": (2.65, 1),
        "2013-05-09": (3.05, 1),
        "2013-08-08": (3.05, 1),
        "2013-11-06": (3.05, 1),
        "2014-02-06": (3.05, 1),
        "2014-05-08": (3.29, 1),
        "2014-06-09": (0, 7),
        "2014-08-07": (0.47, 1),
        "2014-11-06": (0.47, 1),
    }


def test_microsoft_began_to_pay_in_2003() -> None:
    """MSFT pays yearly from 2003, quarterly from August 2004, and three dollars extra in November 2004."""
    actions = actions_of(read_sample("MSFT"))
    assert list(actions.items())[:5] == [
        ("2003-02-18", (0, 2)),
        ("2003-02-19", (0.08, 1)),
        ("2003-10-15", (0.16, 1)),
        ("2004-08-23", (0.08, 1)),
        ("2004-11-15", (3.08, 1)),
    ]
    dividends = [paid for day, (paid, _) in actions.items() if day >= "2005"]
    assert len(dividends) == 40
    assert dividends == sorted(dividends)
    assert (dividends[0], dividends[-1]) == (0.08, 0.31)


def test_ibm_paid_every_quarter() -> None:
    """IBM pays 59 dividends, about 91 days apart, none smaller than the one before, and never splits."""
    actions = read_sample("IBM").actions
    assert len(actions) == 59
    assert np.all(actions.splits == 1)
    gaps = np.diff(actions.days)
    assert gaps.min() >= 85
    assert gaps.max() <= 97
    assert np.all(np.diff(actions.dividends) >= 0)
    assert (actions.dividends[0], actions.dividends[-1]) == (0.13, 1.10)


@pytest.mark.parametrize("ticker", ["BRK.A", "ZEN"])
def test_the_others_have_no_actions(ticker: str) -> None:
    """BRK.A and ZEN neither paid nor split in 2014."""
    assert not len(read_sample(ticker).actions)


@pytest.mark.parametrize(("ticker", "compared"), [("AAPL", 3522), ("MSFT", 3522), ("IBM", 3270)])
def test_adjusted_closes_come_out_as_published(ticker: str, compared: int) -> None:
    """All adjusted closes of 2000 to 2013-03-01, and of 2014, come out in one piece, to the published digits.

    Only one constant is free, for the actions after 2014, so the actions of the year between are proven as well.
    """
    published = {row["date"]: row[ticker] for row in rows_of("wiki_adjusted_close_2000_2013.csv.gz")}
    for row in rows_of("wiki_raw_and_adjusted_2014.csv.gz"):
        if row["ticker"] == ticker:
            published[row["date"]] = row["adj_close"]
    history = read_sample(ticker)
    closes = fully_adjusted(history).close.tolist()
    ours = {date.fromordinal(day).isoformat(): close for day, close in zip(history.days.tolist(), closes, strict=True)}
    assert len(published) == compared
    assert greatest_error([ours[day] for day in published], list(published.values())) < RELATIVE_ERROR_MAX


@pytest.mark.parametrize("ticker", ["AAPL", "MSFT"])
def test_the_year_2014_is_as_published(ticker: str) -> None:
    """Raw rows equal the source digit by digit; adjusted prices and volumes come out as it has them, 7:1 included."""
    rows = [row for row in rows_of("wiki_raw_and_adjusted_2014.csv.gz") if row["ticker"] == ticker]
    history = read_sample(ticker)
    in_2014 = history.days >= date(2014, 1, 1).toordinal()
    raw, adjusted = history.candles[in_2014], fully_adjusted(history)[in_2014]
    assert len(raw) == len(rows) == 252
    for name in ("open", "high", "low", "close", "volume"):
        assert getattr(raw, name).tolist() == [float(row[name]) for row in rows]
    scale = adjusted.close[-1] / float(rows[-1]["adj_close"])
    for name in ("open", "high", "low", "close"):
        theirs = np.array([float(row[f"adj_{name}"]) for row in rows])
        np.testing.assert_allclose(getattr(adjusted, name), theirs * scale, rtol=1e-9)
    assert adjusted.volume.tolist() == [float(row["adj_volume"]) for row in rows]


@pytest.mark.parametrize("ticker", SAMPLE_NAMES)
def test_files_are_reproducible(ticker: str) -> None:
    """The gzip header holds neither a time nor a name."""
    header = (SAMPLE_FOLDER / f"{ticker}.csv.gz").read_bytes()[:8]
    assert header[3:8] == bytes(5)


def test_licences_travel_with_the_data() -> None:
    """Beside the data lies where it comes from, and every licence that is named there."""
    provenance = (SAMPLE_FOLDER / "PROVENANCE.md").read_text(encoding="utf-8")
    licences = sorted(path.name for path in (SAMPLE_FOLDER / "licences").iterdir())
    assert licences == ["bokeh_sampledata_BSD-3-Clause.txt", "zipline_Apache-2.0.txt"]
    assert all(f"licences/{name}" in provenance for name in licences)
    assert all(ticker in provenance for ticker in SAMPLE_NAMES)
