"""Cold starts, each in a fresh process: importing the library, a server that is ready, a Lambda function that is.

CPU is what a start costs on any machine; wall time of a busy one says little. Modules that are heavy and not needed
must not come along. Everything is compiled beforehand, as an installed package is: where the environment forbids that,
each start would compile the project anew.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress

from benchmarks.measure import ratio
from benchmarks.processes import ENVIRONMENT as INHERITED
from benchmarks.processes import free_port
from benchmarks.table import Row

ENVIRONMENT = {name: value for name, value in INHERITED.items() if name != "PYTHONDONTWRITEBYTECODE"}
ROUNDS = 11
IMPORT_MILLISECONDS_MAX = 100
READY_MILLISECONDS_MAX = 300
LAMBDA_MILLISECONDS_MAX = 350
HEAVY = ("pandas", "pyarrow", "polars", "exchange_calendars", "scipy", "moto")
AWS = ("boto3", "botocore", "aws_xray_sdk", "mangum", "aws_lambda_powertools")

NOTHING = "pass"
LIBRARY = "import ohlcache"
ONE_ANSWER = """
import ohlcache
with ohlcache.connect_sync(source="sample", store="sqlite") as cache:
    cache.get("AAPL", "1Y")
"""
SERVER = """
from ohlcache.cli import main, serve
from ohlcache.assembly import build_app, build_clock, build_telemetry
from ohlcache.http.server import serve as serve_http
from ohlcache.settings import load_settings
settings = load_settings()
clock = build_clock(settings)
build_app(settings, build_telemetry(settings, clock), clock)
"""
LAMBDA = "import ohlcache.aws.handler"
BOTO3 = "import boto3; boto3.Session().client('dynamodb', region_name='eu-central-1')"

ON_LAMBDA = {
    "OHLCACHE_STORE": "dynamodb",
    "OHLC_CACHE_TABLE": "candles",
    "OHLCACHE_SOURCE": "sample",
    "OHLCACHE_API_KEYS": "key",
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "POWERTOOLS_SERVICE_NAME": "ohlcache",
}


def run() -> list[Row]:
    """Start everything in turns."""
    with tempfile.TemporaryDirectory() as folder:
        here = {"OHLCACHE_DATA_DIR": folder, "OHLCACHE_SOURCE": "sample"}
        python = [sys.executable, "-c"]
        bare, library, server, function, boto3 = [], [], [], [], []
        for _ in range(ROUNDS):
            bare.append(_spent([*python, NOTHING]))
            library.append(_spent([*python, LIBRARY], here))
            server.append(_until_ready(here))
            function.append(_spent([*python, LAMBDA], ON_LAMBDA))
            boto3.append(_spent([*python, BOTO3], ON_LAMBDA))
        along = {
            "import ohlcache": _imported(LIBRARY, here, (*HEAVY, *AWS, "numpy", "pydantic", "aiohttp", "starlette")),
            "a library answer from SQLite": _imported(ONE_ANSWER, here, (*HEAVY, *AWS)),
            "the server": _imported(SERVER, here, (*HEAVY, *AWS)),
            "the Lambda function": _imported(LAMBDA, ON_LAMBDA, (*HEAVY, "aws_xray_sdk", "uvicorn", "typer", "rich")),
        }
    heavy = {name: modules for name, modules in along.items() if modules}
    return [
        _cpu_row("Cold start, import ohlcache", library, bare, "bare Python", IMPORT_MILLISECONDS_MAX),
        _ready_row(server, bare),
        _cpu_row("Cold start, Lambda handler imported", function, bare, "bare Python", LAMBDA_MILLISECONDS_MAX),
        Row(
            "Cold start, Lambda handler against boto3 alone",
            f"{_milliseconds(_cpu(function)):.0f} ms CPU",
            f"a boto3 client for DynamoDB: {_milliseconds(_cpu(boto3)):.0f} ms",
            ratio(_cpu(function), _cpu(boto3)),
            better="lower",
        ),
        Row(
            "Cold start, heavy modules imported without need",
            "; ".join(f"{name}: {', '.join(modules)}" for name, modules in heavy.items()) or "none",
            f"looked for in {', '.join(along)}",
            None,
            target="none",
            met=not heavy,
        ),
    ]


def _cpu_row(
    name: str, ours: list[tuple[float, float]], bare: list[tuple[float, float]], against: str, limit: float
) -> Row:
    above = _milliseconds(_cpu(ours)) - _milliseconds(_cpu(bare))
    return Row(
        name,
        f"{above:.0f} ms CPU above ({_milliseconds(_wall(ours)) - _milliseconds(_wall(bare)):.0f} ms wall)",
        f"{against}: {_milliseconds(_cpu(bare)):.0f} ms",
        ratio(_cpu(ours), _cpu(bare)),
        better="lower",
        target=f"<= {limit} ms",
        met=above <= limit,
    )


def _ready_row(server: list[tuple[float, float]], bare: list[tuple[float, float]]) -> Row:
    ready = _milliseconds(_wall(server))
    return Row(
        "Cold start, server: spawned to first 200 on /readyz",
        f"{ready:.0f} ms ({_milliseconds(_cpu(server)):.0f} ms CPU)",
        f"bare Python: {_milliseconds(_wall(bare)):.0f} ms ({_milliseconds(_cpu(bare)):.0f} ms CPU)",
        ratio(_cpu(server), _cpu(bare)),
        better="lower",
        target=f"<= {READY_MILLISECONDS_MAX} ms",
        met=ready <= READY_MILLISECONDS_MAX,
    )


def _milliseconds(seconds: list[float]) -> float:
    """Return the quickest: what a start takes that nothing else got in the way of."""
    return min(seconds) * 1e3


def _wall(starts: list[tuple[float, float]]) -> list[float]:
    return [wall for wall, _ in starts]


def _cpu(starts: list[tuple[float, float]]) -> list[float]:
    return [cpu for _, cpu in starts]


def _spent(command: list[str], environment: dict[str, str] | None = None) -> tuple[float, float]:
    """Return wall and CPU seconds of a command that ends by itself."""
    started = time.perf_counter()
    process = subprocess.Popen(command, env={**ENVIRONMENT, **(environment or {})})
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    assert not process.returncode, command
    return wall, used.ru_utime + used.ru_stime


def _until_ready(environment: dict[str, str]) -> tuple[float, float]:
    """Return wall seconds from spawning the server to its first 200, and CPU seconds until its end."""
    port = free_port()
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "ohlcache.cli.main", "serve"],
        env={**ENVIRONMENT, **environment, "OHLCACHE_PORT": str(port)},
        stderr=subprocess.DEVNULL,
    )
    wall = None
    while wall is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        with suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/readyz")
            if connection.getresponse().status == http.client.OK:
                wall = time.perf_counter() - started
        connection.close()
        time.sleep(0.002)
    process.terminate()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return wall, used.ru_utime + used.ru_stime


def _imported(program: str, environment: dict[str, str], unwanted: tuple[str, ...]) -> list[str]:
    """Return which of the unwanted modules a program has imported at its end."""
    asking = f"{program}\nimport sys\nprint('imported:', *(name for name in {unwanted!r} if name in sys.modules))"
    said = subprocess.run(
        [sys.executable, "-c", asking],
        env={**ENVIRONMENT, **environment},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    return said.rsplit("imported:", 1)[1].split()
