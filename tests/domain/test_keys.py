"""Keys are a contract: what they look like never changes by accident."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.strategies import CALENDAR, dates, resolutions
from ohlcache.domain.chunks import ChunkName
from ohlcache.domain.errors import InvalidRequest
from ohlcache.domain.request import CUSTOM, CandleRequest, Range, parse_cache_key
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.series import Series
from ohlcache.domain.span import Span
from ohlcache.testing.clock import instant_of

GOLDEN = Path(__file__).with_name("golden_keys.txt")
TODAY = instant_of("2026-02-04T15:00:00Z")

tickers = st.from_regex(r"[A-Z0-9][A-Z0-9.]{0,11}\Z", fullmatch=True)


def asked(ticker: str = "AAPL", as_of: float = TODAY, **wishes: Any) -> CandleRequest:
    return CandleRequest.parse(ticker, calendar=CALENDAR, as_of=as_of, **wishes)


def golden_lines() -> list[str]:
    """Return one line per combination: every range and resolution, class shares, custom spans, chunk names."""
    lines = []
    for ticker in ("AAPL", "brk-b", "F"):
        for resolution in Resolution:
            wishes: list[dict[str, Any]] = [{"range": name.value} for name in Range]
            wishes.append({"start_date": "2026-01-02", "end_date": "2026-02-03"})
            if resolution in (Resolution.MINUTE, Resolution.MINUTES_5):
                wishes = [wish for wish in wishes if wish.get("range") != "5Y"]
            for wish in wishes:
                request = asked(ticker, resolution=resolution.value, **wish)
                lines.append(f"{request.cache_key} {request.lock_key}")
    lines.extend(
        f"{Series(ticker, source, Resolution.DAY)} {ChunkName(Resolution.DAY, date(2026, 1, 2), 'c0' * 8, forming)}"
        for ticker, source, forming in (("AAPL", "tiingo", False), ("BRK.B", "finnhub", True))
    )
    return lines


def test_the_format_is_the_golden_file() -> None:
    """A10: keys are what they were; whoever changes the file on purpose writes a changelog entry."""
    assert golden_lines() == GOLDEN.read_text().splitlines()


def test_the_date_anchor_is_in_the_key() -> None:
    """A1: a key ends with the market date of the end of its span, so tomorrow asks for another one."""
    assert asked(range="1W").cache_key == "ohlc:AAPL:D:1W:2026-02-04"
    assert asked(range="1W", as_of=TODAY + 86_400).cache_key == "ohlc:AAPL:D:1W:2026-02-05"


@given(resolutions, resolutions)
def test_resolutions_are_apart(one: Resolution, other: Resolution) -> None:
    """A2: two resolutions never share a key."""
    keys = [asked(range="1W", resolution=r.value).cache_key for r in (one, other)]
    assert (keys[0] == keys[1]) == (one is other)


@given(tickers)
def test_case_does_not_matter(ticker: str) -> None:
    """A3: lower case, upper case and blanks around are one ticker."""
    assert asked(ticker.lower()).cache_key == asked(f"  {ticker} ").cache_key == asked(ticker).cache_key


@pytest.mark.parametrize("written", ["ß", "ﬁ", "ſ", "ı"])  # noqa: RUF001 - that they look alike is the point
def test_foreign_letters_are_nobody_s_ticker(written: str) -> None:
    """A3: letters whose upper case happens to be ASCII (SS, FI, S, I) are refused, not answered with another company."""
    with pytest.raises(InvalidRequest, match="is not a ticker"):
        asked(written)


def test_a_custom_range_has_both_dates() -> None:
    """A4: two custom spans that end alike have different keys."""
    one = asked(start_date="2026-01-02", end_date="2026-02-03")
    assert one.cache_key == "ohlc:AAPL:D:custom:2026-01-02:2026-02-03"
    assert one.cache_key != asked(start_date="2026-01-05", end_date="2026-02-03").cache_key


def test_the_lock_is_as_fine_as_the_key() -> None:
    """A5: 1W never blocks 1M."""
    assert asked(range="1W").lock_key == "LOCK#AAPL#D#1W#2026-02-04"
    assert asked(range="1W").lock_key != asked(range="1M").lock_key


@given(tickers, resolutions, st.sampled_from([*Range, CUSTOM]), dates, dates)
def test_a_key_survives_its_parser(ticker: str, resolution: Resolution, name: str, one: date, other: date) -> None:
    """A6: a cache key taken apart names the request it came from; no two requests share a lock unless they share a key."""
    span = Span(min(one, other), max(one, other))
    request = CandleRequest(ticker, resolution, name, span)
    parts = parse_cache_key(request.cache_key)
    assert (parts.ticker, parts.resolution, parts.range, parts.end) == (ticker, resolution, name, span.end)
    assert parts.start == (span.start if name == CUSTOM else None)
    assert request.lock_key.split("#")[1:] == request.cache_key.split(":")[1:]


@pytest.mark.parametrize("key", ["", "ohlc", "ohlc:AAPL:D:1W", "x:AAPL:D:1W:2026-02-04", "ohlc:AAPL:5m:1W:2026-02-04"])
def test_what_is_no_key_is_refused(key: str) -> None:
    """K3: a key with an unknown resolution, a missing date or a foreign prefix is not one."""
    with pytest.raises(ValueError, match=r"not|values|enough|unpack"):
        parse_cache_key(key)


@pytest.mark.parametrize("written", ["BRK.B", "brk.b", "BRK-B", " brk-b "])
def test_class_shares_have_one_key(written: str) -> None:
    """A7, G4, G5: `BRK.B` and `BRK-B` are the same ticker, written with the dot."""
    assert asked(written).cache_key.split(":")[1] == "BRK.B"


def test_the_longest_key_is_short() -> None:
    """A8: the longest ticker with the longest range stays below 64 bytes."""
    longest = asked("ABCDEFGHIJKL", resolution="60", start_date="2026-01-02", end_date="2026-02-03")
    assert len(longest.cache_key.encode()) < 64
    assert len(longest.lock_key.encode()) < 64


def test_a_cold_start_makes_the_same_keys() -> None:
    """A9: another process, with another hash seed and another time zone, makes the same keys."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from domain.test_keys import golden_lines; print('\\n'.join(golden_lines()))"
    )
    tests = str(Path(__file__).parents[1])
    for seed, zone in (("1", "Pacific/Kiritimati"), ("2", "America/Los_Angeles")):
        fresh = subprocess.run(
            [sys.executable, "-c", code, tests],
            env={"PYTHONHASHSEED": seed, "TZ": zone},
            capture_output=True,
            text=True,
            check=True,
        )
        assert fresh.stdout.splitlines() == golden_lines()


@given(tickers, resolutions, dates, st.booleans())
def test_chunk_names_survive_their_parser(ticker: str, resolution: Resolution, day: date, forming: bool) -> None:
    """A6: a chunk's sort key taken apart is the name again, and sorts by resolution and date."""
    name = ChunkName(resolution, day, "0123456789abcdef", forming)
    assert ChunkName.parse(str(name)) == name
    assert str(name).startswith(f"{resolution}#{day.isoformat()}#")


def test_keys_hold_nothing_private() -> None:
    """K5, S2: a key is made of ticker, resolution, range and dates, and of nothing else."""
    shape = re.compile(r"ohlc:[A-Z0-9.\-]{1,12}:(1|5|15|30|60|D):(\d[DWMY]|YTD|custom)(:\d{4}-\d\d-\d\d){1,2}")
    assert all(shape.fullmatch(line.split()[0]) for line in GOLDEN.read_text().splitlines() if line.startswith("ohlc"))
