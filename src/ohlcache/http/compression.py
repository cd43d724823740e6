"""Content codings. Compressing costs more than everything else on the way of an answer, so its result is kept."""

from __future__ import annotations

import gzip

import zstandard

from ohlcache.http.negotiation import Coding

COMPRESSED_BYTES_MIN = 1024
"""Shorter bodies fit one packet either way."""

_GZIP_LEVEL = 6
_ZSTD_LEVEL = 6


def compress(body: bytes, coding: Coding) -> bytes:
    """Return ``body`` in ``coding``; the same bytes for the same body."""
    if coding is Coding.GZIP:
        # The header's time stamp is left at 0: an entity tag promises the same bytes.
        return gzip.compress(body, _GZIP_LEVEL, mtime=0)
    if coding is Coding.ZSTD:
        return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(body)
    return body
