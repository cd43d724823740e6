"""``GET /metrics``: what this process counted, for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ohlcache.http.messages import NO_STORE, Response

if TYPE_CHECKING:
    from ohlcache.http.messages import Request

_CONTENT_TYPE = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")


class MetricsText(Protocol):
    """What renders metrics as Prometheus text."""

    def render(self) -> str:
        """Return the text exposition."""
        ...


class MetricsResource:
    """Shows the metrics."""

    def __init__(self, metrics: MetricsText) -> None:
        self._metrics = metrics

    async def get(self, request: Request) -> Response:
        """Return every metric of this process."""
        del request
        return Response(200, [_CONTENT_TYPE, NO_STORE], self._metrics.render().encode())
