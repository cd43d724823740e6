"""HTTP answers from memory, against nginx serving the same bytes as static files: one server core, one client core.

The ratio is that of the best rates over many short rounds in turns: on a busy machine a rate is the scheduler's choice,
and the best round is the one that it disturbed least. What each request costs the server in CPU stands beside it.

Needs wrk and nginx (Debian: ``apt-get install wrk nginx-light``) and taskset.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.processes import (
    SERVER_CORE,
    cpu_seconds,
    fetch,
    free_port,
    ohlcache_server,
    require,
    running,
    wait_for,
    wrk,
)
from benchmarks.table import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    Target = tuple[int, int, str, list[str]]
    """Port, process, path and headers."""

ROUNDS = 12
SECONDS = 1
SHARE_MIN = 0.80
CPU_MICROSECONDS_MAX = 20

SHAPES = {
    "1Y daily": "/api/v2/tickers/AAPL/ohlc?range=1Y",
    "1M of 5-minute": "/api/v2/tickers/AAPL/ohlc?range=1M&resolution=5",
}


def run() -> list[Row]:
    """Measure every shape plain, pre-compressed and as 304, ours and nginx's in turns."""
    require("wrk", "nginx", "taskset")
    with tempfile.TemporaryDirectory() as folder, ohlcache_server() as (port, pid):
        bodies, tags = {}, {}
        for shape, target in SHAPES.items():
            for coding in ("identity", "gzip"):
                for _ in range(2):  # the second is a hit
                    _, bodies[shape, coding], headers = fetch(port, target, Accept_Encoding=coding)
                tags[shape, coding] = headers["etag"]
        with _nginx(Path(folder), bodies) as (nginx_port, nginx_pid):
            rows = []
            for shape, target in SHAPES.items():
                for coding in ("identity", "gzip"):
                    asked = [f"Accept-Encoding: {coding}"]
                    rows.append(
                        _pair(
                            f"{shape}, {coding}",
                            (port, pid, target, asked),
                            (nginx_port, nginx_pid, _static(shape), asked),
                        )
                    )
                _, _, headers = fetch(nginx_port, _static(shape), Accept_Encoding="identity")
                held = ["Accept-Encoding: identity", f"If-None-Match: {tags[shape, 'identity']}"]
                held_of_nginx = ["Accept-Encoding: identity", f"If-None-Match: {headers['etag']}"]
                rows.append(
                    _pair(
                        f"{shape}, 304",
                        (port, pid, target, held),
                        (nginx_port, nginx_pid, _static(shape), held_of_nginx),
                    )
                )
    return rows


def _pair(name: str, ours: Target, nginx: Target) -> Row:
    expect = HTTPStatus.NOT_MODIFIED if name.endswith("304") else HTTPStatus.OK
    runs = [(_measured(ours, expect), _measured(nginx, expect)) for _ in range(ROUNDS)]
    (rates, costs), (nginx_rates, nginx_costs) = (
        [list(column) for column in zip(*side, strict=True)] for side in zip(*runs, strict=True)
    )
    share, cost = max(rates) / max(nginx_rates), min(costs)
    headline = name == "1Y daily, identity"
    return Row(
        f"HTTP hit, {name}",
        f"{max(rates):,.0f} req/s, {cost:.1f} µs CPU each",
        f"nginx static: {max(nginx_rates):,.0f} req/s, {min(nginx_costs):.1f} µs",
        share,
        target=f">= {SHARE_MIN:.2f} of nginx, <= {CPU_MICROSECONDS_MAX} µs" if headline else "",
        met=(share >= SHARE_MIN and cost <= CPU_MICROSECONDS_MAX) if headline else None,
    )


def _measured(target: Target, expect: int) -> tuple[float, float]:
    """Return requests per second, and microseconds of the server's CPU for each."""
    port, pid, path, headers = target
    before = cpu_seconds(pid)
    rate, requests = 0.0, 0
    while not requests:  # wrk ends on time, even where the machine never let it begin
        rate, requests = wrk(port, path, headers, seconds=SECONDS, expect=expect)
    return rate, (cpu_seconds(pid) - before) / requests * 1e6


def _static(shape: str) -> str:
    return f"/{shape.replace(' ', '_')}.json"


@contextmanager
def _nginx(folder: Path, bodies: dict[tuple[str, str], bytes]) -> Iterator[tuple[int, int]]:
    port = free_port()
    for (shape, coding), body in bodies.items():
        (folder / (_static(shape)[1:] + (".gz" if coding == "gzip" else ""))).write_bytes(body)
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;\n"
        "events { worker_connections 256; }\n"
        "http { access_log off; types { application/json json; } sendfile on; tcp_nopush on;\n"
        "  keepalive_requests 100000000; open_file_cache max=100; gzip_static on; etag on;\n"
        f"  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};\n"
        f"  uwsgi_temp_path {folder}; scgi_temp_path {folder};\n"
        f"  server {{ listen 127.0.0.1:{port}; root {folder}; }} }}\n"
    )
    folder.chmod(0o755)
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", f"{folder}/e"]
    with running(command, core=SERVER_CORE) as process:
        wait_for(port)
        yield port, process.pid
