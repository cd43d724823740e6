"""Asks an ASGI app in this process: no socket, every byte and header as a server would send it."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HOST = b"localhost:8000"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def plain(self) -> bytes:
        """The body, its content coding undone."""
        coding = self.headers.get("content-encoding", "identity")
        if coding == "gzip":
            return gzip.decompress(self.body)
        if coding == "zstd":
            return zstandard.ZstdDecompressor().decompress(self.body)
        return self.body

    @property
    def json(self) -> Any:
        return json.loads(self.plain)

    @property
    def error(self) -> dict[str, Any]:
        return self.json["error"]


class Driver:
    """A caller of one app; ``start`` and ``stop`` are its lifespan."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self.app = app
        self._inbox: list[str] = []
        self.outbox: list[dict[str, Any]] = []

    async def start(self) -> None:
        import asyncio

        self._told = asyncio.Queue()
        self._lifespan = asyncio.ensure_future(self.app({"type": "lifespan"}, self._told.get, self._note))
        await self._told.put({"type": "lifespan.startup"})
        while not self.outbox and not self._lifespan.done():
            await asyncio.wait([self._lifespan], timeout=0.001)

    async def stop(self) -> None:
        await self._told.put({"type": "lifespan.shutdown"})
        await self._lifespan

    async def _note(self, message: dict[str, Any]) -> None:
        self.outbox.append(message)

    async def get(self, target: str, **headers: str) -> Reply:
        return await self.ask("GET", target, headers)

    async def ask(
        self,
        method: str,
        target: str | bytes,
        headers: Mapping[str, str] | list[tuple[bytes, bytes]] | None = None,
        body: bytes = b"",
        extensions: Mapping[str, object] | None = None,
    ) -> Reply:
        raw = target if isinstance(target, bytes) else target.encode()
        path, _, query = raw.partition(b"?")
        from urllib.parse import unquote

        pairs = (
            headers
            if isinstance(headers, list)
            else [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in (headers or {}).items()]
        )
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path.decode("latin-1")),
            "raw_path": path,
            "query_string": query,
            "headers": [*([] if any(name == b"host" for name, _ in pairs) else [(b"host", HOST)]), *pairs],
            "extensions": dict(extensions or {}),
        }
        chunks = [body[at : at + 1000] for at in range(0, len(body), 1000)] or [b""]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            chunk = chunks.pop(0)
            return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        start, *bodies = sent
        found: dict[str, str] = {}
        for name, value in start["headers"]:
            key = name.decode()
            assert key == key.lower()
            found[key] = f"{found[key]}, {value.decode()}" if key in found else value.decode()
        return Reply(start["status"], found, b"".join(message["body"] for message in bodies))
