"""How many bytes a candle takes, and how long chunks take to encode and to decode.

``python benchmarks/codec.py [FILE.csv[.gz] ...]`` measures each file (columns date, open, high, low, close, volume in
any case and order; bars labelled by their start in UTC, candles outside sessions dropped), or without a file the
sample data of the package. Times are the best of several rounds, per chunk, digest check included.
"""

from __future__ import annotations

import csv
import gzip
import sys
import timeit
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import ohlcache
from ohlcache.adapters.calendar import load_xnys
from ohlcache.adapters.chunk_codec import decode, encode
from ohlcache.domain.candles import Candles
from ohlcache.domain.chunks import Chunk, cut
from ohlcache.domain.coverage import merge
from ohlcache.domain.market_time import market_date
from ohlcache.domain.observation import VendorAnswer, observe
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.series import Series
from ohlcache.domain.span import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ohlcache.domain.sessions import SessionTable

SAMPLE = Path(ohlcache.__file__).parent / "data" / "sample"
ROUNDS = 7
OBSERVED_AT = 1_790_000_000
COLUMNS = ("open", "high", "low", "close", "volume")


def main(files: Sequence[Path]) -> None:
    """Print one line for each file, and how long a year of 5-minute candles takes."""
    calendar = load_xnys()
    print(f"{'file':34} {'res':>3} {'chunks':>6} {'candles':>8} {'B/candle':>8} {'encode µs':>10} {'decode µs':>10}")
    for file in files:
        chunks = chunks_of(file, calendar)
        payloads = [encode(chunk) for chunk in chunks]
        candles = sum(len(chunk.holding.candles) for chunk in chunks)
        line = f"{file.name:34} {chunks[0].series.resolution:>3} {len(chunks):6} {candles:8}"
        encoding = seconds(lambda chunks=chunks: [encode(chunk) for chunk in chunks]) / len(chunks)
        decoding = seconds(lambda chunks=chunks, payloads=payloads: decode_all(chunks, payloads)) / len(chunks)
        size = sum(map(len, payloads)) / candles
        print(f"{line} {size:8.2f} {encoding * 1e6:10.0f} {decoding * 1e6:10.0f}")
    year = year_of_five_minutes(calendar)
    payloads = [encode(chunk) for chunk in year]
    candles = sum(len(chunk.holding.candles) for chunk in year)
    decoding = seconds(lambda: decode_all(year, payloads))
    print(
        f"a made-up year of 5-minute candles: {len(year)} chunks, {candles} candles: {decoding * 1e3:.2f} ms to decode"
    )


def chunks_of(file: Path, calendar: SessionTable) -> list[Chunk]:
    """Return the candles of a CSV file as the chunks they would be stored in."""
    with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as lines:
        rows = [{key.lower(): value for key, value in row.items()} for row in csv.DictReader(lines)]
    if "ticker" in rows[0]:
        rows = [row for row in rows if row["ticker"] == rows[0]["ticker"]]
    instants = [datetime.fromisoformat(row["date"]) for row in rows]
    times = np.array([(at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() for at in instants], np.int64)
    order = np.argsort(times)
    values = (np.array([float(row[column]) for row in rows])[order] for column in COLUMNS)
    candles = Candles.from_columns(times[order], *values)
    step = int(np.median(np.diff(candles.time)))
    resolution = Resolution.DAY if step >= Resolution.DAY.seconds else Resolution(str(step // 60))
    return chunks_from(Series(file.name.split(".")[0][:12].upper(), "file", resolution), candles, calendar)


def chunks_from(series: Series, candles: Candles, calendar: SessionTable) -> list[Chunk]:
    """Return ``candles`` as the chunks they would be stored in, seen long after they were final."""
    first, last = (
        date.fromordinal(date(1970, 1, 1).toordinal() + int(at) // 86_400)
        if series.resolution.is_daily
        else market_date(float(at))
        for at in candles.time[[0, -1]]
    )
    holding = observe(
        VendorAnswer(candles),
        Span(first, last),
        series.resolution,
        calendar=calendar,
        asked_as_of=OBSERVED_AT,
        observed_at=OBSERVED_AT,
        listed_before=True,
    )
    return cut(series, merge([holding]))


def year_of_five_minutes(calendar: SessionTable) -> list[Chunk]:
    """Return 252 full sessions of a random walk in cents."""
    sessions = calendar.between(Span(date(2023, 1, 1), date(2024, 1, 31)))[:252]
    times = sessions.candle_opens(Resolution.MINUTES_5)
    random = np.random.default_rng(7)
    close = 17_000 + np.cumsum(np.rint(random.normal(0, 18, len(times))))
    opened = np.concatenate([[17_000], close[:-1]]) + np.rint(random.normal(0, 1.5, len(times)))
    high = np.maximum(opened, close) + np.rint(random.exponential(9, len(times)))
    low = np.minimum(opened, close) - np.rint(random.exponential(9, len(times)))
    volume = random.lognormal(13, 0.6, len(times)).astype(np.int64)
    candles = Candles(times, *(column / 100 for column in (opened, high, low, close)), volume)
    return chunks_from(Series("WALK", "file", Resolution.MINUTES_5), candles, calendar)


def decode_all(chunks: Sequence[Chunk], payloads: Sequence[bytes]) -> None:
    """Decode every payload."""
    for chunk, payload in zip(chunks, payloads, strict=True):
        decode(chunk.series, chunk.name, payload)


def seconds(work: object) -> float:
    """Return how long one call takes at best."""
    timer = timeit.Timer("work()", globals={"work": work})
    loops, _ = timer.autorange()
    return min(timer.repeat(ROUNDS, max(loops // ROUNDS, 1))) / max(loops // ROUNDS, 1)


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]] or sorted(SAMPLE.glob("*.csv.gz")))
