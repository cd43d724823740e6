"""Errors in the words of the face that is spoken through: the domain writes hints as HTTP queries."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ohlcache.domain.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Callable

_PARAMETER = re.compile(r'\b(range|start_date|end_date|start|end|resolution|adjust|partial)=("?)([\w.:-]*[\w])\2')
_NAMES = {"start_date": "start", "end_date": "end"}


def reworded(text: str, write: Callable[[str, str], str], separator: str) -> str:
    """Return ``text`` with every ``name=value`` written by ``write``, and joined ones joined by ``separator``."""
    joined = re.sub(r'(?<=[\w"])(?:&|, )(?=\w+=)', separator, text)
    written = _PARAMETER.sub(lambda match: write(_NAMES.get(match[1], match[1]), match[3]), joined)
    return re.sub(r"\b(start|end)_date\b", r"\1", written)


def in_python(error: InvalidRequest) -> InvalidRequest:
    """Return the same error, its message, hint and field in the names of the library's arguments."""
    field = _NAMES.get(error.field or "", error.field)
    return InvalidRequest(_python(error.message), hint=_python(error.hint), field=field)


def _python(text: str) -> str:
    return reworded(text, _argument, ", ")


def _argument(name: str, value: str) -> str:
    return f"{name}={value.capitalize()}" if name == "partial" else f'{name}="{value}"'
