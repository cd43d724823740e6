"""DynamoDB engines for tests: moto in this process, ministack and dynalite as servers, others by setting.

Servers start on a free port, once a test session, and die with it. Two more join when their setting is there:
``OHLCACHE_TEST_DYNAMODB_LOCAL_URL`` (a running DynamoDB Local) and ``OHLCACHE_TEST_AWS_REGION`` (real DynamoDB, with the
credentials of the environment; tables are made for the run and deleted).
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config

from ohlcache.adapters import aws_clients
from ohlcache.adapters.aws_clients import ClientKey, _reset_all_clients, client_of
from ohlcache.adapters.stores.dynamodb_schema import create_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REGION = "eu-central-1"
START_SECONDS_MAX = 30
POLL_SECONDS = 0.05
EMULATOR_SECONDS_MAX = 20.0
DYNALITE = Path(__file__).parents[1] / "aws" / "node_modules" / "dynalite" / "cli.js"

ENVIRONMENT = os.environ  # noqa: TID251 - tests start processes and read their own opt-ins

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""What local engines are given; they take anything."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class EngineServer:
    """A DynamoDB engine as a process, which can be killed and started again on the same port."""

    name: str
    command: Callable[[int, Path], list[str]]
    environment: dict[str, str]
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="engine-")))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        environment = {
            **ENVIRONMENT,
            **{name: value.replace("{port}", str(self.port)) for name, value in self.environment.items()},
        }
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            self.command(self.port, self.folder), env=environment, stdout=log, stderr=log, cwd=self.folder
        )
        log.close()
        self._wait_until_it_answers()

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            assert self.process is not None
            assert self.process.poll() is None, f"{self.name} died: {(self.folder / 'log').read_text()[-2000:]}"
            with suppress(Exception):
                raw_client(self.url).list_tables()
                return
            time.sleep(POLL_SECONDS)
        pytest.fail(f"{self.name} does not answer: {(self.folder / 'log').read_text()[-2000:]}")


def raw_client(url: str | None, region: str = REGION) -> Any:
    """Return a client of a test's own, beside the cache's: to look and to tamper."""
    credentials = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"} if url is not None else {}
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=1, read_timeout=5)
    return boto3.Session().client("dynamodb", region_name=region, endpoint_url=url, config=config, **credentials)


def ministack() -> EngineServer:
    return EngineServer(
        "ministack",
        lambda _port, _folder: [str(Path(sys.executable).parent / "ministack")],
        {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": "{port}",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "SERVICES": "dynamodb,secretsmanager,cloudwatch",
        },
    )


def dynalite(*, durable: bool = False) -> EngineServer:
    if not DYNALITE.exists():
        pytest.fail("dynalite is not installed: make aws-engines")

    def command(port: int, folder: Path) -> list[str]:
        kept = ["--path", str(folder / "data")] if durable else []
        quick = ["--createTableMs", "0", "--deleteTableMs", "0"]
        return ["node", str(DYNALITE), "--host", "127.0.0.1", "--port", str(port), *quick, *kept]

    return EngineServer("dynalite", command, {})


SERVERS = {"ministack": ministack, "dynalite": dynalite}

# A running server per engine and test process, made when first used.
_running: dict[str, EngineServer] = {}


@pytest.fixture(scope="session", autouse=True)
def _engines_die_with_the_session() -> Iterator[None]:
    yield
    for server in _running.values():
        server.kill()
    _running.clear()


def running(name: str) -> EngineServer:
    """Return the shared server of an engine; who wants to kill one starts one of its own."""
    if name not in _running:
        _running[name] = SERVERS[name]()
        _running[name].start()
    return _running[name]


@dataclass(frozen=True)
class Table:
    """An empty table on an engine: what a store's constructor takes."""

    engine: str
    name: str
    region: str
    endpoint_url: str | None

    def client(self) -> Any:
        return raw_client(self.endpoint_url, self.region)


@contextmanager
def table_on(engine: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    """Make an empty table on ``engine``, with the process's AWS clients and credentials set up for it."""
    name = f"ohlcache-{uuid4().hex[:12]}"
    _reset_all_clients()
    if engine == "aws":
        table = Table(engine, name, ENVIRONMENT["OHLCACHE_TEST_AWS_REGION"], None)
    else:
        for variable, value in CREDENTIALS.items():
            monkeypatch.setenv(variable, value)
        if engine == "moto":
            from moto import mock_aws

            with mock_aws():
                create_table(name, region=REGION, endpoint_url=None)
                yield Table(engine, name, REGION, None)
                _reset_all_clients()
            return
        local = ENVIRONMENT.get("OHLCACHE_TEST_DYNAMODB_LOCAL_URL")
        url = local if engine == "dynamodb-local" else running(engine).url
        # An emulator beside ten busy processes may take longer than DynamoDB ever does.
        monkeypatch.setattr(aws_clients, "READ_TIMEOUT_SECONDS", EMULATOR_SECONDS_MAX)
        table = Table(engine, name, REGION, url)
    create_table(name, region=table.region, endpoint_url=table.endpoint_url)
    yield table
    client_of(ClientKey("dynamodb", table.region, table.endpoint_url)).delete_table(TableName=name)
    _reset_all_clients()


def server_engines() -> list[str]:
    """Engines that serve callers of several threads and processes truthfully; moto does not."""
    opted = [
        ("dynamodb-local", "OHLCACHE_TEST_DYNAMODB_LOCAL_URL"),
        ("aws", "OHLCACHE_TEST_AWS_REGION"),
    ]
    return [*SERVERS, *(name for name, variable in opted if ENVIRONMENT.get(variable))]


def all_engines() -> list[str]:
    return ["moto", *server_engines()]
