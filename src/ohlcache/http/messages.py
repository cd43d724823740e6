"""What came in and what goes out, as two small values; the ASGI protocol is spoken only in app.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Header = tuple[bytes, bytes]

NO_STORE = (b"cache-control", b"no-store")
JSON_TYPE = (b"content-type", b"application/json")

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Request:
    """One request as a resource sees it.

    ``path`` is percent-decoded, ``query`` is raw; ``headers`` has lower-case names, repeated fields joined by commas;
    ``params`` are the variable parts of the path, in order.
    """

    method: str
    path: str
    query: bytes
    headers: Mapping[bytes, bytes]
    params: tuple[str, ...] = ()


class Repeat(Protocol):
    """How a request of the same bytes may be answered again; see replay.py."""

    def settle(self, headers: Iterable[Header]) -> None:
        """Keep the headers of the answer that do not change."""
        ...

    def render(self) -> tuple[bytes, bytes] | None:
        """Return head and body of another answer; None where the request has to go the whole way."""
        ...


@dataclass(slots=True)
class Response:
    """One answer: ``headers`` with lower-case names, ``body`` whole; ``tier`` is for the log only.

    ``replay``: how a request of the same bytes may be answered again, None where it may not.
    """

    status: int
    headers: list[Header]
    body: bytes = b""
    tier: str | None = field(default=None)
    replay: Repeat | None = field(default=None, repr=False)


def merged_headers(pairs: Iterable[Header]) -> dict[bytes, bytes]:
    """Return header fields by name, those that came several times joined by commas (RFC 9110, 5.3)."""
    pairs = list(pairs)
    merged = dict(pairs)
    if len(merged) != len(pairs):
        merged = {}
        for name, value in pairs:
            merged[name] = merged[name] + b", " + value if name in merged else value
    return merged


def json_response(content: object, *, status: int = 200) -> Response:
    """Return ``content`` as JSON that no cache keeps."""
    return Response(status, [JSON_TYPE, NO_STORE], _encode(content))
