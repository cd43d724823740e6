"""Which files are not touched, and what their owner is told.

A file is looked at before it is opened for good: that may already write (a journal is rolled back, a write-ahead log is
merged). What is not a database, not ours, newer or damaged is refused and stays as it is to the byte.

Even the looking is done through SQLite. A plain ``open`` and ``close`` of the file would, by the rules of POSIX, drop
the locks that other connections of this process hold on it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote

from ohlcache.domain.errors import StoreRefused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ohlcache.adapters.stores.sqlite_deadline import Deadline

CHECKED_BYTES_MAX = 16 * 1024 * 1024
"""Up to this size a file is checked whole when it is opened; of larger ones, what is read is checked."""

DATABASE_BYTES_MIN = 512
"""The smallest page there is. SQLite takes a shorter file for an empty one, and would write over it."""

_ELSEWHERE = "Move it aside, or set OHLCACHE_DATA_DIR to another folder."


def refuse_unless_ours(path: Path, deadline: Deadline, *, application_id: int, version: int) -> None:
    """Raise StoreRefused unless ``path`` is absent, empty, or a database of ours in a layout that is known."""
    logged = _size(_beside(path, "-wal")) > 0
    size = _size(path)
    if not size:
        if logged:  # ours never look so: their first page is there before there is a log
            raise damaged(path, "it is empty, but has a log")
        return
    if size < DATABASE_BYTES_MIN:
        raise _no_database(path)
    try:
        found_application, found_version = _marks(path, deadline)
    except sqlite3.DatabaseError as exc:
        if isinstance(exc, sqlite3.OperationalError):
            raise
        raise _no_database(path) from exc
    if found_application != application_id:
        raise foreign(path)
    if logged and not _half_made(path):
        with _reading(path, "mode=ro", deadline) as connection:
            found_version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if found_version > version:
        raise newer(path, found_version, version)


def refuse_damaged(path: Path, deadline: Deadline) -> None:
    """Raise StoreRefused when the database at ``path``, which is ours, is not sound."""
    if not _size(path) or _half_made(path):
        return
    if not _in_use(path):
        try:
            with _reading(path, "immutable=1", deadline) as connection:
                _quick_check(connection, path)
        except StoreRefused:
            if not _in_use(path):
                raise
        else:
            return
    # Others may be writing just now, or died with something in the log: the last word is had under SQLite's locks.
    with _reading(path, "mode=ro", deadline) as connection:
        _quick_check(connection, path)


def _no_database(path: Path) -> StoreRefused:
    return StoreRefused(f"{path} is not a SQLite database.", hint=_ELSEWHERE)


def foreign(path: Path) -> StoreRefused:
    """Return the refusal of somebody else's database."""
    return StoreRefused(f"{path} is the database of another program.", hint=_ELSEWHERE)


def newer(path: Path, found: int, known: int) -> StoreRefused:
    """Return the refusal of a layout from the future."""
    return StoreRefused(
        f"{path} was written by a newer ohlcache (layout {found}; this one knows {known}).",
        hint="Upgrade ohlcache, or set OHLCACHE_DATA_DIR to another folder.",
    )


def damaged(path: Path, detail: object) -> StoreRefused:
    """Return the refusal of a damaged file."""
    return StoreRefused(
        f"{path} is damaged: {detail}.",
        hint="Move it aside, together with the files of the same name that end in -wal and -shm, and start again: "
        "everything in it can be fetched anew.",
    )


def _marks(path: Path, deadline: Deadline) -> tuple[int, int]:
    """Return application_id and user_version as the main file has them, leaving no trace."""
    with closing(_read_only(path, "immutable=1", deadline)) as connection:
        connection.execute("PRAGMA writable_schema = ON")  # or a file that is too short would not tell its marks
        application, version = (
            int(connection.execute(f"PRAGMA {mark}").fetchone()[0]) for mark in ("application_id", "user_version")
        )
    return application, version


def _half_made(path: Path) -> bool:
    """Whether its maker was killed: SQLite will undo that when it may write, and can say nothing more before."""
    return _size(_beside(path, "-journal")) > 0


def _in_use(path: Path) -> bool:
    """Whether another connection has the file open, or died with it open: without one there is nothing beside it."""
    return _beside(path, "-wal").exists() or _beside(path, "-shm").exists()


@contextmanager
def _reading(path: Path, how: str, deadline: Deadline) -> Iterator[sqlite3.Connection]:
    """Open ``path`` to be read only; what turns out to be damaged is refused."""
    try:
        with closing(_read_only(path, how, deadline)) as connection:
            yield connection
    except sqlite3.DatabaseError as exc:
        if isinstance(exc, sqlite3.OperationalError):
            raise
        raise damaged(path, exc) from exc


def _quick_check(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if _size(path) > CHECKED_BYTES_MAX:
        return
    found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    if found != "ok":
        raise sqlite3.DatabaseError(found.splitlines()[-1])


def _read_only(path: Path, how: str, deadline: Deadline) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?{how}", uri=True, timeout=deadline.seconds_left)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _size(path: Path) -> int:
    """Return the size of a file, 0 when there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
