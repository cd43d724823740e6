"""The cache without ``await``: in threads, in notebooks, in scripts that never close it."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

import ohlcache
from ohlcache.testing import Fault

if TYPE_CHECKING:
    from pathlib import Path

    from ohlcache.testing import FakeVendors


def test_a_thousand_threads_one_call(vendors: FakeVendors) -> None:
    """Threads that ask the same at once cost one vendor call (D1)."""
    vendors.latency_seconds = 0.05
    with ohlcache.connect_sync() as cache, ThreadPoolExecutor(20) as pool:
        tables = list(pool.map(lambda _: cache.get("AAPL", "1Y"), range(100)))
        assert cache.status().memory.hits + cache.status().memory.misses == 100
    assert len({table.close.tobytes() for table in tables}) == 1
    assert len(vendors.calls) == 1


def test_every_method_has_its_twin(vendors: FakeVendors) -> None:
    """Whatever the asynchronous cache can do, this one can."""
    with ohlcache.connect_sync() as cache:
        assert cache.get_many(["AAPL", "MSFT"], "1M").keys() == {"AAPL", "MSFT"}
        assert cache.get_many("MSFT", "1M").keys() == {"MSFT"}
        assert cache.backfill("IBM", "1Y").sessions == 251
        assert {report.state for report in cache.coverage("IBM", "1Y")} == {"final"}
        assert cache.invalidate("IBM").removed_chunks > 0
        assert {report.state for report in cache.coverage("IBM", "1Y")} == {"missing"}
        assert cache.suggest("AAPL", 1)
        assert cache.status().source == "tiingo"
    public = {name for name in dir(ohlcache.Cache) if not name.startswith("_")}
    twin = {name for name in dir(ohlcache.SyncCache) if not name.startswith("_")}
    assert public - twin == {"count_shortcut_hit", "parse"}


def test_it_is_the_same_store(vendors: FakeVendors) -> None:
    """What one cache fetched, the next one reads."""
    with ohlcache.connect_sync() as cache:
        first = cache.get("AAPL", "1Y")
    with ohlcache.connect_sync() as cache:
        second = cache.get("AAPL", "1Y")
    assert (first.provenance.tier, second.provenance.tier) == ("tiingo", "sqlite")
    assert first.to_csv() == second.to_csv()
    assert len(vendors.calls) == 1


def test_repeated_calls_stay_on_the_callers_thread(sample: Path) -> None:
    """What cannot have changed is answered without the event loop, and counted."""
    with ohlcache.connect_sync() as cache:
        tables = [cache.get("AAPL", "1Y") for _ in range(5)]
        assert tables[4] is tables[1]
        assert cache.status().memory.hits == 4
        cache.invalidate("AAPL")
        assert cache.get("AAPL", "1Y").provenance.tier == "sample"


def test_errors_arrive(vendors: FakeVendors) -> None:
    """Errors are raised where the question was asked."""
    with ohlcache.connect_sync() as cache:
        with pytest.raises(ohlcache.TickerNotFound, match="NOPE"):
            cache.get("NOPE")
        with pytest.raises(ohlcache.InvalidRequest):
            cache.get(["AAPL"])  # type: ignore[arg-type]
        vendors.tiingo.faults.set(Fault.TOO_MANY, 30)
        with pytest.raises(ohlcache.QuotaExceeded) as caught:
            cache.get("AAPL")
        assert caught.value.retry_after_seconds


def test_it_works_where_a_loop_is_running(sample: Path) -> None:
    """A notebook's cell runs inside an event loop; the twin has its own."""

    async def cell() -> int:
        with ohlcache.connect_sync() as cache:
            return len(cache.get("AAPL", "1Y"))

    assert asyncio.run(cell()) == 253


def test_closing(sample: Path) -> None:
    """Closing twice is fine; asking afterwards is an error that says so; the thread is gone."""
    cache = ohlcache.connect_sync()
    cache.get("AAPL", "1M")
    assert "ohlcache" in {thread.name for thread in threading.enumerate()}
    cache.close()
    cache.close()
    assert "ohlcache" not in {thread.name for thread in threading.enumerate()}
    for _ in range(2):
        with pytest.raises(RuntimeError, match="closed"):
            cache.get("AAPL", "1M")


def test_a_forgotten_cache_closes(sample: Path) -> None:
    """A cache that nobody holds any more gives its thread back."""
    cache = ohlcache.connect_sync()
    cache.get("AAPL", "1M")
    del cache
    gc.collect()
    assert "ohlcache" not in {thread.name for thread in threading.enumerate()}


def test_it_may_be_forgotten_on_its_own_thread(sample: Path) -> None:
    """The collector may run on the loop's thread, which cannot wait for itself: it closes all the same."""
    cache = ohlcache.connect_sync()
    cache.get("AAPL", "1M")
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "ohlcache")
    cache._loop.call_soon_threadsafe(cache._close)
    thread.join(30)
    assert not thread.is_alive()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_must_connect_again(sample: Path) -> None:
    """A child process has the cache but not its thread: it is told so instead of waiting forever."""
    script = (
        "import multiprocessing, ohlcache\n"
        "cache = ohlcache.connect_sync()\n"
        "def ask(_):\n"
        "    try:\n"
        "        cache.get('AAPL', '1M')\n"
        "    except RuntimeError as error:\n"
        "        return str(error)\n"
        "with multiprocessing.get_context('fork').Pool(1) as pool:\n"
        "    print(pool.map(ask, [0])[0], end='')\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout == "This cache was opened before a fork: connect again in the new process."


def test_a_start_that_fails_leaves_nothing(sample: Path) -> None:
    """Settings that cannot work are an error, and no thread stays behind."""
    with pytest.raises(ohlcache.ConfigurationError, match="OHLCACHE_STORE"):
        ohlcache.connect_sync(store="parchment")
    assert "ohlcache" not in {thread.name for thread in threading.enumerate()}


def test_a_script_that_never_closes_ends_well(vendors: FakeVendors) -> None:
    """At the interpreter's end the cache closes itself: no warning, no hang, and what was fetched is kept."""
    script = "import ohlcache; cache = ohlcache.connect_sync(); print(len(cache.get('AAPL', '1Y')), flush=True)"
    for _ in range(2):
        ended = subprocess.run(
            [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=60, check=False
        )
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "251\n", "")
    assert len(vendors.calls) == 1
