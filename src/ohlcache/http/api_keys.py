"""API keys: who may ask. Health and the page are open to everybody; data and metrics are not, once there are keys."""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING

from ohlcache.domain.errors import Unauthorized

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

GUARDED_PREFIX = "/api/"
GUARDED_PATH = "/metrics"


class ApiKeys:
    """The keys that open the guarded paths; without any, they are open."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = tuple(key.encode() for key in keys)

    def check(self, path: str, headers: Mapping[bytes, bytes]) -> None:
        """Raise Unauthorized unless ``path`` is open or ``headers`` carry a key."""
        if not self._keys or not (path.startswith(GUARDED_PREFIX) or path == GUARDED_PATH):
            return
        shown = _shown_keys(headers)
        # Every key is compared with every one shown, and in constant time: the time taken tells nothing.
        if not sum(compare_digest(candidate, key) for candidate in shown for key in self._keys):
            raise Unauthorized("The API key is wrong." if shown else "An API key is required.")


def _shown_keys(headers: Mapping[bytes, bytes]) -> list[bytes]:
    shown = [headers[b"x-api-key"]] if b"x-api-key" in headers else []
    scheme, _, credential = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer" and credential.strip():
        shown.append(credential.strip())
    return shown
