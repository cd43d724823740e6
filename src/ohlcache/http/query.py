"""Query parameters: known ones, each once; anything else is refused by name, because a typo must not go unnoticed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from ohlcache.domain.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Collection

FIELDS_MAX = 32
SHOWN_CHARACTERS_MAX = 40
SEARCHED_CHARACTERS_MAX = 40


def parse_query(query: bytes, known: Collection[str]) -> dict[str, str]:
    """Return the parameters of ``query``; InvalidRequest names the first that is unknown or comes twice."""
    if not query:
        return {}
    found: dict[str, str] = {}
    for name, value in _pairs(query, _listed(known)):
        shown = name[:SHOWN_CHARACTERS_MAX]
        if name not in known:
            raise InvalidRequest(f"Unknown parameter {shown!r}.", hint=_listed(known), field=shown)
        if name in found:
            raise InvalidRequest(f"{name} is given twice.", hint=f"Give {name} once.", field=name)
        found[name] = value
    return found


def parse_any_query(query: bytes) -> dict[str, str]:
    """Return whatever parameters ``query`` has, the last of those that come twice; for paths that are not strict."""
    return dict(_pairs(query, "Send fewer."))


def parse_searched(text: str) -> str:
    """Return what is looked for, without the space around it; InvalidRequest when no ticker or name is that long."""
    if len(text.strip()) > SEARCHED_CHARACTERS_MAX:
        raise InvalidRequest(
            f"query is longer than {SEARCHED_CHARACTERS_MAX} characters.", hint="Write query=AA.", field="query"
        )
    return text.strip()


def parse_flag(text: str, field: str) -> bool:
    """Return the truth of ``true`` or ``false``; InvalidRequest names ``field`` otherwise."""
    if text not in {"true", "false"}:
        raise InvalidRequest(
            f"{field} {text[:20]!r} is neither true nor false.", hint=f"Write {field}=true.", field=field
        )
    return text == "true"


def parse_count(text: str, field: str, most: int) -> int:
    """Return a number from 1 to ``most``; InvalidRequest names ``field`` otherwise."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(most)) else 0
    if not 1 <= number <= most:
        raise InvalidRequest(
            f"{field} {text[:20]!r} is not a number from 1 to {most}.", hint=f"Write {field}=10.", field=field
        )
    return number


def _pairs(query: bytes, hint: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="replace", max_num_fields=FIELDS_MAX)
    except ValueError as exc:
        raise InvalidRequest(f"More than {FIELDS_MAX} parameters.", hint=hint, field="query") from exc


def _listed(known: Collection[str]) -> str:
    return f"This path takes {', '.join(known)}." if known else "This path takes no parameters."
