"""Lambda's runtime API, locally: hands events to a real runtime client in a process of its own, and takes its answers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any, Self
from urllib.parse import urlencode
from uuid import uuid4

from contracts.dynamodb_engines import CREDENTIALS, ENVIRONMENT

ANSWER_SECONDS_MAX = 60
PAYLOAD_BYTES_MAX = 6 * 1024 * 1024
"""What the real runtime API takes of a function; a longer answer is a failed invocation."""


@dataclass
class Outcome:
    """What the function said to one event: ``kind`` is response, error or init-error; too-large where Lambda refuses it."""

    kind: str
    body: Any
    seconds: float = 0.0

    @property
    def status(self) -> int:
        return int(self.body["statusCode"])

    @property
    def headers(self) -> dict[str, str]:
        return dict(self.body["headers"])

    def json(self) -> Any:
        return json.loads(self.body["body"])


@dataclass
class Invocation:
    event: dict[str, Any]
    timeout_seconds: float
    id: str = field(default_factory=lambda: str(uuid4()))


class LocalLambda:
    """A function under the real runtime client. ``lines()`` is what it wrote: every log and EMF line as JSON.

    ``cpu_seconds``: what it took in all, once it has ended.
    """

    def __init__(self, handler: str, environment: dict[str, str]) -> None:
        self._events: Queue[Invocation] = Queue()
        self._outcomes: Queue[Outcome] = Queue()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_class(self._events, self._outcomes))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._output = Path(tempfile.mkdtemp(prefix="lambda-")) / "output"
        inherited = {name: ENVIRONMENT[name] for name in ("PATH", "HOME", "LANG") if name in ENVIRONMENT}
        self.cpu_seconds = 0.0
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "error", "-m", "awslambdaric", handler],
                env={
                    **inherited,
                    **CREDENTIALS,
                    "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}",
                    "AWS_LAMBDA_FUNCTION_NAME": "ohlcache",
                    "AWS_LAMBDA_FUNCTION_VERSION": "1",
                    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
                    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/ohlcache",
                    "AWS_LAMBDA_LOG_STREAM_NAME": "1",
                    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
                    "POWERTOOLS_SERVICE_NAME": "ohlcache-test",
                    **environment,
                },
                cwd=tempfile.gettempdir(),
                stdout=output,
                stderr=output,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Not by Popen, which would wait for one that has ended, and lose what it took.
        os.kill(self.process.pid, signal.SIGKILL)
        _, status, used = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_seconds = used.ru_utime + used.ru_stime
        self._server.shutdown()
        self._server.server_close()

    def invoke(self, event: dict[str, Any], *, timeout_seconds: float = 30) -> Outcome:
        began = time.monotonic()
        self._events.put(Invocation(event, timeout_seconds))
        outcome = self.wait()
        outcome.seconds = time.monotonic() - began
        return outcome

    def get(
        self, path: str, *, headers: dict[str, str] | None = None, timeout_seconds: float = 30, **query: str
    ) -> Outcome:
        """Return the answer to a GET as a function URL sends it."""
        return self.invoke(url_event("GET", path, query, headers or {}), timeout_seconds=timeout_seconds)

    def wait(self) -> Outcome:
        try:
            return self._outcomes.get(timeout=ANSWER_SECONDS_MAX)
        except Exception as exc:
            raise AssertionError(f"no answer; the function wrote:\n{self.text()}") from exc

    def text(self) -> str:
        return self._output.read_text()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines() if line.startswith("{")]

    def metrics(self) -> dict[str, float]:
        """Return the sum of every EMF metric, by name."""
        totals: dict[str, float] = {}
        for line in self.lines():
            for directive in line.get("_aws", {}).get("CloudWatchMetrics", []):
                for metric in directive["Metrics"]:
                    totals[metric["Name"]] = totals.get(metric["Name"], 0) + sum(line[metric["Name"]])
        return totals


def url_event(method: str, path: str, query: dict[str, str], headers: dict[str, str]) -> dict[str, Any]:
    """Return an event of a function URL (payload format 2.0)."""
    raw = urlencode(query)
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": raw,
        "headers": {"host": "abc.lambda-url.eu-central-1.on.aws", "x-api-key": "test-key", **headers},
        "queryStringParameters": query,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "abc",
            "domainName": "abc.lambda-url.eu-central-1.on.aws",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "test",
            },
            "requestId": "2f1c",
            "routeKey": "$default",
            "stage": "$default",
            "time": "24/May/2024:15:00:00 +0000",
            "timeEpoch": 1716562800000,
        },
        "isBase64Encoded": False,
    }


def _handler_class(events: Queue[Invocation], outcomes: Queue[Outcome]) -> type[BaseHTTPRequestHandler]:
    class RuntimeApi(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # headers and body in one write: without it every call waits 40 ms for an acknowledgement

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            invocation = events.get()
            self._send(
                200,
                json.dumps(invocation.event).encode(),
                {
                    "Lambda-Runtime-Aws-Request-Id": invocation.id,
                    "Lambda-Runtime-Deadline-Ms": str(int((time.time() + invocation.timeout_seconds) * 1000)),  # noqa: TID251 - the deadline of a real clock
                    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:1:function:ohlcache",
                    "Lambda-Runtime-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
                },
            )

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            kind = "init-error" if self.path.endswith("/init/error") else self.path.rsplit("/", 1)[-1]
            if len(body) > PAYLOAD_BYTES_MAX:
                kind = "too-large"
            self._send(202, b"{}", {})
            outcomes.put(Outcome(kind, json.loads(body or b"null")))

        def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(body)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

    return RuntimeApi
