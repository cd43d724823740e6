"""The head of a request must come whole, within a size and a time, and say which host it means.

Uvicorn itself would gather and wait without end, and ignore the host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ohlcache.http.errors import HeadTooLarge, error_response
from ohlcache.http.hosts import REFUSAL, refusal_of

if TYPE_CHECKING:
    import asyncio

    from ohlcache.http.request_ids import RequestIds

HEAD_BYTES_MAX = 64 * 1024

_STATUS_LINE = b"HTTP/1.1 431 Request Header Fields Too Large\r\n"


class LimitedProtocol(HttpToolsProtocol):
    """One connection; ``ids`` is set by whoever binds it to a server.

    A head may be as long as the first piece that arrives of it (a socket's buffer) and HEAD_BYTES_MAX more. It may take
    as long as an idle connection is kept, its body included, counted from its first byte, or from the connection where
    none comes.
    """

    ids: RequestIds

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - handed through to uvicorn
        super().__init__(*args, **kwargs)
        self._in_head = False
        self._in_message = False
        self._head_bytes = 0
        self._head_began = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        super().connection_made(transport)
        self._head_began = self.loop.time()
        self._give_the_rest_of_the_time()

    def data_received(self, data: bytes) -> None:
        """Parse what came; refuse a head that is too long, and wait no longer than it may take."""
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self._refuse()
                return
        super().data_received(data)
        idle = self.cycle is None or self.cycle.response_complete
        if (self._in_message or idle) and self.timeout_keep_alive_task is None and not self.transport.is_closing():
            self._give_the_rest_of_the_time()

    def on_message_begin(self) -> None:
        """Note that a head has begun."""
        super().on_message_begin()
        self._in_head = self._in_message = True
        self._head_bytes = 0
        self._head_began = self.loop.time()

    def on_headers_complete(self) -> None:
        """Note that the head is whole; the app answers what is wrong with it, in its turn."""
        self._in_head = False
        refusal = refusal_of(self.url, self.headers, http_version=self.parser.get_http_version())
        if refusal is not None:
            offered = self.scope.get("extensions") or {}
            self.scope["extensions"] = {**offered, REFUSAL: refusal}  # type: ignore[dict-item]
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that nothing more is owed."""
        self._in_message = False
        super().on_message_complete()

    def _give_the_rest_of_the_time(self) -> None:
        left_seconds = self._head_began + self.timeout_keep_alive - self.loop.time()
        self.timeout_keep_alive_task: asyncio.TimerHandle | None = self.loop.call_later(
            max(left_seconds, 0.0), self.timeout_keep_alive_handler
        )

    def _refuse(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            request_id = self.ids.next()
            response = error_response(HeadTooLarge("The headers are too long."), request_id.decode())
            fields = [
                *self.server_state.default_headers,
                *response.headers,
                (b"x-request-id", request_id),
                (b"content-length", b"%d" % len(response.body)),
                (b"connection", b"close"),
            ]
            head = b"".join(b"%b: %b\r\n" % field for field in fields)
            self.transport.writelines((_STATUS_LINE, head, b"\r\n", response.body))
        self.transport.close()
