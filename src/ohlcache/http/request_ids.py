"""Request ids: the caller's where it is sane, else a new one; the same in the answer and in every log line."""

from __future__ import annotations

import re
import secrets
from itertools import count

REQUEST_ID_CHARACTERS_MAX = 128

_SANE = re.compile(rb"[A-Za-z0-9._-]{1,%d}\Z" % REQUEST_ID_CHARACTERS_MAX)


class RequestIds:
    """Gives ids that are unique across processes: a random part per process, and a number."""

    def __init__(self) -> None:
        self._bytes = secrets.token_hex(6).encode()
        self._numbers = count(1)

    def next(self) -> bytes:
        """Return a new id."""
        return b"%b-%x" % (self._bytes, next(self._numbers))

    def of(self, header: bytes | None) -> str:
        """Return the caller's ``X-Request-Id``, or a new one when there is none or it could do harm in a log."""
        if header is not None and is_sane(header):
            return header.decode("ascii")
        return self.next().decode()


def is_sane(header: bytes) -> bool:
    """Whether a caller's ``X-Request-Id`` is one that may be repeated in answers and log lines."""
    return _SANE.match(header) is not None
