"""``coverage``, ``invalidate``, ``stats`` and ``vacuum``: what is held, and clearing it."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

import pytest

from ohlcache.cli.calendar_drawing import SIGNS, calendar_lines
from ohlcache.cli.exit_codes import ExitCode
from ohlcache.cli.stats import size
from ohlcache.domain.coverage import SessionState
from ohlcache.service.reports import SessionReport

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.conftest import Ended
    from ohlcache.testing import FakeVendors

    Command = Callable[..., Ended]


def test_coverage_is_a_calendar(ohlcache: Command) -> None:
    """A line per month, a block per week; days without a session stay blank, and the legend says what is what."""
    ohlcache("get", "ZEN", "--range", "1Y")
    ended = ohlcache("coverage", "ZEN")
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert lines[0] == "ZEN D (sample)"
    assert "2014 May     -- ----- ---██ █████  ████" in lines
    assert "2014 Nov  █████ █████ █████ ███ █" in lines
    assert "█    160 held, final" in lines
    assert "160 candles in 253 sessions" in lines


def test_coverage_of_nothing(ohlcache: Command) -> None:
    """What is not held is missing, and no vendor is asked for it; a weekend has no session."""
    assert "!    253 due and missing" in ohlcache("coverage", "AAPL").out
    assert (
        "No session in this span." in ohlcache("coverage", "AAPL", "--start", "2014-06-07", "--end", "2014-06-08").out
    )


def test_coverage_as_json(ohlcache: Command, vendors: FakeVendors) -> None:
    """JSON is the document of the HTTP API."""
    ohlcache("get", "brk-b", "--range", "1W")
    document = json.loads(ohlcache("coverage", "brk-b", "--range", "1W", "--json").out)
    assert (document["ticker"], document["resolution"], document["source"]) == ("BRK.B", "D", "tiingo")
    assert document["sessions"][-1]["date"] == "2024-06-03"
    assert document["sessions"][-1]["state"] == "final"
    assert document["sessions"][-1]["observed_at"].startswith("2024-06-04T01:00:")


def test_every_state_has_its_sign() -> None:
    """Whatever the engine can say of a session can be drawn, also where only ASCII can be."""
    states = {state.name.lower().replace("_", "-") for state in SessionState} | {"missing", "not-due"}
    assert set(SIGNS) == states
    for signs in ([sign.drawn for sign in SIGNS.values()], [sign.ascii for sign in SIGNS.values()]):
        assert len(set(signs)) == len(signs)
    reports = [SessionReport(date(2024, 6, 3), "final", 1, 0.0), SessionReport(date(2024, 6, 4), "missing", 0, None)]
    (line,) = calendar_lines(reports, plain=True)
    assert line.plain == "2024 Jun  #!"


def test_invalidate(ohlcache: Command, vendors: FakeVendors) -> None:
    """After an invalidation the vendor is asked again; a wrong ticker among several clears none (T4)."""
    ohlcache("get", "AAPL")
    assert ohlcache("invalidate", "AAPL", "no ticker").code == ExitCode.USAGE
    assert "from sqlite" in ohlcache("get", "AAPL").err
    ended = ohlcache("invalidate", "aapl", "MSFT")
    assert ended.code == 0
    assert "MSFT: 0 stored chunks removed" in ended.out
    assert "from tiingo" in ohlcache("get", "AAPL").err
    assert len(vendors.calls) == 2


def test_stats(ohlcache: Command) -> None:
    """The store's size is shown in all and by series."""
    assert "0 tickers, 0 candles" in ohlcache("stats").out
    ohlcache("get", "AAPL", "--range", "1Y")
    ohlcache("get", "AAPL", "--range", "1W", "--resolution", "5")
    shown = ohlcache("stats").out
    assert "1 tickers, " in shown
    assert "bytes a candle" in shown
    document = json.loads(ohlcache("stats", "--json").out)
    assert document["tickers"] == ["AAPL"]
    assert {entry["resolution"] for entry in document["series"]} == {"D", "5"}
    assert document["totals"]["candles"] == sum(entry["candles"] for entry in document["series"])


def test_stats_of_a_store_without_sizes(ohlcache: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that cannot tell sizes by series says what it can."""
    monkeypatch.setenv("OHLCACHE_STORE", "memory")
    assert "memory: this process's memory" in ohlcache("stats").out
    assert json.loads(ohlcache("stats", "--json").out)["series"] is None


def test_vacuum(ohlcache: Command, vendors: FakeVendors, monkeypatch: pytest.MonkeyPatch) -> None:
    """Vacuum drops what has expired and says what it gave back."""
    ohlcache("get", "AAPL", "--range", "5Y")
    monkeypatch.setenv("OHLCACHE_CLOCK", "2024-12-01T00:00:00Z")
    ended = ohlcache("vacuum")
    assert ended.code == 0
    assert " before, " in ended.out
    assert "0 expired chunks dropped" not in ended.out
    assert "0 tickers, " in ohlcache("stats").out


def test_vacuum_is_for_files(ohlcache: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OHLCACHE_STORE", "memory")
    assert ohlcache("vacuum").code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 * 2**30, "5.0 GiB"), (2**41, "2.0 TiB")]
)
def test_sizes_for_people(count: int, shown: str) -> None:
    assert size(count) == shown
