"""Processes around one SQLite store: a crowd that uses it at once, and writers that are killed while they write.

``python tests/adapters/sqlite_processes.py kill --kills 1000`` looks harder than the test suite does;
``… crowd --processes 16 --turns 20`` is the crowd. Both exit with 0 when everything held, and print the seed to replay.
Children are forked from this process, which has no threads, so each costs milliseconds.
"""

# ruff: noqa: T201 - a command that prints

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
import traceback
from contextlib import closing
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from contracts.store_suite import LIFE, NOW, YEAR, chunk_of, names
from ohlcache.adapters.stores import sqlite_deadline
from ohlcache.adapters.stores.sqlite import SqliteStore
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.series import Series
from ohlcache.domain.span import Span
from ohlcache.ports import Lease, Metric
from ohlcache.testing.clock import FakeClock
from ohlcache.testing.telemetry import RecordingTelemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from ohlcache.domain.chunks import Chunk

SHARED = Series("SHARED", "tiingo", Resolution.DAY)
KEY = "LOCK#SHARED#D#1W#2024-06-03"
WRITES_BEFORE_THE_KILL_MAX = 8
AFTERWARDS_MAX_SECONDS = 0.01
FRESH_FILE_EVERY = 5
PATIENCE_SECONDS = 30.0
"""How long they wait for one another: what is looked for is loss, and a crowd on a busy machine needs its time."""
EVERYTHING = Span(date(1900, 1, 1), date(2100, 1, 1))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["kill", "crowd"])
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)))
    wishes = parser.parse_args()
    sqlite_deadline.BUSY_SECONDS_MAX = PATIENCE_SECONDS
    print(f"seed {wishes.seed}")
    with tempfile.TemporaryDirectory() as folder:
        if wishes.what == "crowd":
            return crowd(Path(folder), wishes.processes, wishes.turns)
        return kill(Path(folder), wishes.kills, random.Random(wishes.seed))


def forked(work: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Return the process id of a child that does ``work`` and exits with 0, or 1 after printing why."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        asyncio.run(work())
        code = 0
    except BaseException:  # noqa: BLE001 - a child must not run on into its parent's code
        traceback.print_exc()
    os._exit(code)


def succeeded(child: int) -> bool:
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0


async def open_store(path: Path) -> SqliteStore:
    return await SqliteStore.open(
        path, telemetry=RecordingTelemetry(), final_life_seconds=90 * 86_400.0, clock=FakeClock(NOW)
    )


# --- a crowd -----------------------------------------------------------------------------------------------------


def crowd(folder: Path, processes: int, turns: int) -> int:
    """Let processes make, write, read and lease one store at once; return 0 when nothing failed and nothing is lost."""
    path, tally = folder / "new" / "ohlcache.db", folder / "tally"
    tally.write_text("0")
    started = time.monotonic()
    children = [forked(partial(one_of_the_crowd, path, tally, number, turns)) for number in range(processes)]
    outcomes = [succeeded(child) for child in children]
    outcomes.append(succeeded(forked(partial(check_crowd, path, tally, processes, turns))))
    good = all(outcomes)
    print(f"{processes} processes x {turns} turns in {time.monotonic() - started:.1f} s: {'ok' if good else 'FAILED'}")
    return 0 if good else 1


async def one_of_the_crowd(path: Path, tally: Path, number: int, turns: int) -> None:
    store = await open_store(path)
    for turn in range(turns):
        mine = own_chunk(number, turn)
        await store.write([mine, shared_chunk(number, turn)])
        read = await store.read(mine.series, YEAR)
        assert str(mine.name) in names(read), "what was written is not there"
        while not isinstance(lease := await store.acquire(KEY, f"{number}", now=NOW, life_seconds=LIFE), Lease):
            await store.look(KEY, now=NOW)
        tally.write_text(str(int(tally.read_text()) + 1))  # noqa: ASYNC240 - lost if two had the lease at once
        await store.release(lease)
    assert not store._telemetry.total(Metric.CORRUPT_CHUNKS)  # type: ignore[attr-defined]
    await store.close()


async def check_crowd(path: Path, tally: Path, processes: int, turns: int) -> None:
    store = await open_store(path)
    shared = await store.read(SHARED, EVERYTHING)
    expected = [shared_chunk(number, turn) for number in range(processes) for turn in range(turns)]
    assert names(shared) == names(expected), "a concurrent write was lost"
    assert int(tally.read_text()) == processes * turns, "two had the lease at once"  # noqa: ASYNC240
    assert (await store.usage()).chunks == 2 * processes * turns
    await store.close()
    check_integrity(path)


def own_chunk(number: int, turn: int) -> Chunk:
    return chunk_of(Series(f"T{number}", "tiingo", Resolution.DAY), date(2024, 1, 1) + timedelta(days=7 * turn))


def shared_chunk(number: int, turn: int) -> Chunk:
    return chunk_of(SHARED, date(2024, 1, 1) + timedelta(days=7 * turn), observed_at=int(NOW) + number)


# --- killed writers ----------------------------------------------------------------------------------------------


def kill(folder: Path, kills: int, chance: random.Random) -> int:
    """Kill writers at random moments; return 0 when every write was all there or not at all, and none acknowledged lost."""
    writes = 0
    for round_number in range(kills):
        path = folder / f"{round_number // FRESH_FILE_EVERY}" / "ohlcache.db"
        acknowledged = killed_writer(path, round_number, chance)
        writes += acknowledged + 1
        if not succeeded(forked(partial(check_killed, path, round_number, acknowledged))):
            print(f"FAILED at kill {round_number}, after batch {acknowledged}")
            return 1
    print(f"{kills} kills, {writes} acknowledged writes: ok")
    return 0


def killed_writer(path: Path, round_number: int, chance: random.Random) -> int:
    """Run a writer for a random while, kill it, and return the last batch that it had been told was kept; -1: none."""
    receiving, sending = os.pipe()
    child = forked(partial(write_until_killed, path, round_number, sending))
    os.close(sending)
    told = 0
    for _ in range(chance.randint(0, WRITES_BEFORE_THE_KILL_MAX)):
        told += len(os.read(receiving, 1))
    time.sleep(chance.uniform(0, AFTERWARDS_MAX_SECONDS))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(receiving, "rb") as pipe:
        return told + len(pipe.read()) - 1


async def write_until_killed(path: Path, round_number: int, acknowledge: int) -> None:
    store = await open_store(path)
    batch = 0
    while True:
        lease = await store.acquire(KEY, f"{round_number}", now=NOW + LIFE * round_number, life_seconds=LIFE)
        before = [marker(round_number, batch - 1)] if batch else []
        await store.write([*batch_of(round_number, batch), marker(round_number, batch)], delete=before)
        os.write(acknowledge, b".")
        if isinstance(lease, Lease):
            await store.release(lease)
        batch += 1


async def check_killed(path: Path, round_number: int, acknowledged: int) -> None:
    """Check that exactly the batches up to the marker are there, and the marker is no earlier than what was acknowledged."""
    store = await open_store(path)
    markers = await store.read(marker(round_number, 0).series, EVERYTHING)
    assert len(markers) <= 1, "a write and its delete came apart"
    kept = [n for n in range(acknowledged + 3) if markers and str(marker(round_number, n).name) == str(markers[0].name)]
    last = kept[0] if kept else -1
    assert acknowledged <= last <= acknowledged + 1, f"acknowledged {acknowledged}, kept {last}"
    for series in {chunk.series for chunk in batch_of(round_number, 0)}:
        read = await store.read(series, EVERYTHING)
        expected = [
            chunk for batch in range(last + 1) for chunk in batch_of(round_number, batch) if chunk.series == series
        ]
        assert names(read) == names(expected), f"batch {last} is torn"
    lease = await store.acquire(KEY, "checker", now=NOW + LIFE * (round_number + 1), life_seconds=0)
    assert isinstance(lease, Lease), "the killed writer's lease did not free itself"
    assert not store._telemetry.total(Metric.CORRUPT_CHUNKS)  # type: ignore[attr-defined]
    await store.close()
    check_integrity(path)


def batch_of(round_number: int, batch: int) -> list[Chunk]:
    first = date(2024, 1, 1) + timedelta(days=7 * batch)
    ticker = f"K{round_number}"
    return [
        chunk_of(Series(ticker, "tiingo", Resolution.DAY), first),
        chunk_of(Series(ticker, "finnhub", Resolution.DAY), first),
        chunk_of(Series(ticker, "tiingo", Resolution.MINUTES_5), first, 1),
    ]


def marker(round_number: int, batch: int) -> Chunk:
    return chunk_of(Series(f"K{round_number}", "marker", Resolution.DAY), observed_at=int(NOW) + batch)


def check_integrity(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        counted = "SELECT count(*), coalesce(sum(candles), 0), coalesce(sum(length(payload)), 0) FROM chunks"
        kept = "SELECT coalesce(sum(chunks), 0), coalesce(sum(candles), 0), coalesce(sum(bytes), 0) FROM holdings"
        assert connection.execute(counted).fetchone() == connection.execute(kept).fetchone()


if __name__ == "__main__":
    sys.exit(main())
