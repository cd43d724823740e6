"""Conditional requests: what the caller already holds is not sent again (RFC 9110, 8.8.3 and 13.1.2)."""

from __future__ import annotations

import re
from hashlib import blake2b

DIGEST_BYTES = 12

_TAG = re.compile(rb'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def entity_tag(body: bytes, coding: str) -> bytes:
    """Return the strong validator of ``body`` as it is sent in ``coding``: other bytes, another tag."""
    digest = blake2b(body, digest_size=DIGEST_BYTES).hexdigest()
    return f'"{digest}"'.encode() if coding == "identity" else f'"{digest}-{coding}"'.encode()


def is_held(if_none_match: bytes, etag: bytes) -> bool:
    """Whether ``If-None-Match`` names ``etag`` (compared weakly), or anything at all with ``*``."""
    if etag in if_none_match:
        return etag in _TAG.findall(if_none_match)
    return if_none_match.strip() == b"*"
