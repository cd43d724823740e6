"""Columns of integers as few bytes: one transform, then byte planes, each packed or as it is.

A column of N 64-bit integers is first turned into small non-negative ones, in the form that its writer chose for it:

* PLAIN: ``value = base + scale * stored`` (base the smallest value, scale the greatest common divisor above it);
* SIGNED: ``stored`` is the zigzag of each value, the first one apart in ``base``;
* DELTA: ``stored`` is the zigzag of each value's difference from the one before, the first value in ``base``;
* WHOLE: the values are their eight bytes, one after the other, packed; for a few values, where planes are not worth it.

Otherwise the stored integers are split into planes: all lowest bytes, then all second bytes and so on, up to the last
that is not zero. Planes that zstd can shrink share one frame; noise (the low bytes of volumes) goes beside it as it
is, so that it does not spoil the frame's code table. All arithmetic wraps at 64 bits, so every int64 survives.

Descriptors (``<BBqI``: form << 4 | planes, mask of planes that are not packed, base, scale) open the frame, one per
column, followed by the packed planes in order.
"""

from __future__ import annotations

import struct
import threading
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
import zstandard

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Int64s = NDArray[np.int64]
    UInt64s = NDArray[np.uint64]
    Unsigned = NDArray[np.unsignedinteger]

# Higher levels search for repetitions, of which candles have none: 19 saves 1 % and takes twenty times as long.
ZSTD_LEVEL = 3
PLANE_KEPT_RATIO = 15 / 16

_DESCRIPTOR = struct.Struct("<BBqI")
CONTENT_BYTES_MAX = 64 * 1024 * 1024
_SCALE_MAX = 2**32 - 1
_WRAP = 2**64
_NO_VALUES = np.empty(0, np.int64)
_UNZIGZAG_BYTE = np.array([stored >> 1 ^ -(stored & 1) for stored in range(256)], np.int64)
_PLANES_MAX = 8
_WIDTHS = (1, 1, 2, 4, 4, 8, 8, 8, 8)
_TYPES = tuple(np.dtype(f"<u{width}") for width in _WIDTHS)


class Form(IntEnum):
    """How a column's values are made of what is stored."""

    PLAIN = 0
    SIGNED = 1
    DELTA = 2
    WHOLE = 3


# Plain numbers: comparing with a member of the enumeration takes several times as long.
_PLAIN, _SIGNED, _WHOLE = int(Form.PLAIN), int(Form.SIGNED), int(Form.WHOLE)


class _Formed(NamedTuple):
    form: Form
    base: int
    scale: int
    planes: list[bytes]


class _ZstdOfThread(threading.local):
    """zstd contexts: making one costs more than a frame does, and no two threads may share one."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=False).compress
        self.decompress = zstandard.ZstdDecompressor().decompress


_zstd = _ZstdOfThread()


class ColumnWriter:
    """Takes columns one by one and makes the frame and the bytes beside it."""

    def __init__(self) -> None:
        self._descriptors: list[bytes] = []
        self._packed: list[bytes] = []
        self._beside: list[bytes] = []

    def put(self, values: Int64s, form: Form = Form.PLAIN) -> None:
        """Add one column; an empty one leaves no trace, and a constant one is PLAIN whatever is asked."""
        if not len(values):
            return
        if form is Form.WHOLE:
            self._packed.append(values.astype("<i8", copy=False).tobytes())
            self._descriptors.append(_DESCRIPTOR.pack(Form.WHOLE << 4, 0, 0, 1))
            return
        form, base, scale, planes = _formed(values, form)
        mask = 0
        for index, plane in enumerate(planes):
            if len(_zstd.compress(plane)) < PLANE_KEPT_RATIO * len(plane):
                self._packed.append(plane)
            else:
                self._beside.append(plane)
                mask |= 1 << index
        self._descriptors.append(_DESCRIPTOR.pack(form << 4 | len(planes), mask, base, scale))

    def finish(self, head: bytes) -> tuple[bytes, bytes]:
        """Return the frame, which begins with ``head``, and the bytes to keep beside it."""
        return _zstd.compress(b"".join([head, *self._descriptors, *self._packed])), b"".join(self._beside)


class ColumnReader:
    """Gives back the columns that a ColumnWriter took, in the same order and with the same lengths.

    Raises zstandard.ZstdError, struct.error or ValueError when the bytes are not what a writer made.
    """

    def __init__(self, frame: bytes, beside: bytes, *, head_bytes: int) -> None:
        if zstandard.frame_content_size(frame) > CONTENT_BYTES_MAX:
            raise ValueError("its frame is longer than any")
        self._content = _zstd.decompress(frame)
        self._beside = beside
        self._beside_at = 0
        self.head = self._content[:head_bytes]
        self._descriptor_at = head_bytes
        self._packed_at = head_bytes

    def expect(self, columns: int) -> None:
        """Say how many columns that are not empty there are, before the first is taken."""
        self._packed_at = self._descriptor_at + columns * _DESCRIPTOR.size

    def take(self, length: int) -> Int64s:
        """Return the next column, ``length`` int64 values."""
        if not length:
            return _NO_VALUES
        form_and_planes, mask, base, scale = _DESCRIPTOR.unpack_from(self._content, self._descriptor_at)
        self._descriptor_at += _DESCRIPTOR.size
        planes, form = form_and_planes & 15, form_and_planes >> 4
        if form == _PLAIN:
            if not planes:
                constant = np.empty(length, np.int64)
                constant.fill(base)
                return constant
            values = self._stored(length, planes, mask).astype(np.uint64)
            if scale != 1:
                values *= np.uint64(scale)
            if base:
                values += np.uint64(base % _WRAP)
            return values.view(np.int64)
        if form == _WHOLE:
            whole = np.frombuffer(self._content, "<i8", length, self._packed_at)
            self._packed_at += whole.nbytes
            return whole.astype(np.int64)
        if form > _WHOLE:
            raise ValueError(f"no column has form {form}")
        signed = _unzigzag(self._stored(length, planes, mask))
        signed[0] = base
        return signed if form == _SIGNED else signed.cumsum()

    def _stored(self, length: int, planes: int, mask: int) -> Unsigned:
        """Return the stored integers in the narrowest type that holds them: arithmetic on it is fastest."""
        if planes > _PLANES_MAX:
            raise ValueError(f"no column has {planes} planes")
        if planes == 1:
            return self._plane(length, mask)
        width = _WIDTHS[planes]
        cells = (np.empty if planes == width else np.zeros)((length, width), np.uint8)
        for index in range(planes):
            cells[:, index] = self._plane(length, mask >> index)
        return cells.view(_TYPES[planes]).reshape(length)

    def _plane(self, length: int, mask: int) -> NDArray[np.uint8]:
        if mask & 1:
            plane = np.frombuffer(self._beside, np.uint8, length, self._beside_at)
            self._beside_at += length
        else:
            plane = np.frombuffer(self._content, np.uint8, length, self._packed_at)
            self._packed_at += length
        return plane

    def finish(self) -> None:
        """Raise ValueError unless everything was taken."""
        if self._packed_at != len(self._content) or self._beside_at != len(self._beside):
            raise ValueError("bytes are left over")


def _formed(values: Int64s, form: Form) -> _Formed:
    if (values == values[0]).all():
        return _Formed(Form.PLAIN, int(values[0]), 1, [])
    if form is Form.PLAIN:
        return _plain(values)
    small = values.copy()
    if form is Form.DELTA:
        small[1:] -= values[:-1]
    small[0] = 0
    return _Formed(form, int(values[0]), 1, _planes(_zigzag(small)))


def _plain(values: Int64s) -> _Formed:
    base = int(values.min())
    above = values.astype(np.int64).view(np.uint64) - np.uint64(base % _WRAP)
    scale = int(np.gcd.reduce(above))
    if not 1 < scale <= _SCALE_MAX:
        scale = 1
    return _Formed(Form.PLAIN, base, scale, _planes(above // np.uint64(scale) if scale > 1 else above))


def _zigzag(values: Int64s) -> UInt64s:
    return cast("UInt64s", ((values << 1) ^ (values >> 63)).view(np.uint64))


def _unzigzag(stored: Unsigned) -> Int64s:
    if stored.itemsize == 1:
        return _UNZIGZAG_BYTE[stored]
    # In the narrow type, and made wide at the end.
    signed: Int64s = ((stored >> 1) ^ -(stored & 1)).view(f"<i{stored.itemsize}").astype(np.int64)
    return signed


def _planes(stored: UInt64s) -> list[bytes]:
    count = (int(stored.max()).bit_length() + 7) // 8
    cells = stored.astype("<u8", copy=False).view(np.uint8).reshape(len(stored), 8)
    return [cells[:, index].tobytes() for index in range(count)]
