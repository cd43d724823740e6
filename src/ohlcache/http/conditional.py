"""Conditions of a request: what the caller holds already (RFC 9110, 8.8.3 and 13.1.2), and a person's retry."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DIGEST_BYTES = 12

_TAG = re.compile(rb'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def entity_tag(body: bytes, coding: str, standing: bytes = b"") -> bytes:
    """Return the strong validator of ``body`` as it is sent in ``coding``: other bytes, another tag.

    So has another ``standing``, which only headers name: a cache keeps those that a 304 does not replace.
    """
    digest = blake2b(body + standing, digest_size=DIGEST_BYTES).hexdigest()
    return f'"{digest}"'.encode() if coding == "identity" else f'"{digest}-{coding}"'.encode()


def is_held(if_none_match: bytes, etag: bytes) -> bool:
    """Whether ``If-None-Match`` names ``etag`` (compared weakly), or anything at all with ``*``."""
    if etag in if_none_match:
        return etag in _TAG.findall(if_none_match)
    return if_none_match.strip() == b"*"


def wants_retry(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a person retries: ``Cache-Control: no-cache`` (RFC 9111, 5.2.1.4), as a browser sends on a hard reload.

    It ends the pause after a vendor's refusal; what is complete and fresh is served from the cache all the same.
    """
    wishes = headers.get(b"cache-control", b"").lower().split(b",")
    return any(wish.strip() == b"no-cache" for wish in wishes)
