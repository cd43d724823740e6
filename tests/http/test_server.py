"""The server process over real sockets: ready line, graceful stop, ports in use, several workers."""

from __future__ import annotations

import json
import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest
from http_process import Process, end, get, launch

from ohlcache.domain.errors import ConfigurationError
from ohlcache.http.server import bind
from ohlcache.testing import FakeClock, FakeVendors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Start server processes; stop every one of them in the end."""
    started: list[Process] = []

    def run(workers: int = 1, **environment: str) -> Process:
        started.append(launch(tmp_path, workers, **environment))
        return started[-1]

    yield run
    for server in started:
        end(server)


def test_one_line_says_that_it_is_ready_and_sigterm_ends_it_well(start: Callable[..., Process]) -> None:
    """F6: it answers once the line is out, logs one JSON line per request, and exits 0 on SIGTERM."""
    server = start()
    port = server.ready()
    assert get(port, "/readyz")[0] == 200
    status, headers, body = get(port, "/api/v2/tickers/AAPL/ohlc?range=1Y", x_request_id="over-the-wire")
    assert status == 200
    assert headers["x-cache-source"] == "sample"
    assert "server" not in headers
    assert json.loads(body)["count"] > 200
    server.process.send_signal(signal.SIGTERM)
    assert server.end() == 0
    lines = [json.loads(line) for line in server.printed if line.startswith("{")]
    line = next(line for line in lines if line.get("request_id") == "over-the-wire" and line["event"] == "request")
    assert line["status"] == 200
    assert line["tier"] == "sample"


def test_what_is_under_way_is_answered_and_written(start: Callable[..., Process]) -> None:
    """F6, F10: SIGTERM during a vendor call: the caller gets its candles, and the next process finds them stored."""
    instant = "2024-06-04T02:00:00Z"
    with FakeVendors(clock=FakeClock(instant), latency_seconds=0.5) as vendors, ThreadPoolExecutor() as pool:
        wishes = {
            "OHLCACHE_SOURCE": "tiingo",
            "OHLCACHE_STORE": "sqlite",
            "OHLCACHE_CLOCK": instant,
            "TIINGO_API_KEY": "a-key-that-must-not-show",
            "TIINGO_BASE_URL": vendors.tiingo_url,
        }
        server = start(**wishes)
        asked = pool.submit(get, server.ready("tiingo"), "/api/v2/tickers/AAPL/ohlc?range=1Y")
        while not vendors.calls:
            wait([asked], timeout=0.01)
        server.process.send_signal(signal.SIGTERM)
        status, headers, body = asked.result()
        assert (status, headers["x-cache-source"]) == (200, "tiingo")
        assert server.end() == 0
        calls = len(vendors.calls)
        again = get(start(**wishes).ready("tiingo"), "/api/v2/tickers/AAPL/ohlc?range=1Y")
        assert again[1]["x-cache-source"] == "sqlite"
        assert again[2] == body
        assert len(vendors.calls) == calls
    assert "must-not-show" not in "".join(server.printed)


def test_an_interrupt_ends_it_well_too(start: Callable[..., Process]) -> None:
    """Ctrl+C is a graceful stop."""
    server = start()
    server.ready()
    server.process.send_signal(signal.SIGINT)
    assert server.end() == 0


def test_head_and_pipelined_requests_over_the_wire(start: Callable[..., Process]) -> None:
    """HEAD sends no body, 304 neither, and the connection goes on."""
    port = start().ready()
    with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("HEAD", "/api/v2/tickers/AAPL/ohlc")
        bare = connection.getresponse()
        assert bare.read() == b""
        connection.request("GET", "/api/v2/tickers/AAPL/ohlc", headers={"If-None-Match": bare.getheader("etag") or ""})
        same = connection.getresponse()
        assert (same.status, same.read()) == (304, b"")
        connection.request("GET", "/api/v2/status")
        assert connection.getresponse().status == 200


def test_a_port_in_use_is_said_so(start: Callable[..., Process]) -> None:
    """The second server on a port ends with 1 and a sentence that names the setting, also with several workers."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for workers in (1, 2):
            server = start(workers, OHLCACHE_PORT=port)
            assert server.end() == 1
            assert f"Port {port} on 127.0.0.1 is in use. " in server.printed[-1]
            assert "OHLCACHE_PORT" in server.printed[-1]


def test_a_foreign_address_is_said_so() -> None:
    """An address of another machine cannot be served on."""
    with pytest.raises(ConfigurationError, match="not an address") as caught:
        bind("192.0.2.1", 0, 1)
    assert caught.value.field == "OHLCACHE_HOST"


def test_several_workers_answer_on_one_port(start: Callable[..., Process]) -> None:
    """Each connection may reach another process; a killed one is replaced, and all end together."""
    server = start(2)
    port = server.ready()
    children = [int(pid) for pid in _children_of(server.process.pid)]
    assert len(children) == 2
    assert {get(port, "/healthz")[0] for _ in range(10)} == {200}
    os.kill(children[0], signal.SIGKILL)
    replaced = server.until("worker replaced|end")
    assert replaced.group() == "worker replaced"
    assert {get(port, "/healthz")[0] for _ in range(10)} == {200}
    server.process.send_signal(signal.SIGTERM)
    assert server.end() == 0


def test_workers_do_not_outlive_their_parent(start: Callable[..., Process]) -> None:
    """Killed without a chance to tell them, the parent still takes its workers along: the port is free again."""
    server = start(2)
    port = server.ready()
    server.process.kill()
    server.end()  # the workers share its standard error: reading it to the end waits for them
    with pytest.raises(OSError, match=r"refused|reset"):
        get(port, "/healthz")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_cache_that_cannot_open_ends_the_process(start: Callable[..., Process], tmp_path: Path, workers: int) -> None:
    """Exit code 1 and no endless restarts."""
    (tmp_path / "ohlcache.sqlite3").write_bytes(b"this is no database at all" * 100)
    server = start(workers, OHLCACHE_STORE="sqlite")
    assert server.end() == 1
    assert not [line for line in server.printed if "Traceback" in line]


def _children_of(pid: int) -> list[str]:
    from pathlib import Path

    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
