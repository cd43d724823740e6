"""A chunk as bytes, compact and lossless to the bit; both durable stores keep chunks in this form.

The layout, little-endian::

    "OC"  version  series length  CRC-32 of all but itself  frame length  digest  series  frame  planes beside it
    2     u8       u8             u32                       u32           8       UTF-8

The frame (zstd) opens with a head (``_HEAD``: how many sessions, candles, actions, fine and bit-kept prices; the digits
of the ticks), then columns as ``integer_columns`` describes:

* per session: day, state, observed_at, count, and the first candle's offset from 00:00 UTC of the day;
* per candle: the step from the candle before beyond the resolution (0 on the grid, so nothing is stored);
  open less the previous close, close less open, high above both, low below both, in ticks; volume;
* exceptions to the ticks (``decimal_prices``), and the actions with their floats' bits.

The four columns of prices are one, end to end, and so are those of the actions. Prices that are no decimals are float64
bits instead of ticks. In layout 1, which is still read, each of these columns stood for itself.

A payload proves itself by the CRC, and that it is the chunk that its key names by the digest it was written with. The
digest is not computed anew on reading: over a year of minutes that would take longer than all the rest.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import zstandard

from ohlcache.adapters.decimal_prices import Ticks, from_ticks, to_ticks
from ohlcache.adapters.integer_columns import ColumnReader, ColumnWriter, Form
from ohlcache.domain.adjustment import Actions
from ohlcache.domain.candles import Candles
from ohlcache.domain.chunks import DIGEST_BYTES, Chunk
from ohlcache.domain.coverage import Coverage, Holding
from ohlcache.domain.errors import StoreError
from ohlcache.domain.market_time import midnight_utc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ohlcache.domain.chunks import ChunkName
    from ohlcache.domain.series import Series

    Int64s = NDArray[np.int64]
    Float64s = NDArray[np.float64]

MAGIC = b"OC"
VERSION = 2
VERSION_WITH_REJECTED = 3
"""Laid out as version 2. Programs that do not know the state REJECTED would take such sessions for whole."""
_VERSION_WITH_COLUMNS_APART = 1

SESSIONS_MAX = 1024
CANDLES_MAX = 1 << 17
"""More than a cell has: a quarter of sessions, each with every minute of the day, has not."""

_ENVELOPE = struct.Struct("<2sBBII")
_HEAD = struct.Struct("<IIIIIBB")
_BITS_NOT_TICKS = 255


class CorruptChunk(StoreError):
    """Stored bytes are not the chunk that their key names; whoever reads them goes on without."""

    code = "corrupt_chunk"


class _Head(NamedTuple):
    sessions: int
    candles: int
    actions: int
    fine: int
    bits: int
    digits: int
    fine_digits: int

    def check(self) -> None:
        """Raise ValueError when no chunk has such lengths, before anything is made that long."""
        if (
            self.sessions > SESSIONS_MAX
            or self.candles > CANDLES_MAX
            or self.actions > SESSIONS_MAX
            or self.fine + self.bits > 4 * self.candles
        ):
            raise ValueError("it says that it is longer than any chunk")

    def columns(self, *, apart: bool) -> int:
        """Return how many columns that are not empty follow; ``apart``: as layout 1 has them."""
        return (
            5 * bool(self.sessions)
            + (6 if apart else 3) * bool(self.candles)
            + 2 * bool(self.fine)
            + 2 * bool(self.bits)
            + (4 if apart else 1) * bool(self.actions)
        )


def encode(chunk: Chunk) -> bytes:
    """Return ``chunk`` as bytes; the same chunk gives the same bytes."""
    coverage, candles, actions = chunk.holding.coverage, chunk.holding.candles, chunk.holding.actions
    _assert_types(chunk.holding)
    ticks = to_ticks(_price_rows(candles))
    head = _Head(
        sessions=len(coverage),
        candles=len(candles),
        actions=len(actions),
        fine=0 if ticks is None else len(ticks.fine_at),
        bits=0 if ticks is None else len(ticks.bits_at),
        digits=_BITS_NOT_TICKS if ticks is None else ticks.digits,
        fine_digits=0 if ticks is None else ticks.fine_digits,
    )
    writer = ColumnWriter()
    for column, form in zip(coverage.columns(), (Form.DELTA, Form.PLAIN, Form.DELTA, Form.PLAIN), strict=True):
        writer.put(column.astype(np.int64), form)
    starts, steps = _times_to_grid(candles.time, coverage, chunk.series.resolution.seconds)
    writer.put(starts)
    writer.put(steps)
    if ticks is None:
        writer.put(_price_rows(candles).view(np.int64).reshape(-1))
    else:
        writer.put(_shape(ticks.values).reshape(-1), Form.SIGNED)
    writer.put(candles.volume)
    if ticks is not None:
        writer.put(ticks.fine_at, Form.DELTA)
        writer.put(ticks.fine_rest)
        writer.put(ticks.bits_at, Form.DELTA)
        writer.put(ticks.bits)
    writer.put(_action_rows(actions).reshape(-1), Form.WHOLE)
    frame, beside = writer.finish(_HEAD.pack(*head))
    series = str(chunk.series).encode()
    body = bytes.fromhex(chunk.name.digest) + series + frame + beside
    version = VERSION_WITH_REJECTED if coverage.rejected.any() else VERSION
    checksum = zlib.crc32(body, _crc_before_body(version, len(series), len(frame)))
    return _ENVELOPE.pack(MAGIC, version, len(series), checksum, len(frame)) + body


def _crc_before_body(version: int, series_bytes: int, frame_bytes: int) -> int:
    if version == _VERSION_WITH_COLUMNS_APART:
        return frame_bytes
    return zlib.crc32(_ENVELOPE.pack(MAGIC, version, series_bytes, 0, frame_bytes))


def decode(series: Series, name: ChunkName, payload: bytes) -> Chunk:
    """Return the chunk of ``series`` called ``name`` that ``payload`` holds; CorruptChunk when it is not that."""
    try:
        digest, holding = _decoded(series, payload)
        first_day = holding.coverage.days[0]
    except _UNDECODABLE as exc:
        raise CorruptChunk(f"The stored chunk {name} of {series} cannot be decoded: {exc}.", hint=_HINT) from exc
    if digest != name.digest or first_day != name.first_day.toordinal():
        raise CorruptChunk(f"What is stored as chunk {name} of {series} holds the chunk {digest}.", hint=_HINT)
    return Chunk(series, holding, name)


_UNDECODABLE = (
    *(struct.error, zstandard.ZstdError, UnicodeDecodeError, ValueError),
    *(IndexError, OverflowError, MemoryError, AssertionError),
)
_HINT = "Nothing needs to be done: it is ignored and will be fetched anew."


def _decoded(series: Series, payload: bytes) -> tuple[str, Holding]:
    magic, version, series_bytes, checksum, frame_bytes = _ENVELOPE.unpack_from(payload)
    if magic != MAGIC:
        raise ValueError("it is not a chunk")
    if not _VERSION_WITH_COLUMNS_APART <= version <= VERSION_WITH_REJECTED:
        raise ValueError(f"its layout is version {version}, this program knows {VERSION_WITH_REJECTED}")
    before = _crc_before_body(version, series_bytes, frame_bytes)
    if zlib.crc32(memoryview(payload)[_ENVELOPE.size :], before) != checksum:
        raise ValueError("its checksum is wrong")
    series_at = _ENVELOPE.size + DIGEST_BYTES
    frame_at = series_at + series_bytes
    digest = payload[_ENVELOPE.size : series_at].hex()
    written_for = payload[series_at:frame_at].decode()
    if written_for != str(series):
        raise ValueError(f"it belongs to {written_for}")
    beside_at = frame_at + frame_bytes
    reader = ColumnReader(payload[frame_at:beside_at], payload[beside_at:], head_bytes=_HEAD.size)
    head = _Head(*_HEAD.unpack(reader.head))
    head.check()
    apart = version == _VERSION_WITH_COLUMNS_APART
    reader.expect(head.columns(apart=apart))
    days, states, observed_at, counts, starts = [reader.take(head.sessions) for _ in range(5)]
    steps = reader.take(head.candles)
    prices = _four(reader, head.candles, apart=apart)
    volume = reader.take(head.candles)
    time = _times_from_grid(days, counts, starts, steps, series.resolution.seconds)
    if head.digits == _BITS_NOT_TICKS:
        floats = prices.view(np.float64)
    else:
        exceptions = [reader.take(length) for length in (head.fine, head.fine, head.bits, head.bits)]
        floats = from_ticks(Ticks(head.digits, _unshape(prices), head.fine_digits, *exceptions))
    action_days, *action_bits = _four(reader, head.actions, apart=apart)
    reader.finish()
    return digest, Holding(
        Coverage(days.astype(np.int32), states.astype(np.uint8), observed_at, counts.astype(np.int32)),
        Candles(time, floats[0], floats[1], floats[2], floats[3], volume),
        Actions(action_days.astype(np.int32), *(column.view(np.float64) for column in action_bits)),
    )


def _four(reader: ColumnReader, length: int, *, apart: bool) -> Int64s:
    """Return the next four columns of ``length``, which are one unless they stand ``apart``."""
    if apart:
        return np.stack([reader.take(length) for _ in range(4)])
    return reader.take(4 * length).reshape(4, length)


def _assert_types(holding: Holding) -> None:
    """Other dtypes would not come back, and the digest is taken over the columns' bytes."""
    parts = (holding.coverage, holding.candles, holding.actions)
    types = [column.dtype.str for part in parts for column in part.columns()]
    assert types == [
        *("<i4", "|u1", "<i8", "<i4"),
        *("<i8", "<f8", "<f8", "<f8", "<f8", "<i8"),
        *("<i4", "<f8", "<f8", "<f8"),
    ], f"columns of other types than promised: {types}"


def _price_rows(candles: Candles) -> Float64s:
    rows = np.empty((4, len(candles)), np.float64)
    rows[0], rows[1], rows[2], rows[3] = candles.open, candles.high, candles.low, candles.close
    return rows


def _action_rows(actions: Actions) -> Int64s:
    rows = np.empty((4, len(actions)), np.int64)
    rows[0] = actions.days
    for row, column in zip(rows[1:], (actions.dividends, actions.splits, actions.closes), strict=True):
        row[:] = column.view(np.int64)
    return rows


def _shape(ticks: Int64s) -> Int64s:
    """Return a candle's ticks as what is small about them: gap, body, upper and lower wick."""
    opened, high, low, closed = ticks
    shape = np.empty_like(ticks)
    gap, body, upper, lower = shape
    gap[:1] = opened[:1]
    np.subtract(opened[1:], closed[:-1], out=gap[1:])
    np.subtract(closed, opened, out=body)
    np.subtract(high, np.maximum(opened, closed), out=upper)
    np.subtract(np.minimum(opened, closed), low, out=lower)
    return shape


def _unshape(shape: Int64s) -> Int64s:
    gap, body, upper, lower = shape
    ticks = np.empty_like(shape)
    opened, high, low, closed = ticks
    (gap + body).cumsum(out=closed)
    np.subtract(closed, body, out=opened)
    np.add(np.maximum(opened, closed), upper, out=high)
    np.subtract(np.minimum(opened, closed), lower, out=low)
    return ticks


def _times_to_grid(time: Int64s, coverage: Coverage, step_seconds: int) -> tuple[Int64s, Int64s]:
    """Return each session's first time as seconds after its midnight, and each candle's deviation from the grid."""
    starts = np.zeros(len(coverage), np.int64)
    steps = np.zeros(len(time), np.int64)
    if not len(time):
        return starts, steps
    counts = coverage.counts.astype(np.int64)
    held = counts > 0
    first = (np.cumsum(counts) - counts)[held]
    starts[held] = time[first] - midnight_utc(coverage.days.astype(np.int64))[held]
    starts[~held] = starts[held][0]  # so that the column stays constant
    steps[1:] = np.diff(time) - step_seconds
    steps[first] = 0
    return starts, steps


def _times_from_grid(days: Int64s, counts: Int64s, starts: Int64s, steps: Int64s, step_seconds: int) -> Int64s:
    starts = midnight_utc(days) + starts
    # Each is checked before the sum, which could wrap.
    if (counts < 0).any() or (counts > len(steps)).any() or int(counts.sum()) != len(steps):
        raise ValueError("its sessions and candles do not match")
    on_the_grid = not steps.any()
    each = len(steps) // len(days) if len(days) else 0
    if on_the_grid and (counts == each).all():  # the usual case: full sessions, or daily
        if each == 1:
            return starts
        grid: Int64s = starts[:, np.newaxis] + np.arange(0, each * step_seconds, step_seconds)
        return grid.reshape(-1)
    first = np.cumsum(counts) - counts
    if not on_the_grid:
        offsets = np.cumsum(steps + step_seconds)
        held = counts > 0
        shifts: Int64s = np.repeat(starts[held] - offsets[first[held]], counts[held])
        return offsets + shifts
    origins: Int64s = np.repeat(starts - first * step_seconds, counts)
    return origins + np.arange(0, len(steps) * step_seconds, step_seconds)
