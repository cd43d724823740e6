"""Breaking the transport: answers cut off, connections reset, redirects to nowhere."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

from aiohttp import web

from ohlcache.testing.faults import Fault

if TYPE_CHECKING:
    from ohlcache.testing.fake_sides import Answer
    from ohlcache.testing.faults import Drawn

_LINGER_NOT = struct.pack("ii", 1, 0)
ELSEWHERE = "localhost"


async def misbehave(request: web.Request, answer: Answer, faults: Drawn) -> tuple[web.StreamResponse, str] | None:
    """Do the transport fault among ``faults`` and return the response with its name; None where there is none."""
    if Fault.RESET in faults:
        _reset(request)
        return web.Response(), Fault.RESET.value
    if Fault.TRUNCATED_BODY in faults:
        return await _truncated(request, answer), Fault.TRUNCATED_BODY.value
    if Fault.CUT_JSON in faults:
        half = answer.body[: len(answer.body) // 2]
        return web.Response(status=answer.status, body=half, content_type=answer.content_type), Fault.CUT_JSON.value
    if Fault.REDIRECT in faults:
        return _redirect(str(request.rel_url)), Fault.REDIRECT.value
    if Fault.REDIRECT_AWAY in faults:
        return _redirect(str(request.url.with_host(ELSEWHERE))), Fault.REDIRECT_AWAY.value
    return None


def _reset(request: web.Request) -> None:
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    # Closing without lingering makes the kernel send a reset instead of an orderly end.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    transport.abort()


async def _truncated(request: web.Request, answer: Answer) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
    response.content_length = len(answer.body)
    response.force_close()
    await response.prepare(request)
    await response.write(answer.body[: len(answer.body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


def _redirect(target: str) -> web.Response:
    return web.Response(status=301, headers={"Location": target})
