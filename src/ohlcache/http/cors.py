"""Pages of other origins: which may read answers, and that no other one reads or changes anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ohlcache.http.errors import ForeignOrigin

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ohlcache.http.messages import Header

PREFLIGHT_LIFE_SECONDS = 86_400
EXPOSED = (
    b"Cache-Status, ETag, Retry-After, X-Cache-Age, X-Cache-Complete, X-Cache-Degraded, X-Cache-Key, X-Cache-Source, "
    b"X-Cache-Stale, X-Data-Synthetic, X-Data-Until, X-Request-Id"
)
_OWN_SITES = frozenset({b"same-origin", b"none"})
REQUESTABLE = b"Authorization, Content-Type, If-None-Match, X-API-Key, X-Request-Id"


class Cors:
    """The origins whose pages may call the API; ``*`` is all of them."""

    def __init__(self, origins: Collection[str]) -> None:
        self._all = "*" in origins
        self._origins = frozenset(origin.encode().lower().rstrip(b"/") for origin in origins)

    def headers(self, headers: Mapping[bytes, bytes]) -> list[Header]:
        """Return what lets the caller's page read the answer; nothing for pages of other origins."""
        if not self._origins:
            return []
        # Keys travel in a header of their own, never in cookies, so a plain ``*`` is enough and credentials stay off.
        varies: list[Header] = [] if self._all else [(b"vary", b"Origin")]
        origin = headers.get(b"origin")
        if origin is None or not self._allows(origin):
            return varies
        allowed = b"*" if self._all else origin
        return [*varies, (b"access-control-allow-origin", allowed), (b"access-control-expose-headers", EXPOSED)]

    def preflight(self, headers: Mapping[bytes, bytes], methods: str) -> list[Header]:
        """Return what a browser asks before the real request."""
        if b"origin" not in headers or not self._allows(headers[b"origin"]):
            return []
        return [
            (b"access-control-allow-methods", methods.encode()),
            (b"access-control-allow-headers", REQUESTABLE),
            (b"access-control-max-age", b"%d" % PREFLIGHT_LIFE_SECONDS),
        ]

    def check_origin(self, headers: Mapping[bytes, bytes]) -> None:
        """Raise ForeignOrigin when a page of another origin asks.

        Browsers name the origin of a page in every request that is not a plain GET, and do not ask first where a plain
        POST is enough.
        """
        origin = headers.get(b"origin")
        if origin is not None and not self._allows(origin) and not _is_own(origin, headers.get(b"host", b"")):
            raise ForeignOrigin("A page of another site may neither read nor change anything here.")

    def check_site(self, headers: Mapping[bytes, bytes]) -> None:
        """Raise ForeignOrigin when a page of another site asks, also by an image, a script, a frame or a link.

        Such a GET names no origin, but browsers send where it comes from: this origin, the user, or anywhere else.
        """
        if self._all or self._allows(headers.get(b"origin", b"")):
            return
        if headers.get(b"sec-fetch-site", b"none").lower() not in _OWN_SITES:
            raise ForeignOrigin("A page of another site may neither read nor change anything here.")
        self.check_origin(headers)

    def _allows(self, origin: bytes) -> bool:
        return self._all or origin.lower() in self._origins


def _is_own(origin: bytes, host: bytes) -> bool:
    """Whether ``origin`` is that of a page which came from ``host``; the origin of no page is ``null``."""
    scheme, _, authority = origin.lower().partition(b"://")
    return scheme in {b"http", b"https"} and authority == host.lower()
