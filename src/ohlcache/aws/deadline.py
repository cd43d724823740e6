"""An answer in time, whatever happens: a request that would run into the function's own time-out gets 503 before it.

Lambda kills the whole environment at the time-out, and with it what other requests had warmed. What was being fetched
goes on in the event loop, is written when it is there, and is a hit for whoever asks again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ohlcache.domain.errors import VendorUnavailable
from ohlcache.http.errors import error_response
from ohlcache.ports import Level

if TYPE_CHECKING:
    from ohlcache.http.app import HttpApp, Message, Receive, Send
    from ohlcache.ports import Telemetry

MARGIN_SECONDS = 1.5
"""What is kept back of the function's time: for the answer, the last writes, and the metrics."""
RETRY_AFTER_SECONDS = 5.0


class Deadline:
    """An ASGI app around another one; reads the time that is left from Mangum's ``aws.context``."""

    def __init__(self, app: HttpApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request, or say in time that it cannot be served."""
        seconds = scope["aws.context"].get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS
        answer = asyncio.get_running_loop().create_task(self._app(scope, receive, send))
        done, _ = await asyncio.wait({answer}, timeout=max(seconds, 0.0))
        if done:
            await answer
            return
        answer.cancel()
        await asyncio.wait({answer})
        request_id = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        self._telemetry.log(Level.ERROR, "request out of time", seconds=round(seconds, 3), correlation=request_id)
        response = error_response(
            VendorUnavailable("The answer took too long.", retry_after_seconds=RETRY_AFTER_SECONDS), request_id
        )
        headers = [*response.headers, (b"x-request-id", request_id.encode("latin-1"))]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})
