"""Faults put into a botocore client by its own event hooks: what engines never do of themselves."""

from __future__ import annotations

import json
from typing import Any

from botocore.awsrequest import AWSResponse


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: object, **__: object) -> list[bytes]:
        return [self._body]


def answer_with_error(
    client: Any, code: str, message: str = "no", *, status: int = 400, times: int = 1_000
) -> list[str]:
    """Make ``client`` find this error instead of an answer, ``times`` times; return a list of what was asked."""
    asked: list[str] = []

    def instead(request: Any, event_name: str, **_: object) -> AWSResponse | None:
        asked.append(event_name.rsplit(".", 1)[-1])
        if len(asked) > times:
            return None
        body = json.dumps({"__type": f"com.amazonaws#{code}", "message": message, "Message": message}).encode()
        headers = {"content-type": "application/x-amz-json-1.0"}
        return AWSResponse(request.url, status, headers, _Raw(body))

    client.meta.events.register_first("before-send", instead)
    return asked


def raise_instead(client: Any, error: BaseException, *, times: int = 1_000) -> list[str]:
    """Make ``client`` fail with ``error`` instead of sending, ``times`` times; return a list of what was asked."""
    asked: list[str] = []

    def instead(event_name: str, **_: object) -> None:
        asked.append(event_name.rsplit(".", 1)[-1])
        if len(asked) <= times:
            raise error

    client.meta.events.register_first("before-send", instead)
    return asked
