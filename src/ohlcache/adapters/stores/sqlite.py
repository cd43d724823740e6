"""The store of one machine: a SQLite file that any number of processes share, and that needs no set-up.

One connection writes and two read, each in its own thread; a write is one transaction, so whatever kills its process,
all of it is there or nothing. Ranges are one indexed query. Expired chunks go with the writes that follow, a few at a
time.
"""

from __future__ import annotations

import math
import sqlite3
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

import msgspec

from ohlcache.adapters.chunk_codec import CorruptChunk, decode, encode
from ohlcache.adapters.stores.lease_rules import LeaseRecord, held_by, seen, take
from ohlcache.adapters.stores.sqlite_refusals import refuse_damaged, refuse_unless_ours
from ohlcache.adapters.stores.sqlite_schema import (
    APPLICATION_ID,
    SCHEMA_VERSION,
    open_database,
    open_to_read,
    transaction,
)
from ohlcache.adapters.stores.sqlite_threads import ConnectionThread, is_busy
from ohlcache.domain.chunks import ChunkName, cell_start
from ohlcache.domain.market_time import DAY_SECONDS
from ohlcache.domain.resolution import Resolution
from ohlcache.ports import FailureNote, Lease, LeaseTaken, Level, Metric, StoreUsage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ohlcache.adapters.stores.sqlite_deadline import Deadline
    from ohlcache.domain.chunks import Chunk
    from ohlcache.domain.series import Series
    from ohlcache.domain.span import Span
    from ohlcache.ports import Clock, Telemetry

READ_THREADS = 2
PURGED_WITH_A_WRITE_MAX = 16
PURGED_AT_ONCE_MAX = 500
CORRUPT_REMEMBERED_MAX = 1000

LEASE_RECORD_SECONDS = DAY_SECONDS
"""How long after its expiry a lease's fence and failure note are kept: far longer than anybody waits."""

TEST_LIFE_SECONDS = 300.0
"""How long anything under a key prefix lives."""

_UPSERT = """
    INSERT INTO chunks (partition, name, last_day, expires_at, candles, payload) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET expires_at = excluded.expires_at, payload = excluded.payload
    WHERE expires_at IS NOT excluded.expires_at OR payload IS NOT excluded.payload
"""
_READ = "SELECT name, payload FROM chunks WHERE partition = ? AND name >= ? AND name <= ? AND last_day >= ?"
_DELETE = "DELETE FROM chunks WHERE partition = ? AND name = ?"
_PURGE = """
    DELETE FROM chunks WHERE (partition, name) IN (
        SELECT partition, name FROM chunks WHERE expires_at IS NOT NULL AND expires_at <= ? ORDER BY expires_at LIMIT ?
    )
"""
_TAKE = "INSERT OR REPLACE INTO leases (key, fence, expires_at, holder, failure, forget_at) VALUES (?, ?, ?, ?, ?, ?)"
_LOOK = "SELECT fence, expires_at, holder, failure FROM leases WHERE key = ?"
_AFTER_ANY_DIGEST = "~"
_AFTER_MARK = chr(ord("#") + 1)

# Test runs and the rest do not see one another: a partition is ours if it is our prefix, a ticker and a source.
_OURS = (
    "substr(partition, 1, :start - 1) = :prefix AND length(partition) - length(replace(partition, '#', '')) = :marks"
)
_TICKER = "substr(partition, :start, instr(substr(partition, :start), '#') - 1)"
_TICKERS = f"SELECT DISTINCT {_TICKER} FROM holdings WHERE {_OURS} ORDER BY 1"  # noqa: S608 - constants of this module
_COUNTS = f"coalesce(sum(chunks), 0), coalesce(sum(candles), 0), count(DISTINCT {_TICKER})"
_USAGE = f"SELECT {_COUNTS} FROM holdings WHERE {_OURS}"  # noqa: S608
_SIZES = f"SELECT partition, resolution, chunks, candles, bytes FROM holdings WHERE {_OURS} ORDER BY 1, 2"  # noqa: S608
_PARTITIONS = f"SELECT DISTINCT partition FROM holdings WHERE partition >= :low AND partition < :high AND {_OURS}"  # noqa: S608


@dataclass(frozen=True, slots=True)
class SeriesSize:
    """What is held of one series; ``bytes`` are those of its chunks."""

    ticker: str
    source: str
    resolution: Resolution
    chunks: int
    candles: int
    bytes: int


@dataclass(frozen=True, slots=True)
class VacuumReport:
    """What the database took on disk, its log included, before and after it was rewritten; and what had expired."""

    bytes_before: int
    bytes_after: int
    purged: int


class SqliteStore:
    """A CandleStore and LeaseTable in a SQLite file. ``open`` it; made directly, it connects with the first use.

    Where nothing can be written (a read-only folder, a full disk), writes and leases fail and what is held is read.
    """

    def __init__(
        self, path: Path, *, telemetry: Telemetry, final_life_seconds: float, clock: Clock, key_prefix: str = ""
    ) -> None:
        self._path = path
        self._telemetry = telemetry
        self._final_life_seconds = final_life_seconds
        self._clock = clock
        self._prefix = key_prefix
        self._ours = {"prefix": key_prefix, "start": len(key_prefix) + 1, "marks": key_prefix.count("#") + 1}
        self._corrupt: set[tuple[str, str]] = set()
        self._writer = ConnectionThread(path, self._connect_to_write, name="sqlite-write")
        self._readers = [ConnectionThread(path, self._connect_to_read, name="sqlite-read") for _ in range(READ_THREADS)]

    @classmethod
    async def open(
        cls, path: Path, *, telemetry: Telemetry, final_life_seconds: float, clock: Clock, key_prefix: str = ""
    ) -> Self:
        """Return the store in the file ``path``, connected."""
        store = cls(
            path, telemetry=telemetry, final_life_seconds=final_life_seconds, clock=clock, key_prefix=key_prefix
        )
        await store.connect()
        return store

    async def connect(self) -> None:
        """Make sure of the file now, and make it with its folder when it is not there.

        Raises StoreRefused when what is there is damaged, newer or somebody else's (it stays untouched), and StoreError
        when nothing can be opened or made there; both say what to do, and the store is closed.
        """
        try:
            await self._writer.run(lambda connection: None)  # noqa: ARG005 - opening is all it is for
        except BaseException:
            await self.close()
            raise

    @property
    def name(self) -> str:
        """The tier's name in ``X-Cache-Source``."""
        return "sqlite"

    # --- chunks ------------------------------------------------------------------------------------------------

    async def read(self, series: Series, span: Span, *, strongly: bool = False) -> Sequence[Chunk]:  # noqa: ARG002 - always
        """Return every whole, readable chunk of ``series`` that overlaps ``span``, whatever was written before."""
        partition = self._partition(series)
        first = f"{series.resolution}#{cell_start(span.start, series.resolution).isoformat()}"
        last = f"{series.resolution}#{span.end.isoformat()}#{_AFTER_ANY_DIGEST}"

        def work(connection: sqlite3.Connection) -> tuple[list[Chunk], list[tuple[str, CorruptChunk]]]:
            rows = connection.execute(_READ, (partition, first, last, span.start.isoformat())).fetchall()
            chunks, corrupt = [], []
            for name, payload in rows:
                try:
                    chunks.append(decode(series, _parsed(name), payload))
                except CorruptChunk as exc:
                    corrupt.append((name, exc))
            return chunks, corrupt

        chunks, corrupt = await self._reader().run(work)
        for name, problem in corrupt:
            self._telemetry.count(Metric.CORRUPT_CHUNKS, store=self.name)
            self._telemetry.log(Level.ERROR, "corrupt chunk ignored", store=self.name, problem=problem.message)
            if len(self._corrupt) < CORRUPT_REMEMBERED_MAX:
                self._corrupt.add((partition, name))
        return chunks

    async def write(self, chunks: Sequence[Chunk], *, delete: Sequence[Chunk] = ()) -> None:
        """Keep ``chunks``, then drop ``delete`` and what was found corrupt beside them, all in one transaction."""
        if not chunks and not delete:
            return
        now = self._clock.now()
        partitions = {self._partition(chunk.series) for chunk in (*chunks, *delete)}
        corrupt = {key for key in self._corrupt if key[0] in partitions}

        def work(connection: sqlite3.Connection) -> None:
            rows = [self._row(chunk, now) for chunk in chunks]
            drop = {(self._partition(chunk.series), str(chunk.name)) for chunk in delete}
            drop |= corrupt - {(row[0], row[1]) for row in rows}
            with transaction(connection):
                connection.executemany(_UPSERT, rows)
                connection.executemany(_DELETE, sorted(drop))
                connection.execute(_PURGE, (now, PURGED_WITH_A_WRITE_MAX))
                _forget_leases(connection, now)

        await self._writer.run(work)
        self._corrupt -= corrupt

    async def delete_ticker(self, ticker: str) -> int:
        """Drop every chunk of every series of ``ticker``; return how many there were."""
        first = f"{self._prefix}{ticker}"
        named = {**self._ours, "low": f"{first}#", "high": f"{first}{_AFTER_MARK}"}

        def work(connection: sqlite3.Connection) -> int:
            with transaction(connection):
                partitions = connection.execute(_PARTITIONS, named).fetchall()
                return sum(
                    connection.execute("DELETE FROM chunks WHERE partition = ?", partition).rowcount
                    for partition in partitions
                )

        return await self._writer.run(work)

    async def tickers(self) -> Sequence[str]:
        """Return the tickers of which something is held, sorted."""
        rows = await self._reader().run(lambda connection: connection.execute(_TICKERS, self._ours).fetchall())
        return [ticker for (ticker,) in rows]

    async def usage(self) -> StoreUsage:
        """Return how much is held; ``bytes`` are those of the file's pages in use, whoever they belong to."""

        def work(connection: sqlite3.Connection) -> StoreUsage:
            chunks, candles, tickers = connection.execute(_USAGE, self._ours).fetchone()
            return StoreUsage(chunks=chunks, candles=candles, bytes=_bytes_used(connection), tickers=tickers)

        return await self._reader().run(work)

    async def size_report(self) -> Sequence[SeriesSize]:
        """Return what every series takes, by ticker, source and resolution."""
        rows = await self._reader().run(lambda connection: connection.execute(_SIZES, self._ours).fetchall())
        return [
            SeriesSize(*self._split(partition), Resolution(resolution), chunks, candles, payload_bytes)
            for partition, resolution, chunks, candles, payload_bytes in rows
        ]

    async def purge_expired(self) -> int:
        """Drop everything whose time is over; return how many chunks that were."""
        now = self._clock.now()
        purged = 0
        while True:
            batch = await self._writer.run(lambda connection: _purge(connection, now))
            purged += batch
            if batch < PURGED_AT_ONCE_MAX:
                return purged

    async def vacuum(self) -> VacuumReport:
        """Drop what has expired and rewrite the file without its gaps; others can read meanwhile, writers wait."""
        before = await self._writer.run(lambda _: self._bytes_on_disk())
        purged = await self.purge_expired()

        def work(connection: sqlite3.Connection) -> int:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            return self._bytes_on_disk()

        return VacuumReport(before, await self._writer.run(work), purged)

    async def close(self) -> None:
        """Let the writes that were begun end, then release the file and the threads; idempotent."""
        for thread in (*self._readers, self._writer):
            await thread.close()

    # --- leases ------------------------------------------------------------------------------------------------

    async def acquire(
        self, key: str, holder: str, *, now: float, life_seconds: float, displacing: int | None = None
    ) -> Lease | LeaseTaken:
        """Take the lease if it is free, released or expired at ``now``, or held with the fence ``displacing``."""
        key_here = self._prefix + key

        def work(connection: sqlite3.Connection) -> Lease | LeaseTaken:
            with transaction(connection):
                held = _lease_record(connection, key, key_here)
                floor = 0 if held is not None else _fence_floor(connection)
                taken = take(
                    held, key, holder, now=now, life_seconds=life_seconds, displacing=displacing, fence_floor=floor
                )
                if taken is None:
                    assert held is not None, "only another's lease stands in the way"
                    return LeaseTaken(key, held.fence, held.expires_at)
                kept_seconds = TEST_LIFE_SECONDS if self._prefix else LEASE_RECORD_SECONDS
                forget_at = taken.expires_at + kept_seconds
                connection.execute(_TAKE, (key_here, taken.fence, taken.expires_at, holder, None, forget_at))
                return Lease(key, holder, taken.fence, taken.expires_at)

        return await self._writer.run(work)

    async def look(self, key: str, *, now: float) -> LeaseTaken | None:
        """Return who has the lease (strongly consistent), None when it is free; a released failure is still shown."""
        key_here = self._prefix + key
        return await self._reader().run(lambda connection: seen(_lease_record(connection, key, key_here), now))

    async def release(self, lease: Lease, *, failure: FailureNote | None = None) -> None:
        """Give the lease back, if it is still this holder's (holder and fence); otherwise do nothing."""
        key_here = self._prefix + lease.key
        note = msgspec.json.encode(asdict(failure)) if failure is not None else None

        def work(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                held = _lease_record(connection, lease.key, key_here)
                if held is not None and held_by(held, lease):
                    connection.execute("UPDATE leases SET holder = NULL, failure = ? WHERE key = ?", (note, key_here))

        await self._writer.run(work)

    # --- within ------------------------------------------------------------------------------------------------

    def _connect_to_write(self, deadline: Deadline) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        refuse_unless_ours(self._path, deadline, application_id=APPLICATION_ID, version=SCHEMA_VERSION)
        refuse_damaged(self._path, deadline)
        return open_database(self._path, deadline=deadline)

    def _connect_to_read(self, deadline: Deadline) -> sqlite3.Connection:
        refuse_unless_ours(self._path, deadline, application_id=APPLICATION_ID, version=SCHEMA_VERSION)
        try:
            connection = open_database(self._path, deadline=deadline)
        except sqlite3.OperationalError as exc:
            # What is read past the lock of a process that writes could be half of its write.
            passing = None if is_busy(exc) else open_to_read(self._path, deadline)
            if passing is None:
                raise
            return passing
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _reader(self) -> ConnectionThread:
        return min(self._readers, key=lambda reader: reader.pending)

    def _partition(self, series: Series) -> str:
        return f"{self._prefix}{series.ticker}#{series.source}"

    def _split(self, partition: str) -> tuple[str, str]:
        ticker, source = partition.removeprefix(self._prefix).split("#")
        return ticker, source

    def _row(self, chunk: Chunk, now: float) -> tuple[str, str, str, float | None, int, bytes]:
        expires_at = chunk.expires_at(self._final_life_seconds)
        if self._prefix:
            expires_at = min(expires_at, now + TEST_LIFE_SECONDS)
        return (
            self._partition(chunk.series),
            str(chunk.name),
            chunk.last_day.isoformat(),
            None if math.isinf(expires_at) else expires_at,
            len(chunk.holding.candles),
            encode(chunk),
        )

    def _bytes_on_disk(self) -> int:
        paths = (self._path, self._path.with_name(self._path.name + "-wal"))
        return sum(path.stat().st_size for path in paths if path.exists())


def _parsed(name: str) -> ChunkName:
    try:
        return ChunkName.parse(name)
    except ValueError as exc:
        raise CorruptChunk(f"What is stored under {name[:60]!r} is no chunk.") from exc


def _purge(connection: sqlite3.Connection, now: float) -> int:
    with transaction(connection):
        return connection.execute(_PURGE, (now, PURGED_AT_ONCE_MAX)).rowcount


def _bytes_used(connection: sqlite3.Connection) -> int:
    pages, free, page_bytes = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * page_bytes


def _lease_record(connection: sqlite3.Connection, key: str, key_here: str) -> LeaseRecord | None:
    row = connection.execute(_LOOK, (key_here,)).fetchone()
    if row is None:
        return None
    fence, expires_at, holder, note = row
    failure = msgspec.json.decode(note, type=FailureNote) if note is not None else None
    return LeaseRecord(key, fence, expires_at, holder, failure)


def _fence_floor(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT value FROM counters WHERE name = 'fence_floor'").fetchone()[0])


def _forget_leases(connection: sqlite3.Connection, now: float) -> None:
    """Drop a few old lease records; new keys begin above the highest fence dropped, so a key's fence never falls."""
    gone = connection.execute(
        "SELECT key, fence FROM leases WHERE forget_at <= ? LIMIT ?", (now, PURGED_WITH_A_WRITE_MAX)
    ).fetchall()
    if gone:
        highest = max(fence for _, fence in gone)
        connection.execute("UPDATE counters SET value = max(value, ?) WHERE name = 'fence_floor'", (highest,))
        connection.executemany("DELETE FROM leases WHERE key = ?", [(key,) for key, _ in gone])
