"""The layout of the database: made, recognised and brought up to date.

::

    chunks    partition, name → last_day, expires_at, candles, payload     one row per chunk, found by its key
    holdings  partition, resolution → chunks, candles, bytes               kept by triggers: statistics are cheap
    leases    key → fence, expires_at, holder, failure, forget_at
    counters  name → value                                                 fence_floor: the highest fence forgotten

``partition`` is ``AAPL#tiingo`` and ``name`` the chunk's name, both as in every durable store. ``application_id`` says
that a file is ours and ``user_version`` which layout it has. Layouts only ever go forward: step N leads from layout N
to N + 1, and all steps that a file needs are one transaction.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

from ohlcache.adapters.stores.sqlite_deadline import Deadline
from ohlcache.adapters.stores.sqlite_refusals import foreign, newer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

APPLICATION_ID = 0x4F484C43
"""``OHLC``."""

PAGE_BYTES = 8192
"""Four years of daily candles to a page; a chunk of minutes spills over into pages that it fills."""

WAL_BYTES_KEPT = 16 * 1024 * 1024

_RETRY_SECONDS = 0.01

STEPS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE chunks (
            partition TEXT NOT NULL,
            name TEXT NOT NULL,
            last_day TEXT NOT NULL,
            expires_at REAL,
            candles INTEGER NOT NULL,
            payload BLOB NOT NULL,
            PRIMARY KEY (partition, name)
        )
        """,
        "CREATE INDEX chunks_by_expiry ON chunks (expires_at) WHERE expires_at IS NOT NULL",
        """
        CREATE TABLE holdings (
            partition TEXT NOT NULL,
            resolution TEXT NOT NULL,
            chunks INTEGER NOT NULL,
            candles INTEGER NOT NULL,
            bytes INTEGER NOT NULL,
            PRIMARY KEY (partition, resolution)
        ) WITHOUT ROWID
        """,
        """
        CREATE TRIGGER chunk_added AFTER INSERT ON chunks BEGIN
            INSERT INTO holdings VALUES (
                new.partition, substr(new.name, 1, instr(new.name, '#') - 1), 1, new.candles, length(new.payload)
            )
            ON CONFLICT DO UPDATE SET
                chunks = chunks + 1, candles = candles + excluded.candles, bytes = bytes + excluded.bytes;
        END
        """,
        """
        CREATE TRIGGER chunk_changed AFTER UPDATE ON chunks BEGIN
            UPDATE holdings
            SET candles = candles + new.candles - old.candles, bytes = bytes + length(new.payload) - length(old.payload)
            WHERE partition = new.partition AND resolution = substr(new.name, 1, instr(new.name, '#') - 1);
        END
        """,
        """
        CREATE TRIGGER chunk_dropped AFTER DELETE ON chunks BEGIN
            UPDATE holdings
            SET chunks = chunks - 1, candles = candles - old.candles, bytes = bytes - length(old.payload)
            WHERE partition = old.partition AND resolution = substr(old.name, 1, instr(old.name, '#') - 1);
            DELETE FROM holdings
            WHERE partition = old.partition AND resolution = substr(old.name, 1, instr(old.name, '#') - 1)
                AND chunks = 0;
        END
        """,
        """
        CREATE TABLE leases (
            key TEXT NOT NULL PRIMARY KEY,
            fence INTEGER NOT NULL,
            expires_at REAL NOT NULL,
            holder TEXT,
            failure BLOB,
            forget_at REAL NOT NULL
        ) WITHOUT ROWID
        """,
        "CREATE INDEX leases_by_end ON leases (forget_at)",
        "CREATE TABLE counters (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
        "INSERT INTO counters VALUES ('fence_floor', 0)",
    ),
)

SCHEMA_VERSION = len(STEPS)


def open_database(
    path: Path, *, deadline: Deadline | None = None, steps: Sequence[Sequence[str]] = STEPS
) -> sqlite3.Connection:
    """Return a connection to the database at ``path``, made or brought to the newest layout if need be.

    Whatever others hold at the moment is waited for until ``deadline``, by default one of its own.
    Transactions are opened by hand. ``synchronous=NORMAL``: in WAL mode a committed write survives the death of the
    process at any instant; a power loss may take the last commits, never the file. What it takes is fetched anew.
    """
    deadline = deadline if deadline is not None else Deadline()
    # Whoever has it in a thread of its own closes it from another when that thread has ended.
    connection = sqlite3.connect(path, timeout=deadline.seconds_left, isolation_level=None, check_same_thread=False)
    try:
        for pragma in (
            f"page_size = {PAGE_BYTES}",
            "synchronous = NORMAL",
            f"journal_size_limit = {WAL_BYTES_KEPT}",
            "cell_size_check = ON",
            "trusted_schema = OFF",
        ):
            connection.execute(f"PRAGMA {pragma}")
        _prepare(connection, path, steps, deadline)
    except BaseException:
        connection.close()
        raise
    return connection


class PassingConnection(sqlite3.Connection):
    """A connection that is good for one use: it may not see what others write once they can write again."""


def open_to_read(path: Path, deadline: Deadline) -> PassingConnection | None:
    """Return a connection to a database that nobody can write to at the moment; None where it cannot be read either.

    With its folder read-only or its disk full, SQLite cannot make the files that stand beside a database in use. They
    only keep readers and writers apart, so a database without a log is read as what it is: one file.
    """
    log = path.with_name(path.name + "-wal")
    logged = log.exists() and log.stat().st_size > 0
    for how in ("mode=ro",) if logged else ("mode=ro", "immutable=1"):
        with suppress(sqlite3.OperationalError):
            connection = sqlite3.connect(
                f"file:{quote(str(path.absolute()))}?{how}",
                uri=True,
                timeout=deadline.seconds_left,
                isolation_level=None,
                check_same_thread=False,
                factory=PassingConnection,
            )
            try:
                connection.execute("PRAGMA cell_size_check = ON")
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
                known = _version(connection) == SCHEMA_VERSION
            except BaseException:
                connection.close()
                raise
            if known:
                return connection
            connection.close()
    return None


def _prepare(connection: sqlite3.Connection, path: Path, steps: Sequence[Sequence[str]], deadline: Deadline) -> None:
    """Bring the database to the newest layout, from nothing or from any earlier one; StoreRefused when it is newer.

    Any number of processes may do this at once: the first does the work, the others find it done.
    """
    if _version(connection) != len(steps):
        wait_until(connection, deadline)
        with transaction(connection):
            version = _version(connection)
            if version > len(steps):
                raise newer(path, version, len(steps))
            if not version and connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise foreign(path)
            for step in steps[version:]:
                for statement in step:
                    connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {len(steps)}")
    # Only now, so that the first page of the file has our mark before there is anything beside the file.
    _write_ahead(connection, deadline)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what is done inside as one, or undo all of it; the write lock is taken at once, so nothing deadlocks."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # some errors have rolled back already
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def wait_until(connection: sqlite3.Connection, deadline: Deadline) -> None:
    """Let what ``connection`` does next wait for the locks of others until ``deadline``, and no longer."""
    connection.execute(f"PRAGMA busy_timeout = {int(deadline.seconds_left * 1000)}")


def _write_ahead(connection: sqlite3.Connection, deadline: Deadline) -> None:
    """Switch to WAL. The switch itself does not wait for other processes that just do the same, so we do."""
    while deadline.seconds_left:
        wait_until(connection, deadline)
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode = WAL")
            return
        time.sleep(_RETRY_SECONDS)
    connection.execute("PRAGMA journal_mode = WAL")
