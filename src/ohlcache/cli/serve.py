"""``ohlcache serve``: the HTTP API and the page."""
# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that --help stays fast

from __future__ import annotations

import sys
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(serve)


def serve(
    host: Annotated[str | None, typer.Option(show_default=False, help="Address; default OHLCACHE_HOST.")] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, show_default=False, help="Port; 0 picks one; default OHLCACHE_PORT."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the port and the store.")] = 1,
    *,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser when it is ready.")] = False,
) -> None:
    """Serve the API and the page until Ctrl-C."""
    from ohlcache.assembly import build_app, build_clock, build_telemetry
    from ohlcache.cli.stats import place_of
    from ohlcache.http.server import serve as serve_http
    from ohlcache.settings import load_settings, unknown_variables

    for name, meant in unknown_variables().items():
        sys.stderr.write(f"warning: {name} is no setting, so it does nothing" + (f"; {meant}?\n" if meant else "\n"))
    chosen: dict[str, object] = {"host": host, "port": port}
    settings = load_settings(**{name: value for name, value in chosen.items() if value is not None})
    settings.check_serving()
    clock = build_clock(settings)
    telemetry = build_telemetry(settings, clock)

    def announce(line: str) -> None:
        sys.stderr.write(f"{line}\ncandles are kept in {place_of(settings)}\n")
        sys.stderr.flush()
        if open_page:
            typer.launch(line.rsplit(" ", 1)[-1])

    code = serve_http(
        lambda: build_app(settings, telemetry, clock),
        telemetry,
        host=settings.host,
        port=settings.port,
        workers=workers,
        announce=announce,
    )
    raise typer.Exit(code)
