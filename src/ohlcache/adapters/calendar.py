"""The sessions of the New York Stock Exchange (XNYS), read from a table that ships with the package.

The file is one JSON header line (UTF-8, ended by a line feed)::

    {"exchange":"XNYS","version":"<exchange_calendars version>+<last>","first":...,"last":...,"sessions":N}

then one zstd frame of three little-endian int32 columns, N values each, every one small so that the frame is:

* ``day``: the market date's proleptic ordinal, as the difference from the row before (the first from 0);
* ``open``: the opening instant, in minutes after 00:00 UTC of the market date;
* ``close``: the closing instant, in minutes after the open.

``tools/build_calendar.py`` writes it. exchange_calendars is needed only there: importing it and pandas takes
longer than half a second.

What the source knows, the table says: full closures, planned or not, and half-days. It counts every ordinary
session as 09:30 to 16:00, also before 1985-09-30 when trading began at 10:00, and knows no delayed openings
(2002-09-11).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import zstandard

from ohlcache.domain.market_time import midnight_utc
from ohlcache.domain.sessions import SessionTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

XNYS_TABLE = Path(__file__).parents[1] / "data" / "xnys_sessions.bin"

_COLUMN = np.dtype("<i4")
_ZSTD_LEVEL = 19


def load_xnys() -> SessionTable:
    """Return every XNYS session of the shipped table."""
    return decode_sessions(XNYS_TABLE.read_bytes())


def decode_sessions(table: bytes) -> SessionTable:
    """Return the sessions in ``table``, a whole file of the format above."""
    header_line, frame = table.split(b"\n", 1)
    header = json.loads(header_line)
    raw = zstandard.ZstdDecompressor().decompress(frame)
    columns = np.frombuffer(raw, _COLUMN).reshape(3, header["sessions"])
    day, open_minutes, close_minutes = columns.astype(np.int64)
    days = np.cumsum(day)
    opens = midnight_utc(days) + open_minutes * 60
    return SessionTable(header["version"], days.astype(np.int32), opens, opens + close_minutes * 60)


def encode_sessions(table: SessionTable, exchange: str) -> bytes:
    """Return ``table`` as a file of the format above; opens and closes fall on whole minutes."""
    midnights = midnight_utc(table.days.astype(np.int64))
    columns: list[NDArray[np.int64]] = [
        np.diff(table.days, prepend=0).astype(np.int64),
        (table.opens - midnights) // 60,
        (table.closes - table.opens) // 60,
    ]
    header = {
        "exchange": exchange,
        "version": table.version,
        "first": table.span.start.isoformat(),
        "last": table.span.end.isoformat(),
        "sessions": len(table.days),
    }
    raw = b"".join(column.astype(_COLUMN).tobytes() for column in columns)
    frame = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(raw)
    return json.dumps(header, separators=(",", ":")).encode() + b"\n" + frame
