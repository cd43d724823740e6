"""``GET /metrics``: what this process counted, for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ohlcache.adapters.prometheus import CONTENT_TYPE
from ohlcache.http.messages import NO_STORE, Response

if TYPE_CHECKING:
    from ohlcache.http.lifecycle import Lifecycle
    from ohlcache.http.messages import Request

_CONTENT_TYPE = (b"content-type", CONTENT_TYPE.encode())


class MetricsText(Protocol):
    """What renders metrics as Prometheus text."""

    def render(self) -> str:
        """Return the text exposition."""
        ...


class MetricsResource:
    """Shows the metrics."""

    def __init__(self, lifecycle: Lifecycle, metrics: MetricsText) -> None:
        self._lifecycle = lifecycle
        self._metrics = metrics

    async def get(self, request: Request) -> Response:
        """Return every metric of this process."""
        del request
        cache = self._lifecycle.opened
        if cache is not None:
            cache.settle()
        return Response(200, [_CONTENT_TYPE, NO_STORE], self._metrics.render().encode())
