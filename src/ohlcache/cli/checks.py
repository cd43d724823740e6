"""What the commands that check a deployment share: one line for every check, and an error for the first that fails."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ohlcache.domain.errors import OhlcacheError

if TYPE_CHECKING:
    from collections.abc import Iterator


class CheckFailed(OhlcacheError):
    """Something that was checked is not as it must be; the message says what was found."""

    code = "check_failed"
    default_hint = "See docs/runbook.md."


@contextmanager
def check(name: str) -> Iterator[None]:
    """Run one check: write whether it passed, and how long it took."""
    began = time.perf_counter()
    try:
        yield
    except BaseException:
        sys.stdout.write(f"FAILED  {name}\n")
        raise
    sys.stdout.write(f"ok      {name} ({(time.perf_counter() - began) * 1000:.0f} ms)\n")


def expect(holds: bool, found: str, *, hint: str | None = None) -> None:
    """Raise CheckFailed with ``found`` unless it holds."""
    if not holds:
        raise CheckFailed(found, hint=hint)
