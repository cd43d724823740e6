"""``ohlcache serve`` and ``ohlcache fake-vendor``, as processes on free ports."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

import pytest

from ohlcache.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Ended

    Command = Callable[..., Ended]

OHLCACHE = [sys.executable, "-m", "ohlcache.cli.main"]


def address_in(line: str) -> str:
    found = re.search(r"http://\S+?:\d+", line)
    assert found is not None, line
    return found[0]


def test_serve_and_stop() -> None:
    """It says where it serves, answers, and ends with 0 when told to stop (F10)."""
    with subprocess.Popen([*OHLCACHE, "serve", "--port", "0"], stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        url = address_in(server.stderr.readline())
        with urllib.request.urlopen(f"{url}/api/v2/tickers/AAPL/ohlc?range=1W", timeout=30) as answer:  # noqa: S310
            assert json.load(answer)["count"] == 5
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=30)
    assert server.returncode == 0


def test_serving_in_the_open_needs_keys(ohlcache: Command) -> None:
    """Beyond loopback it does not start without API keys (O7)."""
    ended = ohlcache("serve", "--host", "0.0.0.0")  # noqa: S104 - refused, that is the point
    assert ended.code == ExitCode.USAGE
    assert "OHLCACHE_API_KEYS" in ended.err


def test_a_misspelt_variable_is_told(ohlcache: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that does nothing is a warning, not a failure."""
    monkeypatch.setattr("ohlcache.http.server.serve", lambda *_, **__: 0)
    monkeypatch.setenv("OHLCACHE_PROT", "9000")
    ended = ohlcache("serve")
    assert ended.code == 0
    assert "warning: OHLCACHE_PROT is no setting" in ended.err
    assert "OHLCACHE_PORT?" in ended.err


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        ({}, "{data_dir}/ohlcache.sqlite3"),
        ({"OHLCACHE_STORE": "memory"}, "this process's memory"),
        ({"OHLCACHE_STORE": "dynamodb", "OHLC_CACHE_TABLE": "candles"}, "table candles"),
    ],
)
def test_it_prints_where_candles_are_kept(
    ohlcache: Command, monkeypatch: pytest.MonkeyPatch, folder: Path, environment: dict[str, str], place: str
) -> None:
    """Whoever starts a server reads which file, table or memory holds its candles."""

    def serve(*_: object, announce: Callable[[str], None], **__: object) -> int:
        announce("ohlcache serves sample on http://127.0.0.1:4711")
        return 0

    monkeypatch.setattr("ohlcache.http.server.serve", serve)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    printed = ohlcache("serve").err.splitlines()
    assert printed[-1] == f"candles are kept in {place.format(data_dir=folder / 'data')}"


def test_the_page_is_opened_when_ready(ohlcache: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--open`` opens the address that was announced."""
    opened: list[str] = []

    def serve(*_: object, announce: Callable[[str], None], **__: object) -> int:
        announce("ohlcache serves sample on http://127.0.0.1:4711")
        return 0

    monkeypatch.setattr("ohlcache.http.server.serve", serve)
    monkeypatch.setattr("typer.launch", opened.append)
    assert ohlcache("serve", "--open").code == 0
    assert opened == ["http://127.0.0.1:4711"]


def test_the_fake_vendor_can_be_played_with(ohlcache: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """It prints what to type, and what it prints works."""
    command = [*OHLCACHE, "fake-vendor", "--clock", "2024-06-04T01:00:00Z"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as fake:
        assert fake.stdout is not None
        url = address_in(fake.stdout.readline())
        monkeypatch.setenv("OHLCACHE_SOURCE", "")
        monkeypatch.setenv("TIINGO_API_KEY", "anything")
        monkeypatch.setenv("TIINGO_BASE_URL", url)
        monkeypatch.setenv("OHLCACHE_CLOCK", "2024-06-04T01:00:00Z")
        assert "from tiingo" in ohlcache("get", "AAPL").err
        fake.send_signal(signal.SIGINT)
        _, err = fake.communicate(timeout=30)
    assert (fake.returncode, err) == (ExitCode.OK, "")
