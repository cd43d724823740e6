"""``ohlcache get``: what it writes, and where."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from ohlcache.cli.exit_codes import ExitCode
from ohlcache.cli.get import _age
from ohlcache.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Ended
    from ohlcache.testing import FakeVendors

    Command = Callable[..., Ended]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let standard output be a terminal."""
    monkeypatch.setattr("ohlcache.cli.get._is_terminal", lambda: True)


def test_a_pipe_gets_csv(ohlcache: Command) -> None:
    """Without a terminal the candles are CSV on standard output, and nothing else is."""
    ended = ohlcache("get", "aapl", "--range", "1W")
    rows = list(csv.DictReader(io.StringIO(ended.out)))
    assert [row["date"] for row in rows] == ["2014-12-24", "2014-12-26", "2014-12-29", "2014-12-30", "2014-12-31"]
    assert rows[-1]["close"] == "110.38"


def test_where_candles_came_from_is_told_apart(ohlcache: Command) -> None:
    """Provenance goes to standard error: the vendor first, then the store (T7)."""
    first, second = ohlcache("get", "AAPL"), ohlcache("get", "AAPL")
    assert "22 candles, complete; adjusted for splits; from sample; " in first.err
    assert "from sqlite (sample); " in second.err
    assert "data ends 2014-12-31" in first.err
    assert first.out == second.out
    assert ohlcache("get", "AAPL", "-q").err == ""


def test_json(ohlcache: Command) -> None:
    """JSON is the document of the HTTP API."""
    ended = ohlcache("get", "MSFT", "--start", "2014-06-02", "--end", "2014-06-03", "--json", "--adjust", "none")
    document = json.loads(ended.out)
    assert (document["ticker"], document["count"], document["adjustment"]) == ("MSFT", 2, "none")
    assert "not adjusted" in ended.err


@pytest.mark.usefixtures("terminal")
def test_a_narrow_terminal_gets_every_digit(ohlcache: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table wider than the terminal keeps its numbers whole: a price cut off is another price."""
    monkeypatch.setenv("COLUMNS", "30")
    shown = ohlcache("get", "AAPL", "--range", "1D").out
    for part in ("2014-12-31", "112.82", "113.13", "110.21", "110.38", "41,403,351"):
        assert part in shown


@pytest.mark.usefixtures("terminal")
def test_a_terminal_gets_a_table(ohlcache: Command) -> None:
    """A table shows the newest candles, and says how many it leaves out."""
    ended = ohlcache("get", "AAPL", "--range", "1Y")
    assert "2014-12-31" in ended.out
    assert "41,403,351" in ended.out
    assert "2014-01-02" not in ended.out
    assert "213 earlier candles are left out" in ended.out
    assert "2014-01-02" in ohlcache("get", "AAPL", "--range", "1Y", "--all").out
    assert "2014-12-31 20:30Z" in ohlcache("get", "AAPL", "--range", "1D", "--resolution", "30").out


def test_parquet(ohlcache: Command, folder: Path) -> None:
    """Parquet goes to a file; standard output stays empty."""
    ended = ohlcache("get", "IBM", "--range", "1M", "--parquet", str(folder / "ibm.parquet"))
    assert (ended.code, ended.out) == (0, "")
    assert pq.read_table(folder / "ibm.parquet").num_rows == 22


def test_a_missing_extra(ohlcache: Command, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyarrow the hint is the command that installs it."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    ended = ohlcache("get", "IBM", "--parquet", str(folder / "ibm.parquet"))
    assert ended.code == 1
    assert "hint: pip install 'ohlcache[arrow]'" in ended.err


def test_synthetic_and_forming_are_said(
    ohlcache: Command, vendors: FakeVendors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Candles that still form, or that are derived, are announced as such."""
    monkeypatch.setenv("OHLCACHE_CLOCK", "2024-06-03T15:00:00Z")
    assert "still forming" in ohlcache("get", "AAPL", "--range", "1D", "--resolution", "5").err
    monkeypatch.setenv("OHLCACHE_SOURCE", "sample")
    assert "; synthetic" in ohlcache("get", "AAPL", "--range", "1D", "--resolution", "5").err


def test_as_a_process() -> None:
    """The installed command does the same."""
    command = [sys.executable, "-m", "ohlcache.cli.main", "get", "ZEN", "--range", "1D"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[1].startswith("2014-12-31,")


@pytest.mark.parametrize(("seconds", "shown"), [(5, "5 s"), (90, "2 min"), (7200, "2 h"), (200_000, "2 d")])
def test_ages_for_people(seconds: float, shown: str) -> None:
    assert _age(seconds) == shown


def test_what_is_held_is_given_when_the_vendor_refuses(
    ohlcache: Command, vendors: FakeVendors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W1: the candles go to standard output; why they are old, and what lacks, to standard error; the exit code is 6."""
    ohlcache("get", "AAPL", "--range", "1M", "--adjust", "none")
    monkeypatch.setenv("OHLCACHE_CLOCK", "2024-06-05T01:00:00Z")
    vendors.tiingo.faults.set(Fault.TOO_MANY)
    for words in ((), ("--partial",), ("--quiet",)):
        ended = ohlcache("get", "AAPL", "--range", "1M", "--adjust", "none", *words)
        assert ended.code == ExitCode.INCOMPLETE == 6
        assert ended.out.splitlines()[-1].startswith("2024-06-03,")
        assert "STALE: The hourly allowance of the Tiingo key is used up. Missing: 2024-06-04" in ended.err
    assert ohlcache("get", "IBM", "--range", "1M").code == ExitCode.QUOTA
