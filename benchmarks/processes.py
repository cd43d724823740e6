"""Servers for the length of a benchmark, on free ports of loopback; the load generator; what a process has used."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ENVIRONMENT = dict(os.environ)  # noqa: TID251 - processes inherit it
START_SECONDS_MAX = 30.0
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
SERVER_CORE, CLIENT_CORE = "0", "1"
BUILD = Path(__file__).parents[1] / ".build" / "benchmarks"
"""What takes long to make is kept here from one run to the next."""


class Skipped(Exception):
    """A benchmark that cannot run here; the message says what is missing."""


def require(*programs: str) -> None:
    """Raise Skipped unless every one of ``programs`` is installed."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise Skipped(f"{', '.join(missing)} not found (Debian: apt-get install wrk nginx-light util-linux)")


@contextmanager
def running(
    command: Sequence[str], *, core: str | None = None, stop: int = signal.SIGTERM, **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """Run a command, pinned to ``core`` if one is given, and stop it at the end."""
    pinned = ["taskset", "-c", core, *command] if core is not None and shutil.which("taskset") else list(command)
    process = subprocess.Popen(
        pinned,
        env={**ENVIRONMENT, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.send_signal(stop)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


@contextmanager
def ohlcache_server(
    *, workers: int = 1, core: str | None = SERVER_CORE, **environment: str
) -> Iterator[tuple[int, int]]:
    """Run ``ohlcache serve``; yield its port and its process id."""
    port = free_port()
    command = [sys.executable, "-m", "ohlcache.cli.main", "serve", "--workers", str(workers)]
    wanted = {"OHLCACHE_STORE": "memory", "OHLCACHE_SOURCE": "sample", "OHLCACHE_PORT": str(port), **environment}
    with running(command, core=core, **wanted) as process:
        wait_for(port)
        yield port, process.pid


@contextmanager
def fake_vendors(*arguments: str, core: str | None = None) -> Iterator[str]:
    """Run the fake vendors; yield their address."""
    command = [sys.executable, "-m", "benchmarks.many_tickers", *arguments]
    with running(command, core=core) as process:
        assert process.stdout is not None
        yield str(json.loads(process.stdout.readline())["tiingo_url"])


def free_port() -> int:
    """Return a port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    """Return as soon as something accepts connections on ``port``; RuntimeError when nothing ever does."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"nothing listens on port {port}")


def fetch(port: int, target: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    """Return status, body and headers of one GET."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", target, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


def body_of(port: int, target: str, **headers: str) -> bytes:
    """Return the body of a GET that must succeed."""
    status, body, _ = fetch(port, target, **headers)
    if status != HTTPStatus.OK:
        raise RuntimeError(f"GET {target}: {status} {body[:300]!r}")
    return body


def post(url: str, order: object) -> None:
    """Send an order to the fake vendors."""
    assert url.startswith("http://127.0.0.1:")
    request = urllib.request.Request(url, json.dumps(order).encode(), {"Content-Type": "application/json"})  # noqa: S310
    urllib.request.urlopen(request).close()  # noqa: S310 - loopback, just checked


def wrk(
    port: int,
    target: str,
    headers: Sequence[str] = (),
    *,
    connections: int = 16,
    seconds: float = 2,
    core: str | None = CLIENT_CORE,
    script: Path | None = None,
    expect: int = 200,
) -> tuple[float, int]:
    """Return requests per second and how many there were; any other status than ``expect`` is an error."""
    options = [part for header in headers for part in ("-H", header)]
    options += ["-s", str(script)] if script is not None else []
    pinned = ["taskset", "-c", core] if core is not None else []
    url = f"http://127.0.0.1:{port}{target}"
    command = [*pinned, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", *options, url]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if ("Non-2xx" in said and expect == HTTPStatus.OK) or "Socket errors" in said:
        raise RuntimeError(said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    total = re.search(r"(\d+) requests in", said)
    assert rate is not None, said
    assert total is not None, said
    return float(rate[1]), int(total[1])


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def resident_bytes(pid: int) -> int:
    """Return the memory that a process has in use."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
