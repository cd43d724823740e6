"""The command as a whole: help, errors, exit codes, and how it behaves in a pipe."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ohlcache import __version__
from ohlcache.cli.exit_codes import ExitCode
from ohlcache.cli.main import COMMANDS
from ohlcache.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cli.conftest import Ended
    from ohlcache.testing import FakeVendors

    Command = Callable[..., Ended]

HEAVY = ("numpy", "pydantic", "aiohttp", "msgspec", "sqlite3", "uvicorn", "starlette", "boto3", "pandas", "pyarrow")
OHLCACHE = [sys.executable, "-m", "ohlcache.cli.main"]


def test_help_names_every_command(ohlcache: Command) -> None:
    """``--help`` and no words at all show the commands."""
    shown = ohlcache("--help")
    assert shown.code == 0
    for command in COMMANDS:
        assert command.replace("_", "-") in shown.out


def test_help_is_light(unmeasured: Mapping[str, str]) -> None:
    """``--help`` imports nothing that a command needs only when it runs, and so is fast."""
    script = (
        "import sys; from ohlcache.cli.main import main; main(['--help']);"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", script], env=unmeasured, capture_output=True, text=True, check=True)
    assert ended.stderr == "[]\n"


def test_version(ohlcache: Command) -> None:
    assert ohlcache("--version").out == f"ohlcache {__version__}\n"


def test_completion(ohlcache: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The shell can complete commands."""
    monkeypatch.setenv("_OHLCACHE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "ohlcache cov")
    monkeypatch.setenv("COMP_CWORD", "1")
    with pytest.raises(SystemExit, match="0"):
        ohlcache()
    assert "coverage" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["gat", "AAPL"], "No such command"),
        (["get"], "Missing argument"),
        (["get", "AAPL", "--colour"], "No such option"),
        (["get", "AAPL", "--range", "9Y"], "hint: Use one of 1D, 1W"),
        (["get", "AAPL", "--range", "9Y"], "--range 1M, or --start 2024-01-02 --end 2024-03-28"),
        (["get", "AAPL", "--start", "2099-01-01"], "hint: Use --start 2014-12-31 or earlier"),
        (["get", "not a ticker"], "error: 'not a ticker' is not a ticker."),
        (["get", "AAPL", "--resolution", "5m"], "--resolution D"),
        (["get", "AAPL", "--csv", "--json"], "Choose one of"),
        (["get", "AAPL", "--parquet", "/nowhere/at/all.parquet"], "cannot be written"),
        (["coverage", "AAPL", "--resolution", "7"], "1, 5, 15, 30, 60, D"),
        (["backfill"], "No ticker to fill"),
        (["backfill", "--file", "/nowhere/tickers.txt"], "cannot be read"),
        (["fake-vendor", "--clock", "noon"], "not an ISO instant"),
    ],
)
def test_bad_usage(ohlcache: Command, words: list[str], said: str) -> None:
    """What was written wrongly ends with 2 and a hint in the words of the command line; no traceback."""
    ended = ohlcache(*words)
    assert ended.code == ExitCode.USAGE
    assert said in ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""


def test_an_unknown_ticker(ohlcache: Command) -> None:
    """Unknown tickers end with 3 (E20)."""
    ended = ohlcache("get", "NOPE")
    assert ended.code == ExitCode.NOT_FOUND
    assert ended.err.startswith("error: NOPE")


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.TOO_MANY, ExitCode.QUOTA),
        (Fault.QUOTA_TEXT, ExitCode.QUOTA),
        (Fault.SERVER_ERROR, ExitCode.VENDOR),
        (Fault.UNAUTHORIZED, ExitCode.VENDOR),
        (Fault.CUT_JSON, ExitCode.VENDOR),
        (Fault.FORBIDDEN, ExitCode.FAILED),
    ],
)
def test_a_vendor_that_fails(ohlcache: Command, vendors: FakeVendors, fault: Fault, code: ExitCode) -> None:
    """Each way of failing has its exit code, a sentence and a hint; the key is never shown (S1)."""
    vendors.tiingo.faults.set(fault)
    ended = ohlcache("get", "AAPL")
    assert ended.code == code
    assert "error: " in ended.err
    assert "hint: " in ended.err
    assert "Traceback" not in ended.err
    assert "invented-key" not in ended.err


@pytest.mark.parametrize(
    ("seconds", "told"), [(90, "Worth another try in 2 minutes."), (1800, "Worth another try in 30 minutes.")]
)
def test_a_used_up_quota_says_how_long(ohlcache: Command, vendors: FakeVendors, seconds: int, told: str) -> None:
    """In minutes: a person at a terminal sees no header."""
    vendors.tiingo.faults.set(Fault.TOO_MANY, seconds)
    assert told in ohlcache("get", "AAPL").err


def test_settings_that_cannot_work(ohlcache: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong setting ends with 2 and names the variable (E24)."""
    monkeypatch.setenv("OHLCACHE_STORE", "dynamodb")
    ended = ohlcache("get", "AAPL")
    assert ended.code == ExitCode.USAGE
    assert "OHLC_CACHE_TABLE is not set" in ended.err


def test_debug_shows_the_traceback(ohlcache: Command) -> None:
    """``--debug`` is for those who want to see where it came from."""
    ended = ohlcache("--debug", "get", "NOPE")
    assert ended.code == ExitCode.NOT_FOUND
    assert "Traceback" in ended.err


def test_a_bug_is_a_sentence_too(ohlcache: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even what nobody thought of does not end in a traceback."""

    def broken() -> None:
        raise ZeroDivisionError("by design")

    monkeypatch.setattr("ohlcache.cli.running.command_settings", broken)
    ended = ohlcache("stats")
    assert ended.code == ExitCode.FAILED
    assert "error: ZeroDivisionError: by design" in ended.err
    assert "Traceback" not in ended.err


def test_a_reader_that_leaves() -> None:
    """``ohlcache get … | head -1`` ends quietly, though the pipe breaks."""
    command = f"set -o pipefail; {' '.join(OHLCACHE)} get AAPL --range 5Y --resolution 60 --csv -q | head -1"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "date,open,high,low,close,volume\n", "")


def test_an_output_without_room(ohlcache: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """``ohlcache … > file`` on a full disk says that it is the output, and not a bug."""

    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("ohlcache.cli.running.command_settings", full)
    ended = ohlcache("stats")
    assert ended.code == ExitCode.FAILED
    assert ended.err.startswith("error: The output cannot be written: the disk is full.\nhint: ")


def test_a_terminal_of_letters_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only ASCII can be shown, the calendar is drawn in ASCII, and nothing fails."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    ended = subprocess.run([*OHLCACHE, "coverage", "AAPL"], capture_output=True, text=True, check=True)
    assert "!    253 due and missing" in ended.stdout
    assert subprocess.run([*OHLCACHE, "--help"], capture_output=True, text=True, check=True).stderr == ""


def test_ctrl_c(vendors: FakeVendors) -> None:
    """Ctrl-C ends with 130 and one word."""
    vendors.tiingo.faults.set(Fault.HANG)
    with subprocess.Popen(
        [*OHLCACHE, "get", "AAPL"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        while not vendors.calls:
            assert running.poll() is None
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
    assert (running.returncode, out, err) == (ExitCode.INTERRUPTED, "", "interrupted\n")
