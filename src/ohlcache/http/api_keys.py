"""API keys: who may ask. Health and the page are open to everybody; data and metrics are not, once there are keys."""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING

from ohlcache.domain.errors import Unauthorized
from ohlcache.http.query import parse_any_query

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TIINGO_PREFIXES = ("/tiingo/", "/iex/", "/api/test")
"""Paths of the API that speaks like Tiingo's, whose clients may send their key as ``?token=``."""
GUARDED_PREFIXES = ("/api/", *TIINGO_PREFIXES)
GUARDED_PATH = "/metrics"

_SCHEMES = frozenset({b"bearer", b"token"})


def is_guarded(path: str) -> bool:
    """Whether there are data or actions under ``path``, not only the page, its contract or health."""
    return path.startswith(GUARDED_PREFIXES) or path == GUARDED_PATH


class ApiKeys:
    """The keys that open the guarded paths; without any, they are open."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = tuple(key.encode() for key in keys)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def check(self, path: str, query: bytes, headers: Mapping[bytes, bytes]) -> None:
        """Raise Unauthorized unless ``path`` is open or the request carries a key."""
        if not self._keys or not is_guarded(path):
            return
        shown = _shown_keys(headers)
        if path.startswith(TIINGO_PREFIXES) and (token := parse_any_query(query).get("token")):
            shown.append(token.encode())
        # Every key is compared with every one shown, and in constant time: the time taken tells nothing.
        if not sum(compare_digest(candidate, key) for candidate in shown for key in self._keys):
            raise Unauthorized("The API key is wrong." if shown else "An API key is required.")


def _shown_keys(headers: Mapping[bytes, bytes]) -> list[bytes]:
    shown = [headers[b"x-api-key"]] if b"x-api-key" in headers else []
    scheme, _, credential = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() in _SCHEMES and credential.strip():
        shown.append(credential.strip())
    return shown
