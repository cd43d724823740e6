"""What is SQLite's own: whose files it opens, what it survives, how it keeps itself small and up to date."""

from __future__ import annotations

import asyncio
import gzip
import math
import os
import random
import sqlite3
import subprocess
import sys
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contracts.store_suite import AAPL, KEY, LIFE, NOW, YEAR, chunk_of, names, same
from ohlcache.adapters.stores import sqlite_refusals, sqlite_threads
from ohlcache.adapters.stores.sqlite import PURGED_WITH_A_WRITE_MAX, SqliteStore
from ohlcache.adapters.stores.sqlite_deadline import BUSY_SECONDS_MAX, Deadline
from ohlcache.adapters.stores.sqlite_schema import APPLICATION_ID, SCHEMA_VERSION, STEPS, open_database
from ohlcache.domain.coverage import SessionState
from ohlcache.domain.errors import StoreError, StoreRefused
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.series import Series
from ohlcache.ports import FailureNote, Lease
from ohlcache.testing.clock import FakeClock
from ohlcache.testing.telemetry import RecordingTelemetry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from ohlcache.domain.chunks import Chunk

PROCESSES = Path(__file__).with_name("sqlite_processes.py")
LAYOUTS = Path(__file__).with_name("layouts")
LAYOUT_OBSERVED_AT = 1_717_400_000
DAY = 86_400.0
RUN = "TEST#run-1#"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "ohlcache.db"


@asynccontextmanager
async def opened(
    path: Path, *, clock: FakeClock | None = None, final_life_seconds: float = 90 * DAY, key_prefix: str = ""
) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(
        path,
        telemetry=RecordingTelemetry(),
        final_life_seconds=final_life_seconds,
        clock=clock or FakeClock(NOW),
        key_prefix=key_prefix,
    )
    try:
        yield store
    finally:
        await store.close()


def unopened(path: Path) -> SqliteStore:
    return SqliteStore(path, telemetry=RecordingTelemetry(), final_life_seconds=90 * DAY, clock=FakeClock(NOW))


def folder_as_it_is(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def query(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def leave_a_log(path: Path, *statements: str) -> None:
    """Execute ``statements`` on the database and die, so that they are in its log only."""
    program = (
        "import os, sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('PRAGMA journal_mode = WAL')\n"
        "for statement in sys.argv[2:]: connection.execute(statement)\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path), *statements], check=True)
    assert path.with_name(path.name + "-wal").stat().st_size > 0


def make_ours(path: Path, chunks: int = 40) -> None:
    """Make a sound database with some chunks, closed."""

    async def fill() -> None:
        async with opened(path) as store:
            await store.write([chunk_of(first=date(1980 + index, 2, 1), sessions=200) for index in range(chunks)])

    asyncio.run(fill())


# --- whose files -------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_new_database_says_whose_it_is(path: Path) -> None:
    """Folder and file are made; the file carries our application_id, the layout's number and write-ahead logging."""
    async with opened(path) as store:
        await store.write([chunk_of()])
    assert query(path, "PRAGMA application_id") == [(APPLICATION_ID,)]
    assert query(path, "PRAGMA user_version") == [(SCHEMA_VERSION,)]
    assert query(path, "PRAGMA journal_mode") == [("wal",)]


@pytest.mark.asyncio
async def test_what_was_written_is_there_after_a_restart(path: Path) -> None:
    """Closed and opened again, chunks and leases are as they were (E15)."""
    chunk = chunk_of()
    async with opened(path) as store:
        await store.write([chunk])
        await store.acquire(KEY, "a", now=NOW, life_seconds=LIFE)
    async with opened(path) as store:
        (read,) = await store.read(AAPL, YEAR)
        assert same(read, chunk)
        assert await store.look(KEY, now=NOW) is not None


def text_file(path: Path) -> None:
    path.write_text("date,open,high,low,close,volume\n" * 400)


def short_file(path: Path) -> None:
    path.write_bytes(b"?")


def random_bytes(path: Path) -> None:
    path.write_bytes(random.Random(5).randbytes(50_000))


def foreign_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE chunks (name TEXT)")


def foreign_with_a_log(path: Path) -> None:
    foreign_database(path)
    leave_a_log(path, "INSERT INTO chunks VALUES ('theirs')")


def foreign_only_in_its_log(path: Path) -> None:
    leave_a_log(path, "CREATE TABLE theirs (name TEXT)")


def log_without_a_database(path: Path) -> None:
    foreign_with_a_log(path)
    path.write_bytes(b"")


def newer_layout(path: Path) -> None:
    make_ours(path, 1)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")


def newer_layout_in_its_log(path: Path) -> None:
    make_ours(path, 1)
    leave_a_log(path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")


def cut_off(path: Path) -> None:
    make_ours(path)
    path.write_bytes(path.read_bytes()[:-20_000])


def first_page_spoilt(path: Path) -> None:
    make_ours(path)
    data = bytearray(path.read_bytes())
    data[100:400] = bytes(300)
    path.write_bytes(data)


def inner_pages_spoilt(path: Path) -> None:
    make_ours(path)
    data = bytearray(path.read_bytes())
    data[3 * 8192 : 8 * 8192] = random.Random(7).randbytes(5 * 8192)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("made", "said", "advice"),
    [
        (text_file, "not a SQLite database", "Move it aside"),
        (short_file, "not a SQLite database", "Move it aside"),
        (random_bytes, "not a SQLite database", "Move it aside"),
        (foreign_database, "of another program", "Move it aside"),
        (foreign_with_a_log, "of another program", "Move it aside"),
        (foreign_only_in_its_log, "of another program", "Move it aside"),
        (log_without_a_database, "damaged", "Move it aside"),
        (newer_layout, "newer ohlcache", "Upgrade ohlcache"),
        (newer_layout_in_its_log, "newer ohlcache", "Upgrade ohlcache"),
        (cut_off, "damaged", "Move it aside"),
        (first_page_spoilt, "damaged", "Move it aside"),
        (inner_pages_spoilt, "damaged", "Move it aside"),
    ],
)
def test_what_is_not_ours_or_not_sound_is_refused_untouched(
    path: Path, made: Callable[[Path], None], said: str, advice: str
) -> None:
    """A refusal says what it is and what to do; every file in the folder stays as it is, to the byte."""
    path.parent.mkdir()
    made(path)
    before = folder_as_it_is(path.parent)

    async def open_it() -> None:
        with pytest.raises(StoreRefused, match=said) as refused:
            await SqliteStore.open(
                path, telemetry=RecordingTelemetry(), final_life_seconds=90 * DAY, clock=FakeClock(NOW)
            )
        assert advice in refused.value.hint
        assert str(path) in refused.value.message

    asyncio.run(open_it())
    after = folder_as_it_is(path.parent)
    # The index of a log is rebuilt by whoever reads the log: it holds nothing of its own.
    after.pop(path.name + "-shm", None)
    before.pop(path.name + "-shm", None)
    assert after == before


@pytest.mark.asyncio
async def test_a_refused_store_works_once_the_file_is_moved_aside(path: Path) -> None:
    """Every use says the same until an operator acts; then the store is used again, without a restart."""
    await asyncio.to_thread(lambda: (path.parent.mkdir(), text_file(path)))
    store = unopened(path)
    for _ in range(2):
        with pytest.raises(StoreRefused):
            await store.read(AAPL, YEAR)
        with pytest.raises(StoreRefused):
            await store.write([chunk_of()])
        with pytest.raises(StoreRefused):
            await store.acquire(KEY, "a", now=NOW, life_seconds=LIFE)
    await asyncio.to_thread(lambda: path.rename(path.with_name("aside")))
    await store.write([chunk_of()])
    assert names(await store.read(AAPL, YEAR)) == names([chunk_of()])
    await store.close()


@pytest.mark.asyncio
async def test_damage_found_later_is_told_as_damage(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a file too large to be checked whole, reading a spoilt page raises StoreRefused, never wrong candles."""
    await asyncio.to_thread(make_ours, path)
    await asyncio.to_thread(inner_pages_spoilt_later, path)
    monkeypatch.setattr(sqlite_refusals, "CHECKED_BYTES_MAX", 0)
    store = unopened(path)
    with pytest.raises(StoreRefused, match="damaged"):
        await store.read(AAPL, replace(YEAR, start=date(1980, 1, 1)))
    await store.close()


def inner_pages_spoilt_later(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-8 * 8192 : -8192] = random.Random(7).randbytes(7 * 8192)
    path.write_bytes(data)


@pytest.mark.parametrize("where", ["file/below/ohlcache.db", "folder", "n" * 300 + "/ohlcache.db"])
def test_a_place_that_cannot_be_used_is_a_store_error(tmp_path: Path, where: str) -> None:
    """A path below a file, a folder in the file's place, a name that is too long: a StoreError with what to do."""
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()

    async def use_it() -> None:
        store = unopened(tmp_path / where)
        with pytest.raises(StoreError) as failed:
            await store.write([chunk_of()])
        assert "OHLCACHE_DATA_DIR" in failed.value.hint
        await store.close()

    asyncio.run(use_it())


AS_NOBODY = """
import asyncio, os, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from contracts.store_suite import AAPL, YEAR, NOW, chunk_of, names
from ohlcache.adapters.chunk_codec import decode, encode
from ohlcache.adapters.stores.sqlite import SqliteStore
from ohlcache.domain.errors import StoreError
from ohlcache.testing.clock import FakeClock
from ohlcache.testing.telemetry import RecordingTelemetry

CHUNK = chunk_of()
decode(AAPL, CHUNK.name, encode(CHUNK))  # imports what it needs while root's folders can still be read
if os.getuid() == 0:
    os.setgid(65534); os.setuid(65534)

async def main():
    for name in ("new.db", "ohlcache.db"):
        store = SqliteStore(
            Path(sys.argv[1]) / name, telemetry=RecordingTelemetry(), final_life_seconds=1e9, clock=FakeClock(NOW)
        )
        try:
            await store.write([CHUNK])
        except StoreError as error:
            print(error.message, error.hint)
        else:
            print("written")
        try:
            print(*names(await store.read(AAPL, YEAR)))
        except StoreError as error:
            print(error.message, error.hint)
        await store.close()

asyncio.run(main())
"""


def test_a_read_only_folder_is_read(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where nothing may be written, no write is kept, the operator is told, and what an old database holds is read."""
    folder = tmp_path_factory.mktemp("readonly")

    async def keep_one() -> None:
        async with opened(folder / "ohlcache.db") as store:
            await store.write([chunk_of()])

    asyncio.run(keep_one())
    for parent in (folder, *folder.parents[: len(folder.parents) - 2]):
        parent.chmod(0o755)
    (folder / "ohlcache.db").chmod(0o444)
    folder.chmod(0o555)
    program = [sys.executable, "-c", AS_NOBODY, str(folder), str(Path(__file__).parents[1])]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    new_written, new_read, old_written, old_read = done.stdout.splitlines()
    assert all(
        "cannot be used" in line and "OHLCACHE_DATA_DIR" in line for line in (new_written, new_read, old_written)
    )
    assert old_read == str(chunk_of().name)
    folder.chmod(0o755)


# --- a disk that fails -------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_full_database_is_a_store_error_and_stays_readable(path: Path) -> None:
    """A write that does not fit is undone whole and says so; what was there is read on, and writes work again later."""
    chunk = chunk_of()
    async with opened(path) as store:
        await store.write([chunk])
        await store._writer.run(lambda connection: connection.execute("PRAGMA max_page_count = 12").fetchall())
        bulk = [chunk_of(first=date(1900 + index, 2, 1), sessions=200) for index in range(60)]
        with pytest.raises(StoreError, match="full") as failed:
            await store.write(bulk)
        assert "Free some space" in failed.value.hint
        assert names(await store.read(AAPL, YEAR)) == names([chunk])
        assert (await store.usage()).chunks == 1
        await store.write(bulk)  # the limit was that of the connection, which has been replaced
        assert (await store.usage()).chunks == 61


FULL_DISK = """
import asyncio, resource, sys
sys.path.insert(0, sys.argv[2])
from datetime import date
from pathlib import Path
from contracts.store_suite import AAPL, YEAR, NOW, chunk_of, names
from ohlcache.adapters.stores.sqlite import SqliteStore
from ohlcache.domain.errors import StoreError
from ohlcache.testing.clock import FakeClock
from ohlcache.testing.telemetry import RecordingTelemetry

async def main():
    store = await SqliteStore.open(
        Path(sys.argv[1]), telemetry=RecordingTelemetry(), final_life_seconds=1e9, clock=FakeClock(NOW)
    )
    await store.write([chunk_of()])
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
    failures = 0
    for year in range(1900, 2020):
        try:
            await store.write([chunk_of(first=date(year, 2, 1), sessions=200)])
        except StoreError as error:
            failures += 1
            said = error.message
    assert failures, "the disk was never full"
    assert names(await store.read(AAPL, YEAR)) == names([chunk_of()])
    print(said)
    await store.close()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs resource limits")
def test_a_full_disk_is_a_store_error(path: Path) -> None:
    """When the operating system refuses to let a file grow, writes fail as StoreError and reads go on."""
    program = [sys.executable, "-c", FULL_DISK, str(path), str(Path(__file__).parents[1])]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "cannot be used: " in done.stdout
    assert query(path, "PRAGMA integrity_check") == [("ok",)]


# --- layouts -----------------------------------------------------------------------------------------------------

STEP_MORE = ("ALTER TABLE leases ADD COLUMN note TEXT", "CREATE TABLE more (name TEXT)")


def test_an_older_layout_is_brought_forward(path: Path) -> None:
    """A step is applied once, in order, and nothing that was stored is lost."""
    make_ours(path, 3)
    for _ in range(2):
        open_database(path, steps=(*STEPS, STEP_MORE)).close()
    assert query(path, "PRAGMA user_version") == [(SCHEMA_VERSION + 1,)]
    assert query(path, "SELECT count(*) FROM chunks") == [(3,)]
    assert query(path, "SELECT count(*) FROM more") == [(0,)]


def test_several_steps_are_one_transaction(path: Path) -> None:
    """A step that fails undoes the ones before it: the file keeps its layout and its data."""
    make_ours(path, 3)
    with pytest.raises(sqlite3.OperationalError):
        open_database(path, steps=(*STEPS, STEP_MORE, ("CREATE TABLE more (name TEXT)",)))
    assert query(path, "PRAGMA user_version") == [(SCHEMA_VERSION,)]
    assert query(path, "SELECT count(*) FROM sqlite_master WHERE name = 'more'") == [(0,)]
    open_database(path, steps=(*STEPS, STEP_MORE)).close()
    assert query(path, "SELECT count(*) FROM chunks") == [(3,)]


def test_what_a_newer_program_made_is_refused_by_this_one(path: Path) -> None:
    """After a step forward the older program says: upgrade."""
    make_ours(path, 1)
    open_database(path, steps=(*STEPS, STEP_MORE)).close()
    with pytest.raises(StoreRefused, match=f"layout {SCHEMA_VERSION + 1}; this one knows {SCHEMA_VERSION}"):
        asyncio.run(unopened(path).read(AAPL, YEAR))


@pytest.mark.parametrize("layout", range(1, SCHEMA_VERSION + 1))
def test_databases_of_every_layout_are_still_read(path: Path, layout: int) -> None:
    """A file kept from each layout opens today and gives its candles back to the bit."""
    path.parent.mkdir()
    path.write_bytes(gzip.decompress((LAYOUTS / f"layout_{layout}.db.gz").read_bytes()))

    async def read_it() -> None:
        async with opened(path) as store:
            (daily,) = await store.read(AAPL, YEAR)
            assert same(daily, chunk_of(sessions=250, observed_at=LAYOUT_OBSERVED_AT))
            five = replace(AAPL, resolution=Resolution.MINUTES_5)
            (intraday,) = await store.read(five, YEAR)
            assert same(intraday, chunk_of(five, sessions=3, observed_at=LAYOUT_OBSERVED_AT))
            seen = await store.look(KEY, now=LAYOUT_OBSERVED_AT)
            assert seen is not None
            assert seen.fence == 7

    asyncio.run(read_it())


# --- processes ---------------------------------------------------------------------------------------------------


def test_sixteen_processes_at_once(tmp_path: Path) -> None:
    """They make the file together, write, read and lease without one error, and lose nothing (D6, F8)."""
    done = run_processes(tmp_path, "crowd", "--processes", "16", "--turns", "4")
    assert done.returncode == 0, done.stdout + done.stderr


def test_killed_writers_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """After SIGKILL at a random moment every write is there whole or not at all, and the file is sound (E16, S5)."""
    done = run_processes(tmp_path, "kill", "--kills", "25")
    assert done.returncode == 0, done.stdout + done.stderr


def run_processes(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    environment = {**os.environ, "TMPDIR": str(folder)}  # noqa: TID251 - a child's, with its own temporary folder
    return subprocess.run(
        [sys.executable, str(PROCESSES), *arguments], capture_output=True, text=True, check=False, env=environment
    )


@pytest.mark.asyncio
async def test_another_writer_is_waited_for(path: Path) -> None:
    """While another process holds the write lock, reads go on and a write waits for its turn instead of failing."""
    async with opened(path) as store:
        await store.write([chunk_of()])
        other = await locked(path)
        write = asyncio.ensure_future(store.write([chunk_of(first=date(2024, 3, 4))]))
        assert len(await store.read(AAPL, YEAR)) == 1
        assert not write.done()
        await asyncio.to_thread(other.execute, "COMMIT")
        await write
        assert len(await store.read(AAPL, YEAR)) == 2
        await asyncio.to_thread(other.close)


@pytest.mark.asyncio
async def test_a_write_is_done_although_its_caller_went_away(path: Path) -> None:
    """Cancelled while it waits, a write still happens, and leaves no transaction open (F6)."""
    async with opened(path) as store:
        await store.write([chunk_of()])
        other = await locked(path)
        write = asyncio.ensure_future(store.write([chunk_of(first=date(2024, 3, 4))]))
        await store.read(AAPL, YEAR)
        write.cancel()
        with pytest.raises(asyncio.CancelledError):
            await write
        await asyncio.to_thread(other.execute, "COMMIT")
    assert await asyncio.to_thread(query, path, "SELECT count(*) FROM chunks") == [(2,)]
    await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
    await asyncio.to_thread(other.close)


@pytest.mark.asyncio
async def test_a_queued_write_is_done_although_its_caller_went_away(path: Path) -> None:
    """Cancelled while another write of this process is still under way, a write that has not begun happens, too (F6)."""
    async with opened(path) as store:
        await store.write([chunk_of()])
        other = await locked(path)
        under_way = asyncio.ensure_future(store.write([chunk_of(first=date(2024, 3, 4))]))
        queued = asyncio.ensure_future(store.write([chunk_of(first=date(2024, 4, 1))]))
        await store.read(AAPL, YEAR)
        assert not under_way.done()
        queued.cancel()
        with pytest.raises(asyncio.CancelledError):
            await queued
        await asyncio.to_thread(other.execute, "COMMIT")
        await under_way
    assert await asyncio.to_thread(query, path, "SELECT count(*) FROM chunks") == [(3,)]
    await asyncio.to_thread(other.close)


@pytest.mark.asyncio
async def test_all_that_queue_for_a_locked_file_are_refused_together(path: Path) -> None:
    """W4: ten writes wait as long as one, and say what to look for; what is held is read meanwhile."""
    async with opened(path) as store:
        await store.write([chunk_of()])
        other = await locked(path)
        began = asyncio.get_running_loop().time()
        writes = [store.write([chunk_of(first=date(2000 + number, 3, 4))]) for number in range(8)]
        lease = store.acquire(KEY, "a", now=NOW, life_seconds=LIFE)
        clearing = store.delete_ticker("AAPL")
        refused = asyncio.gather(*writes, lease, clearing, return_exceptions=True)
        assert len(await store.read(AAPL, YEAR)) == 1
        assert not refused.done()
        for error in await refused:
            assert isinstance(error, StoreError)
            assert "another process holds it" in error.message
            assert "end it" in error.hint
        assert asyncio.get_running_loop().time() - began < 2 * BUSY_SECONDS_MAX
        await asyncio.to_thread(other.execute, "COMMIT")
        assert isinstance(await store.acquire(KEY, "a", now=NOW, life_seconds=LIFE), Lease)
        await asyncio.to_thread(other.close)


@pytest.mark.asyncio
async def test_who_queues_behind_long_work_waits_for_no_lock(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """W4: a write whose time has passed while others of this process were busy is done, not refused."""
    async with opened(path) as store:
        monkeypatch.setattr(sqlite_threads, "Deadline", lambda: Deadline(0.0))
        await store.write([chunk_of()])
        assert len(await store.read(AAPL, YEAR)) == 1


@pytest.mark.asyncio
async def test_closing_waits_for_a_locked_file_no_longer_than_an_operation(path: Path) -> None:
    """W4, F6: writes that wait for the lock when the store is closed are given up together, and the threads end."""
    async with opened(path) as store:
        await store.write([chunk_of()])
        other = await locked(path)
        writes = [asyncio.ensure_future(store.write([chunk_of(first=date(2000 + n, 3, 4))])) for n in range(4)]
        await store.read(AAPL, YEAR)
        began = asyncio.get_running_loop().time()
        await store.close()
        assert asyncio.get_running_loop().time() - began < 2 * BUSY_SECONDS_MAX
        assert all(isinstance(error, StoreError) for error in await asyncio.gather(*writes, return_exceptions=True))
        await asyncio.to_thread(other.close)


def without_a_layout(path: Path) -> None:
    path.parent.mkdir()


def without_write_ahead_logging(path: Path) -> None:
    make_ours(path, 1)
    query(path, "PRAGMA journal_mode = DELETE")


@pytest.mark.parametrize(
    ("made", "lock"),
    [
        (without_a_layout, "BEGIN IMMEDIATE"),
        (without_a_layout, "BEGIN EXCLUSIVE"),
        (without_write_ahead_logging, "BEGIN IMMEDIATE"),
    ],
)
def test_a_locked_file_that_has_to_be_changed_first_is_given_up_in_time(
    path: Path, made: Callable[[Path], None], lock: str
) -> None:
    """W4: whatever of opening waits (for a layout, for write-ahead logging), it waits as long as one operation."""
    made(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute(lock)

    async def use_it() -> float:
        store = unopened(path)
        began = asyncio.get_running_loop().time()
        operations = (store.write([chunk_of()]), store.read(AAPL, YEAR), store.look(KEY, now=NOW))
        outcomes = await asyncio.gather(*operations, return_exceptions=True)
        assert all(isinstance(outcome, StoreError) for outcome in outcomes)
        took = asyncio.get_running_loop().time() - began
        await store.close()
        return took

    assert asyncio.run(use_it()) < 2 * BUSY_SECONDS_MAX
    other.close()


async def locked(path: Path) -> sqlite3.Connection:
    """Return a connection that holds the write lock, as a process that has stopped in a transaction does."""
    other = await asyncio.to_thread(sqlite3.connect, path, isolation_level=None, check_same_thread=False)
    await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
    return other


@pytest.mark.asyncio
async def test_after_closing_every_use_is_a_store_error(path: Path) -> None:
    """A closed store says so."""
    async with opened(path) as store:
        pass
    with pytest.raises(StoreError, match="closed"):
        await store.read(AAPL, YEAR)
    with pytest.raises(StoreError, match="closed"):
        await store.write([chunk_of()])


@pytest.mark.asyncio
async def test_closing_leaves_one_file(path: Path) -> None:
    """The last one to close merges the log, so that the file can be copied."""
    async with opened(path) as store:
        await store.write([chunk_of()])
        await store.read(AAPL, YEAR)
    assert await asyncio.to_thread(lambda: [file.name for file in path.parent.iterdir()]) == [path.name]


# --- keeping house -----------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_range_is_one_search_in_key_order(path: Path) -> None:
    """The read of a span is answered from the primary key, whatever else the file holds."""
    from ohlcache.adapters.stores.sqlite import _READ

    async with opened(path) as store:
        plan = await store._writer.run(
            lambda connection: connection.execute(f"EXPLAIN QUERY PLAN {_READ}", ("a", "b", "c", "d")).fetchall()
        )
    (searched,) = [row[3] for row in plan]
    assert searched == "SEARCH chunks USING INDEX sqlite_autoindex_chunks_1 (partition=? AND name>? AND name<?)"


@pytest.mark.asyncio
async def test_expired_chunks_go_with_later_writes_a_few_at_a_time(path: Path) -> None:
    """Each write drops at most a bounded number of expired chunks, so that none is held up by them."""
    clock = FakeClock(NOW)
    expired = [chunk_of(first=date(1960 + index, 2, 1), sessions=1, observed_at=int(NOW)) for index in range(40)]
    async with opened(path, clock=clock, final_life_seconds=DAY) as store:
        await store.write(expired)
        clock.set(NOW + DAY)
        fresh = [chunk_of(first=date(2024, 3, 4 + index), sessions=1, observed_at=int(NOW + DAY)) for index in range(2)]
        await store.write(fresh[:1])
        assert (await store.usage()).chunks == 40 + 1 - PURGED_WITH_A_WRITE_MAX
        await store.write(fresh[1:])
        assert (await store.usage()).chunks == 40 + 2 - 2 * PURGED_WITH_A_WRITE_MAX
        assert await store.purge_expired() == 40 - 2 * PURGED_WITH_A_WRITE_MAX
        assert (await store.usage()).chunks == 2
        assert await store.purge_expired() == 0


@pytest.mark.asyncio
async def test_kept_forever_means_forever(path: Path) -> None:
    """With an infinite life no chunk is dropped: what was forming is served where the vendor refuses (C1, C2, W1)."""
    clock = FakeClock(NOW)
    async with opened(path, clock=clock, final_life_seconds=math.inf) as store:
        forming = chunk_of(first=date(2024, 6, 3), sessions=1, state=SessionState.FORMING, observed_at=int(NOW))
        await store.write([chunk_of(), forming])
        clock.set(NOW + 36_500 * DAY)
        assert await store.purge_expired() == 0
        assert names(await store.read(AAPL, YEAR)) == names([chunk_of(), forming])


@pytest.mark.asyncio
async def test_old_leases_are_forgotten_but_fences_never_fall(path: Path) -> None:
    """A day after its expiry a lease's record goes with a write; a later holder's fence is still higher."""
    clock = FakeClock(NOW)
    async with opened(path, clock=clock) as store:
        for turn in range(5):
            lease = await store.acquire(KEY, "a", now=NOW + LIFE * turn, life_seconds=LIFE)
            assert isinstance(lease, Lease)
        await store.release(lease, failure=FailureNote("vendor_error", "No.", "Wait."))
        clock.set(NOW + DAY + 1000)
        await store.write([chunk_of()])
        assert await asyncio.to_thread(query, path, "SELECT count(*) FROM leases") == [(0,)]
        assert await store.look(KEY, now=clock.now()) is None
        again = await store.acquire(KEY, "b", now=clock.now(), life_seconds=LIFE)
        assert isinstance(again, Lease)
        assert again.fence > lease.fence


@pytest.mark.asyncio
async def test_vacuum_gives_space_back(path: Path) -> None:
    """After deletions the file shrinks, by what the report says, and the rest is still there."""
    keep = chunk_of(Series("KEEP", "tiingo", Resolution.DAY))
    async with opened(path) as store:
        await store.write([chunk_of(first=date(1900 + index, 2, 1), sessions=200) for index in range(100)])
        await store.write([keep])
        await store.delete_ticker("AAPL")
        report = await store.vacuum()
        assert report.bytes_after < report.bytes_before / 2
        assert report.bytes_after == await asyncio.to_thread(lambda: path.stat().st_size)
        assert names(await store.read(keep.series, YEAR)) == names([keep])
        assert (await store.usage()).bytes == report.bytes_after


@pytest.mark.asyncio
async def test_the_size_report_tells_each_series(path: Path) -> None:
    """Chunks, candles and bytes by ticker, source and resolution."""
    five = replace(AAPL, resolution=Resolution.MINUTES_5)
    async with opened(path) as store:
        await store.write([chunk_of(), chunk_of(first=date(2024, 3, 4)), chunk_of(five, sessions=2)])
        intraday, daily = await store.size_report()
    assert (daily.ticker, daily.source, daily.resolution, daily.chunks, daily.candles) == (
        *("AAPL", "tiingo", Resolution.DAY),
        *(2, 10),
    )
    assert (intraday.resolution, intraday.chunks, intraday.candles) == (Resolution.MINUTES_5, 1, 156)
    assert 0 < intraday.bytes < 156 * 20


@pytest.mark.asyncio
async def test_statistics_agree_with_what_is_stored(path: Path) -> None:
    """After any writes, rewrites and deletes the running totals are those of the rows (F6)."""
    chance = random.Random(11)
    async with opened(path) as store:
        held: list[Chunk] = []
        for _ in range(60):
            first = date(2024, 1, 1) + timedelta(days=chance.randrange(300))
            series = Series(chance.choice("ABC"), chance.choice(["x", "y"]), Resolution.DAY)
            new = [chunk_of(series, first, 1 + chance.randrange(3), observed_at=int(NOW) - chance.randrange(3))]
            old = chance.sample(held, min(len(held), chance.randrange(3)))
            await store.write(new, delete=old)
            held = [chunk for chunk in [*held, *new] if chunk not in old]
            if chance.random() < 0.05:
                await store.delete_ticker("A")
                held = [chunk for chunk in held if chunk.series.ticker != "A"]
        usage = await store.usage()
    rows = "SELECT count(*), sum(candles), count(DISTINCT substr(partition, 1, 1)) FROM chunks"
    assert await asyncio.to_thread(query, path, rows) == [(usage.chunks, usage.candles, usage.tickers)]
    kept = "SELECT partition, resolution, chunks, candles, bytes FROM holdings ORDER BY 1, 2"
    counted = (
        "SELECT partition, substr(name, 1, instr(name, '#') - 1), count(*), sum(candles), sum(length(payload)) "
        "FROM chunks GROUP BY 1, 2 ORDER BY 1, 2"
    )
    assert await asyncio.to_thread(query, path, kept) == await asyncio.to_thread(query, path, counted)


# --- test runs on a real store -----------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_test_run_and_the_rest_do_not_see_one_another(path: Path) -> None:
    """Under a key prefix chunks, leases, tickers and statistics are apart, even for a ticker called TEST (O5)."""
    test = replace(AAPL, ticker="TEST")
    async with opened(path) as plain, opened(path, key_prefix=RUN) as run:
        await plain.write([chunk_of(), chunk_of(test)])
        await run.write([chunk_of(sessions=9), chunk_of(replace(AAPL, ticker="MSFT"))])
        assert len((await plain.read(AAPL, YEAR))[0].holding) == 5
        assert len((await run.read(AAPL, YEAR))[0].holding) == 9
        assert list(await plain.tickers()) == ["AAPL", "TEST"]
        assert list(await run.tickers()) == ["AAPL", "MSFT"]
        assert (await plain.usage()).chunks == (await run.usage()).chunks == 2
        assert isinstance(await plain.acquire(KEY, "a", now=NOW, life_seconds=LIFE), Lease)
        lease = await run.acquire(KEY, "b", now=NOW, life_seconds=LIFE)
        assert isinstance(lease, Lease)
        assert lease.key == KEY
        assert await plain.delete_ticker("TEST") == 1
        assert await run.delete_ticker("AAPL") == 1
        assert len(await plain.read(AAPL, YEAR)) == 1
        assert list(await run.tickers()) == ["MSFT"]


@pytest.mark.asyncio
async def test_what_a_test_run_wrote_lives_five_minutes(path: Path) -> None:
    """Chunks and leases under a prefix go after five minutes, the others stay."""
    clock = FakeClock(NOW)
    async with opened(path, clock=clock) as plain, opened(path, clock=clock, key_prefix=RUN) as run:
        await plain.write([chunk_of()])
        await run.write([chunk_of()])
        await run.acquire(KEY, "a", now=NOW, life_seconds=LIFE)
        clock.set(NOW + 300 + LIFE)
        await plain.write([chunk_of(first=date(2024, 3, 4))])
        assert list(await run.tickers()) == []
        assert (await plain.usage()).chunks == 2
        assert await asyncio.to_thread(query, path, "SELECT count(*) FROM leases") == [(0,)]
