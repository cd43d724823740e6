"""Hints in the words of the command line: ``--start 2024-01-02`` instead of ``start_date=2024-01-02``."""

from __future__ import annotations

from ohlcache.library.wording import reworded


def in_options(text: str) -> str:
    """Return ``text`` with arguments written as options."""
    return reworded(text, _option, " ")


def _option(name: str, value: str) -> str:
    return "--partial" if name == "partial" else f"--{name} {value}"
