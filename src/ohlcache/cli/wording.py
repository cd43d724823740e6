"""Hints in the words of the command line: ``--start 2024-01-02`` instead of ``start_date=2024-01-02``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ohlcache.library.wording import reworded

if TYPE_CHECKING:
    from ohlcache.domain.errors import OhlcacheError


def in_options(text: str) -> str:
    """Return ``text`` with arguments written as options."""
    return reworded(text, _option, " ")


def another_try(error: OhlcacheError) -> str:
    """Return a sentence, after a space, that says when another try is worth it; nothing where the error does not."""
    wait = error.retry_after_seconds
    return f" Worth another try in {math.ceil(wait / 60)} minutes." if wait else ""


def _option(name: str, value: str) -> str:
    return "--partial" if name == "partial" else f"--{name} {value}"
