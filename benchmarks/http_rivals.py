"""A hit of 1Y daily over HTTP, against what people build today, over the same fake vendor on a socket.

FastAPI with response models, on uvicorn with uvloop and httptools like ours, once over requests-cache on SQLite, once
over boto3 with one item per candle. One worker each, on one core; the load generator on the other. The ratio is that of
the server's CPU for a request; rates are bounded by more than that (the local DynamoDB engine is slow).
"""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import median, ratio
from benchmarks.processes import (
    SERVER_CORE,
    Skipped,
    body_of,
    cpu_seconds,
    fake_vendors,
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

ROUNDS = 5
SECONDS = 3
OURS = "/api/v2/tickers/MSFT/ohlc?range=1Y"
THEIRS = "/tickers/MSFT/ohlc"
RIVALS = {
    "FastAPI over requests-cache on SQLite": "over_requests_cache",
    "FastAPI over boto3, one item per candle": "over_dynamodb",
}


def run() -> list[Row]:
    """Measure ours from memory and from SQLite, and both rivals, in turns."""
    require("wrk", "taskset")
    try:
        import fastapi  # noqa: F401, PLC0415 - are they there?
        import requests_cache  # noqa: F401, PLC0415
    except ImportError as exc:
        raise Skipped("fastapi or requests-cache is not installed: make bench installs them") from exc
    with ExitStack() as stack:
        vendor = stack.enter_context(fake_vendors())
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        live = {"OHLCACHE_SOURCE": "tiingo", "TIINGO_API_KEY": "any", "TIINGO_BASE_URL": vendor}
        kept = {**live, "OHLCACHE_STORE": "sqlite", "OHLCACHE_DATA_DIR": folder}
        servers = {
            "memory": (*stack.enter_context(ohlcache_server(**live)), OURS),
            "SQLite": (*stack.enter_context(ohlcache_server(**kept, OHLCACHE_MEMORY_BYTES="1")), OURS),
        }
        dynamodb = stack.enter_context(_dynamodb(folder))
        environment = {
            "RIVAL_VENDOR": vendor,
            "RIVAL_CACHE": str(Path(folder) / "rival"),
            "RIVAL_DYNAMODB": f"http://127.0.0.1:{dynamodb}",
        }
        for name, module in RIVALS.items():
            servers[name] = (*stack.enter_context(_rival(module, environment)), THEIRS)
        counts = {name: _count(port, target) for name, (port, _, target) in servers.items()}
        assert min(counts.values()) > 240, counts
        rates, costs = _measured(servers)
    return [
        Row(
            f"HTTP hit, 1Y daily, from {tier}, against {rival}",
            f"{median(rates[tier]):,.0f} req/s, {min(costs[tier]):,.0f} µs CPU each",
            f"{median(rates[rival]):,.1f} req/s, {min(costs[rival]):,.0f} µs",
            ratio(costs[rival], costs[tier]),
        )
        for rival in RIVALS
        for tier in ("memory", "SQLite")
    ]


def _measured(servers: dict[str, tuple[int, int, str]]) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return requests per second, and microseconds of the server's CPU for each, round by round."""
    rates: dict[str, list[float]] = {name: [] for name in servers}
    costs: dict[str, list[float]] = {name: [] for name in servers}
    for _ in range(ROUNDS):
        for name, (port, pid, target) in servers.items():
            before = cpu_seconds(pid)
            # One at a time from SQLite: at once they would share one read, and the rivals cannot.
            rate, requests = wrk(port, target, connections=1 if name == "SQLite" else 8, seconds=SECONDS)
            rates[name].append(rate)
            costs[name].append((cpu_seconds(pid) - before) / requests * 1e6)
    return rates, costs


def _count(port: int, target: str) -> int:
    for _ in range(3):
        body = json.loads(body_of(port, target))
    return int(body["count"])


@contextmanager
def _rival(module: str, environment: dict[str, str]) -> Iterator[tuple[int, int]]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", f"benchmarks.rivals.{module}:app", "--port", str(port)]
    quiet = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    with running([*command, *quiet], core=SERVER_CORE, **environment) as process:
        wait_for(port)
        yield port, process.pid


@contextmanager
def _dynamodb(folder: str) -> Iterator[int]:
    port = free_port()
    environment = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "SERVICES": "dynamodb", "HOME": folder}
    with running([str(Path(sys.executable).parent / "ministack")], **environment):
        wait_for(port)
        yield port
