"""The server process: uvicorn with uvloop and httptools, started from code and stopped with care.

On SIGTERM or SIGINT it accepts nobody new, answers what is under way for at most ten seconds, closes the cache (which
writes what was fetched) and returns.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import signal
import socket
import sys
from typing import TYPE_CHECKING

import uvicorn

from ohlcache.adapters.telemetry import LoggingBridge
from ohlcache.domain.errors import ConfigurationError
from ohlcache.http.replay_protocol import replaying
from ohlcache.http.workers import supervise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from ohlcache.adapters.telemetry import StandardTelemetry
    from ohlcache.http.app import HttpApp

GRACEFUL_STOP_SECONDS = 10
KEEP_ALIVE_SECONDS = 65
"""Longer than the minute at which load balancers drop idle connections: a server must not hang up first."""
BACKLOG_CONNECTIONS = 2048


def serve(
    build_app: Callable[[], HttpApp],
    telemetry: StandardTelemetry,
    *,
    host: str,
    port: int,
    workers: int = 1,
    announce: Callable[[str], None] | None = None,
) -> int:
    """Serve until told to stop; return the process's exit code: 0 after a graceful stop.

    ``build_app`` is called in every worker process; ``announce`` gets one line when the first is ready (default: it
    goes to standard error). Raises ConfigurationError when the address cannot be had, and whatever kept the cache
    from opening.
    """
    sockets = bind(host, port, workers)
    address = f"http://{f'[{host}]' if ':' in host else host}:{sockets[0].getsockname()[1]}"
    say = announce if announce is not None else _to_standard_error
    bridge = LoggingBridge(telemetry)
    logging.getLogger().addHandler(bridge)
    try:
        if workers == 1:
            _serve_on(sockets[0], build_app, lambda app: say(_banner(app, address)))
            return 0

        def work(number: int) -> None:
            def ready(app: HttpApp) -> None:
                if number == 0:
                    say(_banner(app, address))

            _serve_on(sockets[number], build_app, ready)

        return supervise(work, workers, telemetry)
    finally:
        logging.getLogger().removeHandler(bridge)
        for listener in sockets:
            listener.close()


def bind(host: str, port: int, count: int) -> list[socket.socket]:
    """Return ``count`` sockets on one address, between which the kernel spreads connections."""
    first = _bind_one(host, port, shared=False)
    if count == 1:
        return [first]
    # Sockets that share an address would share it with a stranger's, too: the first one made sure that it is free.
    port = first.getsockname()[1]
    first.close()
    return [_bind_one(host, port, shared=True) for _ in range(count)]


def _bind_one(host: str, port: int, *, shared: bool) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(
            address[:2],
            family=family,
            backlog=BACKLOG_CONNECTIONS,
            reuse_port=shared,
        )
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            raise ConfigurationError(
                f"Port {port} on {host} is in use.",
                hint="Stop what uses it, or set OHLCACHE_PORT to another port (0 picks a free one).",
                field="OHLCACHE_PORT",
            ) from exc
        if exc.errno == errno.EACCES:
            raise ConfigurationError(
                f"Port {port} may not be used by this account.",
                hint="Set OHLCACHE_PORT to a port above 1023.",
                field="OHLCACHE_PORT",
            ) from exc
        raise ConfigurationError(
            f"{host} is not an address of this machine.",
            hint="Set OHLCACHE_HOST to 127.0.0.1, or to 0.0.0.0 for every address.",
            field="OHLCACHE_HOST",
        ) from exc


def _serve_on(listener: socket.socket, build_app: Callable[[], HttpApp], ready: Callable[[HttpApp], None]) -> None:
    app = build_app()
    config = uvicorn.Config(
        app,
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        http=replaying(app.replays, app.ids),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACEFUL_STOP_SECONDS,
        backlog=BACKLOG_CONNECTIONS,
    )
    try:
        _Server(config, app, ready).run([listener])
    except SystemExit as exc:
        if app.start_failure is not None:
            raise app.start_failure from exc
        raise


class _Server(uvicorn.Server):
    """Uvicorn's server that tells when it is ready, and ends by returning rather than by the signal that stopped it."""

    def __init__(self, config: uvicorn.Config, app: HttpApp, ready: Callable[[HttpApp], None]) -> None:
        super().__init__(config)
        self._app = app
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready(self._app)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._app.lifecycle.stop()
        super().handle_exit(sig, frame)


def _banner(app: HttpApp, address: str) -> str:
    return f"ohlcache {app.version} serves {app.lifecycle.cache.status().source} on {address}"


def _to_standard_error(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - the one line that a person waits for
