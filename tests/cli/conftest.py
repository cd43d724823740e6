"""The command line, run in this process with the error handling of the real one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from ohlcache.adapters.clock import SystemClock
from ohlcache.cli.main import main
from ohlcache.testing import FakeVendors
from ohlcache.testing.clock import instant_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MONDAY_9_PM = "2024-06-04T01:00:00Z"
VARIABLES = (
    "OHLCACHE_STORE",
    "OHLCACHE_HOST",
    "OHLCACHE_PORT",
    "OHLCACHE_API_KEYS",
    "OHLCACHE_CLOCK",
    "OHLCACHE_RETENTION_DAYS",
    "OHLCACHE_LOG_LEVEL",
    "TIINGO_API_KEY",
    "TIINGO_BASE_URL",
    "FINNHUB_API_KEY",
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Let the environment choose the sample and an empty folder; the terminal is wide and without colours."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OHLCACHE_SOURCE", "sample")
    monkeypatch.setenv("OHLCACHE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


@pytest.fixture
def ohlcache(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run a command line."""

    def run(*words: str) -> Ended:
        capsys.readouterr()
        code = main(words)
        out, err = capsys.readouterr()
        return Ended(code, out, err)

    return run


@pytest.fixture
def vendors(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[FakeVendors]:
    """Run fake vendors on a socket, and let the environment point to them; it is Monday evening there."""
    with FakeVendors(clock=SystemClock(instant_of(MONDAY_9_PM))) as fake:
        monkeypatch.setenv("OHLCACHE_SOURCE", "tiingo")
        monkeypatch.setenv("TIINGO_API_KEY", "invented-key-of-tiingo")
        monkeypatch.setenv("TIINGO_BASE_URL", fake.tiingo_url)
        monkeypatch.setenv("OHLCACHE_CLOCK", MONDAY_9_PM)
        yield fake
