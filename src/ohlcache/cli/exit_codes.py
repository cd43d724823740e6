"""What the shell is told: one number per kind of end."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ohlcache.domain.errors import OhlcacheError


class ExitCode(IntEnum):
    """The exit codes of ``ohlcache``; listed in docs/cli.md."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    QUOTA = 4
    VENDOR = 5
    INCOMPLETE = 6
    """Candles were given, but they are stale or sessions are missing."""
    INTERRUPTED = 130


_BY_CODE = {
    "invalid_request": ExitCode.USAGE,
    "configuration_error": ExitCode.USAGE,
    "not_acceptable": ExitCode.USAGE,
    "ticker_not_found": ExitCode.NOT_FOUND,
    "quota_exceeded": ExitCode.QUOTA,
    "vendor_error": ExitCode.VENDOR,
    "vendor_unavailable": ExitCode.VENDOR,
    "vendor_bad_data": ExitCode.VENDOR,
    "vendor_credentials": ExitCode.VENDOR,
    "incomplete_data": ExitCode.VENDOR,
}


def exit_code_of(error: OhlcacheError) -> ExitCode:
    """Return the exit code that says what kind of error it was."""
    return _BY_CODE.get(error.code, ExitCode.FAILED)
