"""``ohlcache backfill``: many tickers, a budget, and going on after anything."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ohlcache.cli.backfill_run import BackfillRun, Budget, Outcome
from ohlcache.cli.exit_codes import ExitCode
from ohlcache.domain.candles import Candles
from ohlcache.domain.errors import IncompleteData, StoreError
from ohlcache.domain.observation import VendorAnswer
from ohlcache.domain.resolution import Resolution
from ohlcache.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Ended
    from ohlcache.testing import FakeVendors
    from service.world import World

    Command = Callable[..., Ended]

EMPTY = VendorAnswer(Candles.empty())


def test_a_call_per_ticker(ohlcache: Command, vendors: FakeVendors, folder: Path) -> None:
    """Daily candles of any length cost one vendor call per ticker; a second run costs none."""
    listed = folder / "tickers.txt"
    listed.write_text("MSFT  # software\n\n# a comment\nbrk-b, IBM\nAAPL\n")
    first = ohlcache("backfill", "AAPL", "--file", str(listed))
    assert first.code == 0
    assert "4 of 4 tickers held whole" in first.out
    assert "4 vendor calls made" in first.out
    assert "BRK.B: 1260 of 1260 sessions held" in first.err
    assert len(vendors.calls) == 4
    assert "0 vendor calls made" in ohlcache("backfill", "AAPL", "--file", str(listed)).out
    assert "from sqlite" in ohlcache("get", "MSFT", "--range", "1Y").err


def test_within_a_budget(ohlcache: Command, vendors: FakeVendors) -> None:
    """The budget ends the run with 4; the same command goes on from there until everything is held."""
    words = ("backfill", "AAPL", "MSFT", "IBM", "--max-calls", "2")
    first = ohlcache(*words)
    assert first.code == ExitCode.QUOTA
    assert "2 of 3 tickers held whole" in first.out
    assert "1 tickers are not whole (1,260 sessions missing): the budget of vendor calls is used up." in first.out
    assert len(vendors.calls) == 2
    second = ohlcache(*words)
    assert second.code == 0
    assert len(vendors.calls) == 3


def test_a_budget_of_nothing_looks_only(ohlcache: Command, vendors: FakeVendors) -> None:
    """``--max-calls 0`` says what is missing and asks nobody."""
    ended = ohlcache("backfill", "AAPL", "--max-calls", "0")
    assert ended.code == ExitCode.QUOTA
    assert "1,260 sessions missing" in ended.out
    assert not vendors.calls


def test_intraday_in_steps(ohlcache: Command, vendors: FakeVendors) -> None:
    """Intraday spans are filled call by call, newest first, so a budget stops between two calls."""
    words = ("backfill", "AAPL", "--range", "6M", "--resolution", "1")
    ended = ohlcache(*words, "--max-calls", "3")
    assert ended.code == ExitCode.QUOTA
    assert len(vendors.calls) == 3
    assert ohlcache(*words).code == 0
    calls = len(vendors.calls)
    assert ohlcache(*words).code == 0
    assert len(vendors.calls) == calls


def test_one_bad_ticker_does_not_stop_the_others(ohlcache: Command, vendors: FakeVendors) -> None:
    """Failures are listed at the end and end with 1."""
    ended = ohlcache("backfill", "AAPL", "NOPE", "MSFT")
    assert ended.code == ExitCode.FAILED
    assert "2 of 3 tickers held whole" in ended.out
    assert "NOPE: " in ended.out


def test_a_call_that_fails_is_a_call(ohlcache: Command, vendors: FakeVendors) -> None:
    """A budget holds whatever the vendor answers, and what failed is counted."""
    ended = ohlcache("backfill", *(f"NOPE{number}" for number in range(9)), "--max-calls", "3")
    assert len(vendors.calls) == 3
    assert "3 vendor calls made" in ended.out
    assert "0 of 9 tickers held whole" in ended.out


@pytest.mark.asyncio
async def test_before_the_vendors_history_is_no_fault_of_the_store(cache: Callable[..., World]) -> None:
    """A ticker whose minutes do not go back so far is told so, and the others are filled."""
    world = cache()
    world.vendor.tells_listings = False
    world.vendor.after = lambda answer: (
        answer if len(answer.candles) == len(answer.actions) == 0 or answer.candles.time[0] % 86_400 == 0 else EMPTY
    )
    run = BackfillRun(world.first.cache, Budget(), tell=lambda _: None, say=lambda _: None)
    span = world.first.request("AAPL", range="1M").span
    await world.clock.drive(run.fill(["AAPL", "MSFT"], Resolution.HOUR, span))
    assert run.stopped_by is None
    for report in run.reports:
        assert report.outcome is Outcome.FAILED
        assert isinstance(report.error, IncompleteData)
        assert "history" in report.error.hint
    assert await world.store.tickers() == ["AAPL", "MSFT"]


def test_only_bad_tickers(ohlcache: Command, vendors: FakeVendors) -> None:
    """When all fail in the same way, the exit code says in which."""
    assert ohlcache("backfill", "NOPE").code == ExitCode.NOT_FOUND


def test_a_used_up_quota_stops(ohlcache: Command, vendors: FakeVendors) -> None:
    """The vendor's 429 ends the run with 4, says when to go on, and is not asked again."""
    vendors.tiingo.faults.then(None, (Fault.TOO_MANY, 1800))
    ended = ohlcache("backfill", "AAPL", "MSFT", "IBM")
    assert ended.code == ExitCode.QUOTA
    assert "Worth another try in 30 minutes." in ended.out
    assert "The same command goes on from here." in ended.out
    assert len(vendors.calls) == 2


def test_a_refused_key_stops(ohlcache: Command, vendors: FakeVendors) -> None:
    """A key that is refused will be refused for every ticker."""
    vendors.tiingo.faults.set(Fault.UNAUTHORIZED)
    ended = ohlcache("backfill", "AAPL", "MSFT", "IBM")
    assert ended.code == ExitCode.VENDOR
    assert "invented-key" not in ended.out + ended.err


def test_a_vendor_that_is_down_stops(ohlcache: Command, vendors: FakeVendors) -> None:
    """After three tickers in a row for which the vendor was down, the rest is not tried."""
    vendors.tiingo.faults.set(Fault.SERVER_ERROR)
    ended = ohlcache("backfill", "AAPL", "MSFT", "IBM", "SPY", "META", "F")
    assert ended.code == ExitCode.VENDOR
    assert "3 tickers are not whole" in ended.out


@pytest.mark.asyncio
async def test_a_store_that_keeps_nothing_stops(cache: Callable[..., World]) -> None:
    """When the store keeps nothing, every further ticker would only cost vendor calls."""
    world = cache()
    world.first.store.failing = frozenset({"write"})
    run = BackfillRun(world.first.cache, Budget(), tell=lambda _: None, say=lambda _: None)
    span = world.first.request("AAPL", range="1Y").span
    await world.clock.drive(run.fill(["AAPL", "MSFT", "IBM"], Resolution.DAY, span))
    assert isinstance(run.stopped_by, StoreError)
    assert [report.outcome for report in run.reports] == [Outcome.FAILED, Outcome.STOPPED, Outcome.STOPPED]
    assert world.calls == 1


def test_a_store_that_forgets(ohlcache: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Filling a store that forgets everything at the end is refused."""
    monkeypatch.setenv("OHLCACHE_STORE", "memory")
    ended = ohlcache("backfill", "AAPL")
    assert ended.code == ExitCode.USAGE
    assert "OHLCACHE_STORE" in ended.err


def test_ctrl_c_keeps_what_was_fetched(vendors: FakeVendors, ohlcache: Command) -> None:
    """Ctrl-C ends with 130 and a summary; what was fetched before is not fetched again."""
    vendors.tiingo.faults.then(None, Fault.HANG)
    command = [sys.executable, "-m", "ohlcache.cli.main", "backfill", "AAPL", "MSFT"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        while len(vendors.calls) < 2:
            assert running.poll() is None
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
    assert running.returncode == ExitCode.INTERRUPTED
    assert "1 of 2 tickers held whole" in out
    assert "interrupted" in err
    vendors.tiingo.faults.always.clear()
    assert ohlcache("backfill", "AAPL", "MSFT").code == 0
    assert [call.ticker for call in vendors.calls].count("AAPL") == 1


def test_tickers_from_standard_input(ohlcache: Command, vendors: FakeVendors, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--file -`` reads what another command writes."""
    monkeypatch.setattr("sys.stdin", io.StringIO("AAPL\nMSFT\n"))
    assert ohlcache("backfill", "--file", "-", "--range", "1Y").code == 0
    assert [call.ticker for call in vendors.calls] == ["AAPL", "MSFT"]


def test_a_terminal_gets_a_bar(ohlcache: Command, vendors: FakeVendors, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the way is shown by bars, and the lines per ticker are left out."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    ended = ohlcache("backfill", "AAPL", "MSFT")
    assert "2/2" in ended.err
    assert "1260/1260" in ended.err
    assert "sessions held" not in ended.err


@pytest.mark.asyncio
async def test_the_pace(cache: Callable[..., World]) -> None:
    """With 60 calls an hour, a call is made every minute."""
    world = cache()
    started = world.clock.now()
    run = BackfillRun(world.first.cache, Budget(calls_per_hour=60), tell=lambda _: None, say=lambda _: None)
    span = world.first.request("AAPL", range="1Y").span
    await world.clock.drive(run.fill(["AAPL", "MSFT", "IBM"], Resolution.DAY, span))
    assert [call.instant - started for call in world.vendor.calls] == [0, 60, 120]
    assert [report.outcome for report in run.reports] == [Outcome.HELD] * 3


@pytest.mark.asyncio
async def test_waiting_for_the_quota(cache: Callable[..., World]) -> None:
    """With ``--wait`` a used-up quota is waited for as long as the vendor says."""
    world = cache()
    said: list[str] = []
    world.vendor.faults.then((Fault.TOO_MANY, 1800), None)
    run = BackfillRun(world.first.cache, Budget(waits_for_quota=True), tell=lambda _: None, say=said.append)
    started = world.clock.now()
    await world.clock.drive(run.fill(["AAPL"], Resolution.DAY, world.first.request("AAPL", range="1Y").span))
    assert world.clock.now() - started >= 1800
    assert run.reports[0].outcome is Outcome.HELD
    assert said == ["The vendor's allowance is used up; going on in 30 minutes."]
