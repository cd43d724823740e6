"""The words of a reply that refuses: in a member of a JSON object, or plain text that is known to be the vendor's.

A page of somebody in between (a portal that wants a login, a proxy that is down) has words, too, "token" and "sign up"
among them; they say nothing of the key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

BODY_BYTES_MAX = 4096
"""Longer bodies are answers, or pages."""

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)


def words_of(body: bytes, *, member: str, known_texts: Sequence[str]) -> str:
    """Return in lower case the JSON object's ``member``, or a plain text that begins as a known one; else nothing."""
    body = body.removeprefix(b"\xef\xbb\xbf").strip()
    if len(body) > BODY_BYTES_MAX:
        return ""
    if body.startswith(b"{"):
        try:
            return _TEXT.decode(_MEMBERS.decode(body)[member]).lower()
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError):
            return ""
    text = body.decode("utf-8", "replace").lower()
    return text if text.startswith(tuple(known_texts)) else ""


def is_page(body: bytes) -> bool:
    """Whether a body is markup: no vendor answers in any."""
    return body.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")
