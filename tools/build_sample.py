"""Rebuild the daily sample data that ships with the package from the public files it was taken from.

``python tools/build_sample.py --from DIR`` writes ``src/ohlcache/data/sample/*.csv.gz`` and the verification extracts
in ``tests/data``; ``--check`` writes nothing and exits 1 if any of them differs. ``DIR`` holds the files of ``SOURCES``
under the names given there; their checksums are compared first, so the same bytes go in and the same come out.
``PROVENANCE.md`` beside the data tells where each file is published, and what is done to its rows.

A row is one session: raw OHLCV as traded, the cash dividend per share on its ex-date, the split ratio on the first
session after the split. How the pieces join::

    from        AAPL, MSFT  IBM      BRK.A, ZEN
    2000-03-01  stocks      stocks
    2013-03-04  csvdir      csvdir
    2014-01-02  wiki        csvdir   wiki

``stocks`` has no actions: they are solved from its adjusted close. ``csvdir`` has AAPL divided by 7.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import sys
import zipfile
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ohlcache.adapters.calendar import load_xnys
from ohlcache.domain.adjustment import Actions, Adjustment, adjust
from ohlcache.domain.candles import Candles, check_possible
from ohlcache.domain.market_time import midnight_utc
from ohlcache.domain.span import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PROJECT = Path(__file__).parents[1]
SAMPLE_FOLDER = PROJECT / "src" / "ohlcache" / "data" / "sample"
EXTRACT_FOLDER = PROJECT / "tests" / "data"

SOURCES = {
    "quandl_wiki_public_domain/bokeh_sampledata_stocks.csv.gz": (
        "5abadf99b2d394f920120a27de6f0df129859d71d4cfb0bf661bcc99446ab1fd"
    ),
    "quandl_wiki_public_domain/zipline_QUANDL_ARCHIVE.zip": (
        "588213096316999bbaae2d77101aefc1c5c69dcb13631279cea88250ac390a7e"
    ),
    "zipline_csvdir/AAPL.csv.gz": "24238bcd21f661824de708c99b258a546caa71a2e1d9ecfe0730e897e333dcd9",
    "zipline_csvdir/MSFT.csv.gz": "3408e507605974dfde1e08220251314a1afac16bae6503fe5de802d88d33d19e",
    "zipline_csvdir/IBM.csv.gz": "4a02273aa3d2374462c52d974373d583c52c0e2cff83797648e607fec4eb74be",
}
STOCKS, WIKI = list(SOURCES)[:2]

COLUMNS = ("date", "open", "high", "low", "close", "volume", "dividend", "split")
LONG_TICKERS = ("AAPL", "MSFT", "IBM")
WIKI_LONG_TICKERS = ("AAPL", "MSFT")
CSVDIR_FROM = date(2013, 3, 4)
CSVDIR_LAST = date(2013, 12, 31)
LAST = date(2014, 12, 31)
FIRSTS = {ticker: date(2000, 3, 1) for ticker in LONG_TICKERS} | {
    "BRK.A": date(2014, 1, 2),
    "ZEN": date(2014, 5, 15),
}
AAPL_SPLIT = date(2014, 6, 9)

# A source that keeps 6 decimals of a price divided by 7 may be this far from the cent that was traded.
CENT_DISTANCE_MAX = 5e-5
# Relative; the sources keep 12 to 14 digits.
ADJUSTED_ERROR_MAX = 1e-11
# A ratio of adjusted close to close moves by less than this unless there is a dividend or a split.
FACTOR_NOISE_MAX = 1e-9
# How far a dividend solved from the adjusted close may be from whole cents.
DIVIDEND_DISTANCE_MAX = 1e-8


@dataclass(frozen=True, slots=True)
class Row:
    """One session of one ticker, raw: dollars per share, shares, dollars per share, new shares per old one."""

    day: date
    open: float
    high: float
    low: float
    close: float
    volume: int
    dividend: float = 0.0
    split: float = 1.0


def read_stocks(source: Path, ticker: str) -> tuple[list[Row], list[str]]:
    """Return the rows of ``ticker`` without actions, and the adjusted closes as written."""
    with gzip.open(source / STOCKS, "rt", newline="") as lines:
        names = next(lines).strip().lower().split(",")
        found = [line for line in csv.DictReader(lines, names) if line["ticker"] == ticker]
    rows = [Row(date.fromisoformat(line["date"]), *_prices(line), int(line["volume"])) for line in found]
    return rows, [line["adj close"] for line in found]


def solve_actions(rows: Sequence[Row], adjusted: Sequence[str]) -> list[Row]:
    """Return ``rows`` with the dividends and splits that explain the adjusted closes.

    Between two sessions the ratio adjusted/raw changes by ``close / (close + dividend) / split``. A change by a half is
    a 2:1 split (none other occurred, and none fell on an ex-dividend date); any other is a dividend, in whole cents.
    """
    ratios = [float(text) / row.close for text, row in zip(adjusted, rows, strict=True)]
    solved = [rows[0]]
    for row, before, after in zip(rows[1:], ratios, ratios[1:], strict=False):
        factor = before / after
        if abs(factor - 1) < FACTOR_NOISE_MAX:
            solved.append(row)
        elif abs(factor - 0.5) < FACTOR_NOISE_MAX:
            solved.append(replace(row, split=2.0))
        else:
            dividend = row.close / factor - row.close
            assert abs(dividend - round(dividend, 2)) < DIVIDEND_DISTANCE_MAX, f"{row.day}: {dividend}"
            solved.append(replace(row, dividend=round(dividend, 2)))
    return solved


def read_csvdir(source: Path, ticker: str, span: Span) -> list[Row]:
    """Return the rows of ``ticker`` in ``span``.

    Prices are float32 printed with six decimals, so they are taken back to the cent they were traded at. AAPL is
    divided by 7 there (prices and dividends; volume is multiplied), up to its 7:1 split of 2014.
    """
    divisor = 7 if ticker == "AAPL" else 1
    assert ticker != "AAPL" or span.end < AAPL_SPLIT, "after the split the file is raw"
    with gzip.open(source / f"zipline_csvdir/{ticker}.csv.gz", "rt", newline="") as lines:
        found = [line for line in csv.DictReader(lines) if date.fromisoformat(line["date"]) in span]
    rows = []
    for line in found:
        day = date.fromisoformat(line["date"])
        opened, high, low, close = (_cent(price * divisor) for price in _prices(line))
        volume, rest = divmod(int(line["volume"]), divisor)
        assert rest == 0, f"{ticker} {day}: volume is not a multiple of {divisor}"
        dividend = round(float(line["dividend"]) * divisor, 2)
        rows.append(Row(day, opened, high, low, close, volume, dividend))
    return rows


def read_wiki(source: Path, ticker: str) -> tuple[list[Row], list[str]]:
    """Return the rows of ``ticker`` and, first the header, the lines they were read from."""
    with zipfile.ZipFile(source / WIKI) as archive:
        text = archive.read("QUANDL_SAMPLE_TABLE.csv").decode()
    header, *lines = text.splitlines()
    name = ticker.replace(".", "_")
    lines = [line for line in lines if line.startswith(f"{name},")]
    rows = [
        Row(
            date.fromisoformat(line["date"]),
            *_prices(line),
            int(float(line["volume"])),
            float(line["ex-dividend"]),
            float(line["split_ratio"]),
        )
        for line in csv.DictReader([header, *lines])
    ]
    return rows, [header, *lines]


def join(source: Path, ticker: str) -> list[Row]:
    """Return the whole history of ``ticker``, oldest first."""
    if ticker not in LONG_TICKERS:
        return read_wiki(source, ticker)[0]
    rows = solve_actions(*read_stocks(source, ticker))
    if ticker not in WIKI_LONG_TICKERS:
        return rows + read_csvdir(source, ticker, Span(CSVDIR_FROM, LAST))
    return rows + read_csvdir(source, ticker, Span(CSVDIR_FROM, CSVDIR_LAST)) + read_wiki(source, ticker)[0]


def check_rows(ticker: str, rows: Sequence[Row]) -> None:
    """Raise unless every session from the ticker's first to the last of 2014 is there once and can be true."""
    expected = list(load_xnys().between(Span(FIRSTS[ticker], LAST)).dates())
    assert [row.day for row in rows] == expected, f"{ticker}: the sessions differ from the calendar"
    check_possible(candles_of(rows))
    assert all(row.volume > 0 for row in rows), f"{ticker}: a session without a trade"


def candles_of(rows: Sequence[Row]) -> Candles:
    """Return ``rows`` as daily candles."""
    times = [midnight_utc(row.day.toordinal()) for row in rows]
    return Candles.from_columns(
        times,
        [row.open for row in rows],
        [row.high for row in rows],
        [row.low for row in rows],
        [row.close for row in rows],
        [row.volume for row in rows],
    )


def adjusted_error(rows: Sequence[Row], adjusted: dict[date, float]) -> float:
    """Return the greatest relative error of our fully adjusted closes on the days of ``adjusted``.

    One constant, for the actions after our last row, is taken out. It is the same for ``stocks`` and ``wiki``, so the
    comparison spans the year between them and proves its dividends too.
    """
    actions = Actions.from_rows((row.day.toordinal(), row.dividend, row.split, row.close) for row in rows)
    days = np.array([row.day.toordinal() for row in rows], np.int32)
    closes = adjust(candles_of(rows), days, actions, Adjustment.ALL).close
    ours = np.array([close for row, close in zip(rows, closes, strict=True) if row.day in adjusted])
    theirs = np.array(list(adjusted.values()))
    return float(np.max(np.abs(ours / ours[-1] / (theirs / theirs[-1]) - 1)))


def sample_text(rows: Iterable[Row]) -> str:
    """Return ``rows`` as CSV, every number as short as it can be written without loss."""
    lines = [",".join(COLUMNS)]
    for row in rows:
        prices = (row.open, row.high, row.low, row.close)
        numbers = (*prices, row.volume, row.dividend, row.split)
        lines.append(f"{row.day.isoformat()},{','.join(map(_shortest, numbers))}")
    return "\n".join(lines) + "\n"


def build(source: Path) -> dict[Path, str]:
    """Return the text of every file to ship, by path; print the evidence on the way."""
    texts = {}
    for ticker in FIRSTS:
        rows = join(source, ticker)
        check_rows(ticker, rows)
        dividends = sum(row.dividend > 0 for row in rows)
        splits = [f"{_shortest(row.split)}:1 on {row.day}" for row in rows if row.split != 1]
        print(f"{ticker}: {len(rows)} sessions, {dividends} dividends, splits: {', '.join(splits) or 'none'}")
        texts[SAMPLE_FOLDER / f"{ticker}.csv.gz"] = sample_text(rows)
    return texts | extracts(source)


def extracts(source: Path) -> dict[Path, str]:
    """Return the verification extracts: adjusted figures of the sources, copied digit by digit."""
    columns, days, lines = {}, [""], [""]
    for ticker in LONG_TICKERS:
        rows, columns[ticker] = read_stocks(source, ticker)
        days = [row.day.isoformat() for row in rows]
        adjusted = {row.day: float(text) for row, text in zip(rows, columns[ticker], strict=True)}
        if ticker in WIKI_LONG_TICKERS:
            rows, (header, *found) = read_wiki(source, ticker)
            lines = [header, *lines[1:], *found]
            closes = [float(line["adj_close"]) for line in csv.DictReader([header, *found])]
            adjusted |= {row.day: close for row, close in zip(rows, closes, strict=True)}
        error = adjusted_error(join(source, ticker), adjusted)
        print(f"{ticker}: {len(adjusted)} adjusted closes reproduced to {error:.1e}")
        assert error < ADJUSTED_ERROR_MAX
    table = [f"date,{','.join(columns)}", *map(",".join, zip(days, *columns.values(), strict=True))]
    return {
        EXTRACT_FOLDER / "wiki_adjusted_close_2000_2013.csv.gz": "\n".join([*table, ""]),
        EXTRACT_FOLDER / "wiki_raw_and_adjusted_2014.csv.gz": "\n".join([*lines, ""]),
    }


def compressed(text: str) -> bytes:
    """Return ``text`` as gzip without a time stamp or a name."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=buffer, mtime=0) as file:
        file.write(text.encode())
    return buffer.getvalue()


def main() -> int:
    """Build or check; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--from", dest="source", type=Path, required=True, metavar="DIR")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file differs")
    arguments = parser.parse_args()

    for name, expected in SOURCES.items():
        found = hashlib.sha256((arguments.source / name).read_bytes()).hexdigest()
        assert found == expected, f"{name} is not the file this was made from"
    status = 0
    for path, text in build(arguments.source).items():
        if path.exists() and gzip.decompress(path.read_bytes()).decode() == text:
            print(f"{path.name}: unchanged, {path.stat().st_size} bytes")
        elif arguments.check:
            print(f"{path.name}: stale")
            status = 1
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(compressed(text))
            print(f"{path.name}: written, {path.stat().st_size} bytes")
    return status


def _prices(line: dict[str, str]) -> tuple[float, float, float, float]:
    return float(line["open"]), float(line["high"]), float(line["low"]), float(line["close"])


def _cent(price: float) -> float:
    cents = round(price, 2)
    assert abs(price - cents) < CENT_DISTANCE_MAX, f"{price} is no price in cents"
    return cents


def _shortest(number: float) -> str:
    return str(int(number)) if number == int(number) else repr(number)


if __name__ == "__main__":
    sys.exit(main())
