"""Libraries that are not required: imported when first needed, and missed with the command that installs them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ohlcache.domain.errors import OhlcacheError


class MissingExtra(OhlcacheError, ImportError):
    """A conversion needs a library that is not installed; the hint is the command that installs it."""

    code = "missing_extra"
    status = 501


def import_extra(module: str, extra: str) -> Any:  # noqa: ANN401 - the libraries of extras may not be there to type with
    """Return ``module`` of the extra ``extra``, or raise MissingExtra."""
    try:
        return import_module(module)
    except ImportError as exc:
        raise MissingExtra(
            f"This needs {module.partition('.')[0]}, which is not installed.",
            hint=f"pip install 'ohlcache[{extra}]'",
        ) from exc
