"""A SQLite connection that lives in a thread of its own: nothing that it does can block the event loop.

Work given to the thread is done to its end, in order, whatever happens to the task that waits for it: a cancelled
caller neither loses a write nor leaves a transaction open. What another process holds is waited for, but each work has
one deadline, from the moment it is given: ten that queue for a locked file are refused together, not one after the
other. Work that fails in a way the connection may not survive closes it; the next work opens a new one, so a database
that is repaired is used again without a restart.
"""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from ohlcache.adapters.stores.sqlite_deadline import Deadline
from ohlcache.adapters.stores.sqlite_refusals import damaged
from ohlcache.adapters.stores.sqlite_schema import PassingConnection, wait_until
from ohlcache.domain.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")

_FREE_SPACE = "Free some space on its disk, or set OHLCACHE_DATA_DIR to a folder with room."
_FIND_HOLDER = "Find the process that keeps it locked, and end it."
_CHECK_FOLDER = "Check that the folder exists and can be written to, or set OHLCACHE_DATA_DIR to another one."
# SQLITE_ERROR: a statement does not fit the tables, so the tables are not those of the layout they claim.
_DAMAGE_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})
_PRIMARY_CODE = 0xFF
_NO_ROOM_FOR_THE_INDEX = sqlite3.SQLITE_IOERR_SHMSIZE
"""What a full disk looks like to somebody who only opens the database."""

_WHAT_AND_WHAT_NEXT = {
    sqlite3.SQLITE_FULL: ("the disk is full", _FREE_SPACE),
    sqlite3.SQLITE_READONLY: ("it cannot be written to", _CHECK_FOLDER),
    sqlite3.SQLITE_PERM: ("access was denied", _CHECK_FOLDER),
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened", _CHECK_FOLDER),
    sqlite3.SQLITE_IOERR: ("its disk reports an error", "Check the disk; what was not stored is fetched again."),
    sqlite3.SQLITE_BUSY: ("another process holds it", _FIND_HOLDER),
    sqlite3.SQLITE_LOCKED: ("another process holds it", _FIND_HOLDER),
    sqlite3.SQLITE_NOMEM: ("there is not enough memory", "Give the process more memory."),
}


class ConnectionThread:
    """One thread, one connection, opened when first needed by ``open_connection`` in that thread."""

    def __init__(self, path: Path, open_connection: Callable[[Deadline], sqlite3.Connection], *, name: str) -> None:
        self._path = path
        self._open = open_connection
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        self._locked = False
        self.pending = 0

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what ``work`` makes of the connection. Any failure of SQLite or the disk is raised as StoreError.

        So is a wait of ``BUSY_SECONDS_MAX`` for what another process has locked, the wait behind others included.
        """
        if self._closed:
            raise StoreError("The store has been closed.", hint="Open it again.")
        future = self._executor.submit(self._do, work, Deadline())
        self.pending += 1
        try:
            return await asyncio.shield(asyncio.wrap_future(future))
        finally:
            self.pending -= 1

    async def close(self) -> None:
        """Let the work that was given end, then close the connection and the thread; idempotent."""
        if not self._closed:
            self._closed = True
            try:
                closing = self._executor.submit(self._drop_connection)
            except RuntimeError:
                # The interpreter is ending, and the thread has ended with its last work.
                self._drop_connection()
                return
            await asyncio.shield(asyncio.wrap_future(closing))
            self._executor.shutdown(wait=False)

    def _do(self, work: Callable[[sqlite3.Connection], T], deadline: Deadline) -> T:
        if not deadline.seconds_left:
            # Who has waited behind work that found the file locked has waited for the lock; behind other work, not yet.
            if self._locked:
                raise StoreError(f"{self._path} cannot be used: another process holds it.", hint=_FIND_HOLDER)
            deadline = Deadline()
        self._locked = False
        try:
            if self._connection is None:
                self._connection = self._open(deadline)
            wait_until(self._connection, deadline)
            return work(self._connection)
        except sqlite3.Error as exc:
            self._locked = is_busy(exc)
            if not self._locked:
                self._drop_connection()
            raise translated(exc, self._path) from exc
        except OSError as exc:
            self._drop_connection()
            raise StoreError(f"{self._path} cannot be used: {exc.strerror}.", hint=_CHECK_FOLDER) from exc
        finally:
            if isinstance(self._connection, PassingConnection):
                self._drop_connection()

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()


def translated(error: sqlite3.Error, path: Path) -> StoreError:
    """Return what an operator is told about an error of SQLite."""
    code = _code(error)
    if code in _DAMAGE_CODES or type(error) is sqlite3.DatabaseError:
        return damaged(path, error)
    what, hint = _WHAT_AND_WHAT_NEXT.get(code, (str(error), _CHECK_FOLDER))
    return StoreError(f"{path} cannot be used: {what}.", hint=hint)


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another process holds what was needed, so that the same may work later, on the same connection."""
    return _code(error) == sqlite3.SQLITE_BUSY


def _code(error: sqlite3.Error) -> int:
    code = getattr(error, "sqlite_errorcode", None) or 0
    return sqlite3.SQLITE_FULL if code == _NO_ROOM_FOR_THE_INDEX else code & _PRIMARY_CODE
