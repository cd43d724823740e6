"""The command ``ohlcache``: its commands joined, and the one place where an error becomes words and an exit code."""

from __future__ import annotations

import errno
import io
import os
import sys
import traceback
from importlib import import_module
from typing import TYPE_CHECKING, Annotated

import typer

from ohlcache.cli.exit_codes import ExitCode, exit_code_of
from ohlcache.domain.errors import OhlcacheError
from ohlcache.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = (
    "serve",
    "get",
    "backfill",
    "coverage",
    "invalidate",
    "stats",
    "doctor",
    "settings",
    "fake_vendor",
    "create_table",
    "smoke_test",
    "sanity_test",
    "fidelity",
)
"""The modules of the commands, in the order of ``--help``; each has ``register(app)``."""

DEBUG_FLAG = "--debug"


def build_app(words: Sequence[str] = ()) -> typer.Typer:
    """Return the application with the command that ``words`` name; with every command where they name none."""
    app = typer.Typer(
        name="ohlcache",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        help="A read-through cache for OHLC candles, between you and a rate-limited vendor.",
        epilog="Settings come from the environment: see `ohlcache settings`. If something is wrong: `ohlcache doctor`.",
    )
    app.callback()(_common)
    named = next((word.replace("-", "_") for word in words if not word.startswith("-")), None)
    for command in (named,) if named in COMMANDS else COMMANDS:
        import_module(f"ohlcache.cli.{command}").register(app)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"ohlcache {__version__}\n")
        raise typer.Exit


def _common(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
    debug: Annotated[bool, typer.Option(DEBUG_FLAG, help="Show the traceback of an error.")] = False,
) -> None:
    """Take the options that stand before the command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line ``arguments`` (default: the process's) and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a sign shows another one
    try:
        code = build_app(words)(words, prog_name="ohlcache", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:
        return _reader_has_gone()
    except OhlcacheError as exc:
        _trace(words)
        _tell(exc)
        return exit_code_of(exc)
    except Exception as exc:  # noqa: BLE001 - the last catch: whatever it is, a person gets a sentence
        return _unexpected(exc, words)
    if code == ExitCode.INTERRUPTED:
        _complain("interrupted")
    return code if isinstance(code, int) else ExitCode.OK


def _tell(error: OhlcacheError) -> None:
    from ohlcache.cli.wording import another_try, in_options  # noqa: PLC0415 - only for an error

    _complain(f"error: {in_options(error.message)}")
    if error.hint:
        _complain(f"hint: {in_options(error.hint)}{another_try(error)}")


def _unexpected(error: Exception, words: Sequence[str]) -> int:
    show = getattr(error, "show", None)
    if callable(show):  # a word of the command line that makes no sense: the parser knows best how to say it
        show()
        return int(getattr(error, "exit_code", ExitCode.USAGE))
    _trace(words)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        _complain("error: The output cannot be written: the disk is full.")
        _complain("hint: Make room, or write somewhere else.")
        return ExitCode.FAILED
    _complain(f"error: {type(error).__name__}: {error}")
    _complain(
        "hint: this should not happen. Run `ohlcache doctor`; with --debug before the command, the traceback shows."
    )
    return ExitCode.FAILED


def _trace(words: Sequence[str]) -> None:
    if DEBUG_FLAG in words:
        traceback.print_exc()


def _reader_has_gone() -> int:
    """Be content: whoever reads our output (``| head``) has enough of it."""
    # The interpreter flushes stdout once more at its end, and would complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.OK


def _complain(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
