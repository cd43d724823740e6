"""A SQLite file that another process keeps locked, seen from outside: real processes, real time, a fake vendor."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ohlcache.assembly import DATABASE_NAME
from ohlcache.ports import STORE_SECONDS_MAX
from ohlcache.testing import FakeClock, FakeVendors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.alone

ASKING = Path(__file__).with_name("asking.py")
OHLCACHE = [sys.executable, "-m", "ohlcache.cli.main"]
EVENING = "2024-06-03T21:00:00-04:00"
COLD_SECONDS_MAX = 4.0
"""What three cold tickers take on a crowded machine, the store apart; waiting for the lock again and again takes more."""


@pytest.fixture
def vendor() -> Iterator[FakeVendors]:
    with FakeVendors(clock=FakeClock(EVENING)) as fake:
        yield fake


@pytest.fixture
def environment(vendor: FakeVendors, tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,  # noqa: TID251 - a child's environment
        "OHLCACHE_DATA_DIR": str(tmp_path),
        "OHLCACHE_CLOCK": EVENING,
        "TIINGO_API_KEY": "a-key",
        "TIINGO_BASE_URL": vendor.tiingo_url,
    }


@pytest.fixture
def held(environment: dict[str, str]) -> None:
    """Let the store hold a month of AAPL's days."""
    subprocess.run([*OHLCACHE, "get", "AAPL", "--range", "1M"], env=environment, capture_output=True, check=True)


@pytest.fixture
def locked(held: None, tmp_path: Path) -> Iterator[None]:
    """Keep the store's file locked: this process is the other one."""
    other = sqlite3.connect(tmp_path / DATABASE_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.close()


@pytest.mark.usefixtures("locked")
def test_a_locked_file_costs_a_request_two_seconds(
    environment: dict[str, str], vendor: FakeVendors, tolerance: Callable[[float], float]
) -> None:
    """W4: callers who ask cold for adjusted minutes, two series each, wait for the lock once and are answered."""
    command = [sys.executable, str(ASKING), "0", "3", "IBM", "1W", "5"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert (found["answered"], found["failed"], found["counts"]) == (3, [], [390])
    assert found["seconds"] < STORE_SECONDS_MAX + tolerance(COLD_SECONDS_MAX)
    assert len(vendor.calls) == 1 + 2  # AAPL's, from before; IBM's days and minutes
    assert done.stderr.count("store failed") <= 2


@pytest.mark.usefixtures("locked")
@pytest.mark.parametrize(
    ("words", "code", "printed"),
    [
        (["doctor"], 1, "another process holds it"),
        (["invalidate", "AAPL"], 1, "memory is cleared"),
        (["coverage", "AAPL", "--range", "1M"], 0, "21 candles in 21 sessions"),
        (["stats"], 0, "1 tickers"),
        (["backfill", "IBM", "--range", "1W", "--resolution", "5"], 1, "does not keep what was fetched"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_commands_report_a_lock_or_read_past_it(
    environment: dict[str, str], words: list[str], code: int, printed: str
) -> None:
    """W4: whatever needs to write says what holds it; whatever reads is not in its way."""
    began = time.monotonic()
    ended = subprocess.run([*OHLCACHE, *words], env=environment, capture_output=True, text=True, check=False)
    took = time.monotonic() - began
    assert ended.returncode == code
    assert printed in " ".join((ended.stdout + ended.stderr).split())
    assert took < 10 * STORE_SECONDS_MAX, "the start of a process included"


@pytest.mark.usefixtures("locked")
def test_a_server_is_stopped_while_it_waits_for_the_lock(environment: dict[str, str]) -> None:
    """W4, W5: under way are an invalidation and a cold request: both are answered, and the process ends with 0."""
    with subprocess.Popen(
        [*OHLCACHE, "serve", "--port", "0"], env=environment, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        found = next(filter(None, (re.search(r"serves \S+ on (\S+)", line) for line in server.stderr)))
        with (
            closing(sent(found[1], "POST", "/api/v2/tickers/AAPL/invalidate")) as clearing,
            closing(sent(found[1], "GET", "/api/v2/tickers/IBM/ohlc?range=1W&resolution=5")) as asking,
            closing(sent(found[1], "GET", "/api/v2/tickers/AAPL/ohlc?range=1W")) as held,
        ):
            assert replied(held)[0] == 200
            began = time.monotonic()
            server.send_signal(signal.SIGTERM)
            status, body = replied(clearing)
            assert status == 503
            assert b"memory is cleared" in body
            assert replied(asking)[0] == 200
            server.communicate(timeout=60)
            took = time.monotonic() - began
    assert server.returncode == 0
    assert took < 10.0


def sent(url: str, method: str, target: str) -> HTTPConnection:
    """Return a connection on which a request has been sent, and whose answer can be waited for."""
    connection = HTTPConnection(url.removeprefix("http://"), timeout=60)
    connection.request(method, target)
    return connection


def replied(connection: HTTPConnection) -> tuple[int, bytes]:
    """Return status and body of the answer to what was sent."""
    with connection.getresponse() as answer:
        return answer.status, answer.read()
