"""Server processes as their operator sees them: what they print, where they listen, how they end."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import sys
from ohlcache.assembly import build_app, build_clock, build_telemetry
from ohlcache.domain.errors import OhlcacheError
from ohlcache.http.server import serve
from ohlcache.settings import load_settings

settings = load_settings()
clock = build_clock(settings)
telemetry = build_telemetry(settings, clock)
try:
    sys.exit(serve(lambda: build_app(settings, telemetry, clock), telemetry, host=settings.host, port=settings.port,
                   workers=int(sys.argv[1])))
except OhlcacheError as exc:
    print(f"{exc.message} {exc.hint}", file=sys.stderr)
    sys.exit(1)
"""


class Process:
    """A server as its operator sees it: what it printed, and where it listens."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.printed: list[str] = []

    def until(self, pattern: str) -> re.Match[str]:
        """Read lines until one matches."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.printed.append(line)
            found = re.search(pattern, line)
            if found is not None:
                return found
        raise AssertionError(f"ended without {pattern!r}: {self.printed}")

    def ready(self, source: str = "sample") -> int:
        return int(self.until(rf"^ohlcache \S+ serves {source} on http://127\.0\.0\.1:(\d+)$").group(1))

    def end(self) -> int:
        assert self.process.stderr is not None
        self.printed += self.process.stderr.readlines()
        return self.process.wait(timeout=20)


def launch(folder: Path, workers: int = 1, **environment: str) -> Process:
    """Start a server on the sample and a memory store, unless ``environment`` says otherwise."""
    inherited = os.environ.items()  # noqa: TID251 - a process needs a path, and measuring needs its own variables
    wanted = {
        **{name: value for name, value in inherited if name == "PATH" or name.startswith("COVERAGE_")},
        "OHLCACHE_SOURCE": "sample",
        "OHLCACHE_STORE": "memory",
        "OHLCACHE_PORT": "0",
        "OHLCACHE_DATA_DIR": str(folder),
        **environment,
    }
    command = [sys.executable, "-c", PROGRAM, str(workers)]
    return Process(subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=wanted))


def end(server: Process) -> None:
    """Stop a server, unless it has ended already."""
    if server.process.poll() is None:
        server.process.terminate()
        server.end()
    assert server.process.stderr is not None
    server.process.stderr.close()


def get(port: int, target: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("GET", target, headers={name.replace("_", "-"): value for name, value in headers.items()})
        reply = connection.getresponse()
        return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()
