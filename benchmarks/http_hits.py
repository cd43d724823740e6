"""HTTP answers from memory, against nginx serving the same bytes as static files: one server core, one client core.

Needs wrk and nginx (Debian: ``apt-get install wrk nginx-light``) and taskset.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.table import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 5
SECONDS = 2
CONNECTIONS = 16
SERVER_CORE, CLIENT_CORE = "0", "1"
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

SHAPES = {
    "1Y daily": "/api/v2/tickers/AAPL/ohlc?range=1Y",
    "1M of 5-minute": "/api/v2/tickers/AAPL/ohlc?range=1M&resolution=5",
}


def run() -> list[Row]:
    """Measure every shape plain, pre-compressed and as 304, ours and nginx's in turns."""
    missing = [tool for tool in ("wrk", "nginx", "taskset") if shutil.which(tool) is None]
    if missing:
        print(f"http_hits: not run, {', '.join(missing)} not found", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory() as folder, _ours() as (port, pid):
        bodies = {}
        for shape, target in SHAPES.items():
            for coding in ("identity", "gzip"):
                bodies[shape, coding] = _fetch(port, target, coding)
        with _nginx(Path(folder), {key: body for key, (body, _) in bodies.items()}) as nginx_port:
            rows = []
            for shape, target in SHAPES.items():
                for coding in ("identity", "gzip"):
                    headers = [f"Accept-Encoding: {coding}"]
                    rows.append(_pair(f"{shape}, {coding}", port, pid, target, nginx_port, shape, headers))
                tag = bodies[shape, "identity"][1]
                held = ["Accept-Encoding: identity", f"If-None-Match: {tag}"]
                rows.append(_pair(f"{shape}, 304", port, pid, target, nginx_port, shape, held))
    return rows


def _pair(name: str, port: int, pid: int, target: str, nginx_port: int, shape: str, headers: list[str]) -> Row:
    ours, theirs, cpu = [], [], []
    static = f"/{shape.replace(' ', '_')}.json"
    if "304" in name:
        tag = _etag(nginx_port, static)
        nginx_headers = ["Accept-Encoding: identity", f"If-None-Match: {tag}"]
    else:
        nginx_headers = headers
    for _ in range(ROUNDS):
        before = _cpu_seconds(pid)
        rate, requests = _wrk(port, target, headers)
        cpu.append((_cpu_seconds(pid) - before) / requests * 1e6)
        ours.append(rate)
        theirs.append(_wrk(nginx_port, static, nginx_headers)[0])
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    headline = name == "1Y daily, identity"
    return Row(
        f"HTTP hit, {name}",
        f"{statistics.median(ours):,.0f} req/s, {statistics.median(cpu):.1f} µs CPU each",
        f"nginx static {statistics.median(theirs):,.0f} req/s",
        ratio,
        target=">= 0.80 of nginx, <= 20 µs" if headline else "",
        met=(ratio >= 0.80 and statistics.median(cpu) <= 20) if headline else None,
    )


@contextmanager
def _ours() -> Iterator[tuple[int, int]]:
    port = free_port()
    environment = {**os.environ, "OHLCACHE_STORE": "memory", "OHLCACHE_SOURCE": "sample", "OHLCACHE_PORT": str(port)}
    server = subprocess.Popen(
        ["taskset", "-c", SERVER_CORE, sys.executable, "-m", "ohlcache.cli.main", "serve"],
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port)
        yield port, server.pid
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(15)


@contextmanager
def _nginx(folder: Path, bodies: dict[tuple[str, str], bytes]) -> Iterator[int]:
    port = free_port()
    for (shape, coding), body in bodies.items():
        name = f"{shape.replace(' ', '_')}.json" + (".gz" if coding == "gzip" else "")
        (folder / name).write_bytes(body)
    (folder / "nginx.conf").write_text(
        f"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;\n"
        "events { worker_connections 256; }\n"
        "http { access_log off; types { application/json json; } sendfile on; tcp_nopush on; keepalive_requests 100000000;\n"
        "  open_file_cache max=100; gzip_static on; etag on;\n"
        f"  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};\n"
        f"  uwsgi_temp_path {folder}; scgi_temp_path {folder};\n"
        f"  server {{ listen 127.0.0.1:{port}; root {folder}; }} }}\n"
    )
    folder.chmod(0o755)
    nginx = subprocess.Popen(
        ["taskset", "-c", SERVER_CORE, "nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", f"{folder}/e"]
    )
    try:
        wait_for(port)
        yield port
    finally:
        nginx.terminate()
        nginx.wait(10)


def _wrk(port: int, target: str, headers: list[str]) -> tuple[float, int]:
    options = [part for header in headers for part in ("-H", header)]
    url = f"http://127.0.0.1:{port}{target}"
    command = ["taskset", "-c", CLIENT_CORE, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", *options, url]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in said and "If-None-Match" not in "".join(headers):
        raise RuntimeError(said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    total = re.search(r"(\d+) requests in", said)
    assert rate and total, said
    return float(rate[1]), int(total[1])


def _fetch(port: int, target: str, coding: str) -> tuple[bytes, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{target}", headers={"Accept-Encoding": coding})
    for _ in range(2):
        with urllib.request.urlopen(request) as answer:
            body, tag = answer.read(), answer.headers["ETag"]
    return body, tag


def _etag(port: int, target: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{target}") as answer:
        return str(answer.headers["ETag"])


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def free_port() -> int:
    """Return a port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    """Return as soon as something accepts connections on ``port``; RuntimeError after 15 seconds."""
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"nothing listens on port {port}")


if __name__ == "__main__":
    from benchmarks.table import markdown

    print(markdown(run()))
