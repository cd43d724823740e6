"""Requests that came before, byte for byte, answered from the memory tier without being taken apart again.

A request whose bytes are those of an earlier one has the same target, the same key, the same conditions and the same
``Accept`` headers: whatever the earlier one was found to ask for, this one asks for too. Only what changes by itself is
looked at anew: whether the memory tier has a fresh answer, its age, and the minute, as what ``1Y`` means changes at
midnight. What cannot be answered so goes the whole way, as if nothing of this existed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from weakref import ref

from ohlcache.domain.answer import IN_MEMORY
from ohlcache.http.conditional import is_held
from ohlcache.http.representations import body_key
from ohlcache.service.read_through import memory_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ohlcache.domain.answer import Answer
    from ohlcache.domain.request import CandleRequest
    from ohlcache.http.messages import Header, Repeat
    from ohlcache.http.negotiation import Coding, Format
    from ohlcache.http.representations import Encoder
    from ohlcache.service.read_through import ReadThrough

EXTENSION = "ohlcache.replay"
"""The ASGI extension by which a server offers to keep a ``Repeat`` under the bytes of the request."""

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
    """What one request was found to ask for in one ``minute`` of market time, and the headers that do not change."""

    __slots__ = (
        "_answer", "_body", "_cache", "_coding", "_encoder", "_form", "_head", "_held", "_key", "_minute", "_second",
        "_static",
    )  # fmt: skip

    def __init__(
        self,
        cache: ReadThrough,
        wanted: CandleRequest,
        answer: Answer,
        form: Format,
        coding: Coding,
        held: bytes | None,
        encoder: Encoder,
        *,
        minute: int,
    ) -> None:
        self._cache = cache
        self._key = memory_key(wanted)
        self._form = form
        self._coding = coding
        self._held = held
        self._encoder = encoder
        # Of the parsing, not of now: over midnight, what was asked for is still the day before.
        self._minute = minute
        self._static = b""
        self._second = 0
        # Another answer under the same key needs headers of its own, also when this one is long gone.
        self._answer = ref(answer)
        self._head = b""
        self._body = ""

    def settle(self, headers: Iterable[Header]) -> None:
        """Keep the headers of the answer that do not change."""
        self._static = b"".join(b"%b: %b\r\n" % field for field in headers if field[0] not in _CHANGING)

    def render(self) -> tuple[bytes, bytes] | None:
        """Return head (without the request id, the server's own fields and the empty line) and body.

        None: this request has to go the whole way.
        """
        now = self._cache.clock.now()
        answer = self._cache.again(self._key, now)
        if answer is None or self._answer() is not answer:
            return None
        # Age, time to live and the minute change with the second at most: within one, the head stays.
        second = int(now)
        if second != self._second and not self._renew(answer, second):
            return None
        return self._head, answer.representations[self._body] if self._body else b""

    def _renew(self, answer: Answer, second: int) -> bool:
        """Make the head for this second; return whether it could be made."""
        if self._cache.as_of() // MINUTE_SECONDS != self._minute:
            return False
        shown = self._encoder.kept(answer, self._form, self._coding)
        if shown is None:
            return False
        held = self._held is not None and is_held(self._held, shown.etag)
        life = answer.fresh_until - second
        self._body = "" if held else body_key(self._form, shown.coding)
        self._head = b"%b%bx-cache-age: %d\r\ncache-status: ohlcache; hit%b; detail=%b\r\n%b" % (
            _STATUS_LINES[304 if held else 200],
            self._static,
            max(0.0, second - answer.observed_at),
            b"; ttl=%d" % life if math.isfinite(life) else b"",
            IN_MEMORY.encode(),
            b"" if held else b"content-length: %d\r\n" % len(shown.body),
        )
        self._second = second
        return True


class ReplayBoard:
    """Replays by the bytes of their request; holds no answer, so what the memory tier drops is gone."""

    def __init__(self) -> None:
        self._replays: dict[bytes, Repeat] = {}
        self.get = self._replays.get
        self.defaults: list[Header] = []
        self.default_lines = b""

    def __len__(self) -> int:
        return len(self._replays)

    def put(self, head: bytes, replay: Repeat) -> None:
        """Keep ``replay`` for requests that are ``head``, byte for byte; the oldest makes room."""
        if len(head) > HEAD_BYTES_MAX:
            return
        while len(self._replays) >= HEADS_MAX:
            del self._replays[next(iter(self._replays))]
        self._replays[head] = replay

    def drop(self, head: bytes) -> None:
        """Forget the replay of ``head``."""
        self._replays.pop(head, None)
