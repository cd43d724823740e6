"""``GET /healthz`` and ``GET /readyz``: whether the process lives, and whether it can answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ohlcache.http.errors import NotReady
from ohlcache.http.lifecycle import State
from ohlcache.http.messages import json_response

if TYPE_CHECKING:
    from ohlcache.http.lifecycle import Lifecycle
    from ohlcache.http.messages import Request, Response


class HealthResource:
    """Speaks to load balancers and supervisors; query parameters are theirs to choose."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle

    async def alive(self, request: Request) -> Response:
        """Return 200 while the process lives."""
        del request
        return json_response({"status": "alive"})

    async def ready(self, request: Request) -> Response:
        """Return 200 when the cache can answer; NotReady while it is starting or stopping."""
        del request
        if self._lifecycle.state is not State.READY:
            raise NotReady(f"This server is {self._lifecycle.state}.")
        return json_response({"status": "ready"})
