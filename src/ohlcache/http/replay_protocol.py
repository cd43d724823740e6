"""Uvicorn's HTTP/1.1 protocol, which looks for a replay before it parses.

It steps in only between two messages of a connection, only for bytes that are exactly one whole GET, and only where
the same bytes went the whole way before; everything else is uvicorn's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ohlcache.http.head_limits import LimitedProtocol
from ohlcache.http.replay import EXTENSION, ReplayBoard, is_repeatable

if TYPE_CHECKING:
    from ohlcache.http.messages import Repeat
    from ohlcache.http.request_ids import RequestIds

_END_OF_HEAD = b"\r\n\r\n"


class ReplayingProtocol(LimitedProtocol):
    """One connection; ``board`` and ``ids`` are set by ``replaying``."""

    board: ReplayBoard

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - handed through to uvicorn
        super().__init__(*args, **kwargs)
        self._between_messages = True
        self._head: bytes | None = None
        self._replayed_at = 0.0

    def data_received(self, data: bytes) -> None:
        """Answer a request that came before; hand everything else on."""
        self._head = None
        if self._between_messages and (self.cycle is None or self.cycle.response_complete):
            replay = self.board.get(data)
            if replay is not None and not self.flow.write_paused:
                rendered = replay.render()
                if rendered is not None:
                    self._answer(*rendered)
                    return
                self.board.drop(data)
            if data.startswith(b"GET ") and data.find(_END_OF_HEAD) == len(data) - len(_END_OF_HEAD):
                self._head = data
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Note that bytes now belong to a message, and offer the app to keep its replay."""
        self._between_messages = False
        super().on_message_begin()
        if self._head is not None:
            self.scope["extensions"] = {EXTENSION: self._offer}  # type: ignore[dict-item]

    def on_message_complete(self) -> None:
        """Note that the next byte begins a message."""
        super().on_message_complete()
        self._between_messages = True

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection; one that had replays since the timer was set is given the rest of its time."""
        idle_seconds = self.loop.time() - self._replayed_at
        if idle_seconds < self.timeout_keep_alive:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive - idle_seconds, self.timeout_keep_alive_handler
            )
            return
        super().timeout_keep_alive_handler()

    def _answer(self, head: bytes, body: bytes) -> None:
        defaults = self.server_state.default_headers
        if defaults is not self.board.defaults:  # uvicorn renews the list when the date has changed
            self.board.defaults = defaults
            self.board.default_lines = b"".join(b"%b: %b\r\n" % field for field in defaults)
        self.transport.writelines(
            (head, b"x-request-id: ", self.ids.next(), b"\r\n", self.board.default_lines, b"\r\n", body)
        )
        self.server_state.total_requests += 1
        self._replayed_at = self.loop.time()

    def _offer(self, replay: Repeat) -> None:
        if self._head is not None and self.scope["http_version"] == "1.1" and is_repeatable(self.headers):
            self.board.put(self._head, replay)


def replaying(board: ReplayBoard, ids: RequestIds) -> type[ReplayingProtocol]:
    """Return the protocol class for one server."""
    return type("BoundReplayingProtocol", (ReplayingProtocol,), {"board": board, "ids": ids})
