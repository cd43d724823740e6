"""What the caller can read: media types and content codings with their weights (RFC 9110, 12.4 and 12.5)."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from ohlcache.domain.errors import InvalidRequest
from ohlcache.http.errors import NotAcceptable

if TYPE_CHECKING:
    from collections.abc import Iterator

DISTINCT_HEADERS_MAX = 512


class Format(StrEnum):
    """How candles are written; the value is what ``format=`` takes."""

    JSON = "json"
    COLUMNS = "columns"
    CSV = "csv"
    ARROW = "arrow"

    @property
    def media_type(self) -> str:
        """The type that ``Accept`` asks for."""
        return _MEDIA_TYPES[self]

    @property
    def content_type(self) -> bytes:
        """The ``Content-Type`` of an answer."""
        return b"text/csv; charset=utf-8; header=present" if self is Format.CSV else self.media_type.encode()

    @classmethod
    def parse(cls, text: str) -> Format:
        """Return the format named ``text``, or raise InvalidRequest with the list of them."""
        try:
            return cls(text)
        except ValueError as exc:
            raise InvalidRequest(
                f"Unknown format {text[:20]!r}.",
                hint=f"Use one of {', '.join(cls)}, for example format=csv.",
                field="format",
            ) from exc


_MEDIA_TYPES = {
    Format.JSON: "application/json",
    Format.COLUMNS: "application/vnd.ohlcache.columns+json",
    Format.CSV: "text/csv",
    Format.ARROW: "application/vnd.apache.arrow.stream",
}


class Coding(StrEnum):
    """How a body is compressed; the value is the ``Content-Encoding``."""

    ZSTD = "zstd"
    GZIP = "gzip"
    IDENTITY = "identity"


@lru_cache(DISTINCT_HEADERS_MAX)
def choose_format(accept: bytes) -> Format:
    """Return the format that ``Accept`` weighs highest, rows first among equals; NotAcceptable when there is none."""
    weights = dict(_weighted(accept))
    if not weights:
        return Format.JSON
    best, best_weight = Format.JSON, 0.0
    for candidate in Format:
        kind = candidate.media_type.partition("/")[0]
        weight = next((weights[name] for name in (candidate.media_type, f"{kind}/*", "*/*") if name in weights), 0.0)
        if weight > best_weight:
            best, best_weight = candidate, weight
    if best_weight == 0.0:
        raise NotAcceptable(
            "None of the formats in Accept can be given.",
            hint=f"Accept one of {', '.join(_MEDIA_TYPES.values())}, or add format=json.",
        )
    return best


@lru_cache(DISTINCT_HEADERS_MAX)
def choose_coding(accept_encoding: bytes) -> Coding:
    """Return the coding that ``Accept-Encoding`` weighs highest, the smallest first among equals.

    Plain bytes are given to whoever asks for nothing, and to whoever refuses everything: an answer is worth more.
    """
    weights = dict(_weighted(accept_encoding))
    weights.setdefault("gzip", weights.get("x-gzip", weights.get("*", 0.0)))
    weights.setdefault("zstd", weights.get("*", 0.0))
    # Plain bytes are always acceptable unless refused, but never preferred to a coding that was asked for.
    weights.setdefault("identity", weights.get("*", 1.0) and 0.0001)
    best = max(Coding, key=lambda coding: weights[coding])
    return best if weights[best] > 0.0 else Coding.IDENTITY


def _weighted(header: bytes) -> Iterator[tuple[str, float]]:
    """Yield the members of a weighted list; a member that makes no sense is passed over."""
    for member in header.decode("latin-1").lower().split(","):
        name, *parameters = (part.strip() for part in member.split(";"))
        if not name:
            continue
        weight = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                weight = _weight(value.strip())
        yield name, weight


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        return 0.0
    return weight if 0.0 <= weight <= 1.0 else 0.0
