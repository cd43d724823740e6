"""Requests that came before, byte for byte, answered from the memory tier without being taken apart again.

A request whose bytes are those of an earlier one has the same target, the same key, the same conditions and the same
``Accept`` headers: whatever the earlier one was found to ask for, this one asks for too. Only what changes by itself is
looked at anew: whether the memory tier has a fresh answer, its age, and the minute, as what ``1Y`` means changes at
midnight. What cannot be answered so goes the whole way, as if nothing of this existed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ohlcache.domain.answer import IN_MEMORY
from ohlcache.http.conditional import is_held

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ohlcache.domain.request import CandleRequest
    from ohlcache.http.messages import Header
    from ohlcache.http.negotiation import Coding, Format
    from ohlcache.http.representations import Encoder
    from ohlcache.service.read_through import ReadThrough

EXTENSION = "ohlcache.replay"
"""The ASGI extension by which a server offers to keep a ``Replay`` under the bytes of the request."""

HEADS_MAX = 4096
HEAD_BYTES_MAX = 2048
MINUTE_SECONDS = 60

_CHANGING = frozenset({b"x-cache-age", b"cache-status", b"x-request-id", b"content-length"})
_UNREPEATABLE = frozenset(
    {b"connection", b"content-length", b"expect", b"transfer-encoding", b"upgrade", b"x-request-id"}
)
_STATUS_LINES = {200: b"HTTP/1.1 200 OK\r\n", 304: b"HTTP/1.1 304 Not Modified\r\n"}


def is_repeatable(headers: Iterable[Header]) -> bool:
    """Whether a request with these headers may be answered again from its bytes alone."""
    return _UNREPEATABLE.isdisjoint(name for name, _ in headers)


class Replay:
    """What one request was found to ask for, and the headers of its answer that do not change."""

    __slots__ = ("_cache", "_coding", "_encoder", "_form", "_held", "_made", "_minute", "_static", "_wanted")

    def __init__(
        self,
        cache: ReadThrough,
        wanted: CandleRequest,
        form: Format,
        coding: Coding,
        held: bytes | None,
        encoder: Encoder,
    ) -> None:
        self._cache = cache
        self._wanted = wanted
        self._form = form
        self._coding = coding
        self._held = held
        self._encoder = encoder
        self._minute = cache.as_of() // MINUTE_SECONDS
        self._static = b""
        self._made: tuple[int, bytes, bytes, bytes] = (0, b"", b"", b"")

    def settle(self, headers: Iterable[Header]) -> None:
        """Keep the headers of the answer that do not change."""
        self._static = b"".join(b"%b: %b\r\n" % field for field in headers if field[0] not in _CHANGING)

    def render(self, request_id: str) -> tuple[bytes, bytes] | None:
        """Return head (without the server's own fields and the empty line) and body, or None: go the whole way."""
        cache = self._cache
        if cache.as_of() // MINUTE_SECONDS != self._minute:
            return None
        served = cache.hit_again(self._wanted)
        if served is None:
            return None
        shown = self._encoder.kept(served.answer, self._form, self._coding)
        if shown is None:
            return None
        # Age and time to live are whole seconds: within one, the head is the same but for the request id.
        second = int(cache.clock.now())
        made_second, etag, head, body = self._made
        if made_second != second or etag != shown.etag:
            if etag and etag != shown.etag:
                return None  # the answer has changed: its headers may have, too
            held = self._held is not None and is_held(self._held, shown.etag)
            body = b"" if held else shown.body
            life = served.answer.fresh_until - second
            head = b"%b%bx-cache-age: %d\r\ncache-status: ohlcache; hit%b; detail=%b\r\n%b" % (
                _STATUS_LINES[304 if held else 200],
                self._static,
                served.age_seconds,
                b"; ttl=%d" % life if math.isfinite(life) else b"",
                IN_MEMORY.encode(),
                b"" if held else b"content-length: %d\r\n" % len(body),
            )
            self._made = (second, shown.etag, head, body)
        return b"%bx-request-id: %b\r\n" % (head, request_id.encode()), body


class ReplayBoard:
    """Replays by the bytes of their request; holds no answer, so what the memory tier drops is gone."""

    def __init__(self) -> None:
        self._replays: dict[bytes, Replay] = {}
        self.get = self._replays.get

    def __len__(self) -> int:
        return len(self._replays)

    def put(self, head: bytes, replay: Replay) -> None:
        """Keep ``replay`` for requests that are ``head``, byte for byte; the oldest makes room."""
        if len(head) > HEAD_BYTES_MAX:
            return
        while len(self._replays) >= HEADS_MAX:
            del self._replays[next(iter(self._replays))]
        self._replays[head] = replay

    def drop(self, head: bytes) -> None:
        """Forget the replay of ``head``."""
        self._replays.pop(head, None)
