"""Encoded answers, made once and kept beside the answer: a memory hit serialises, compresses and hashes nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ohlcache.http.compression import COMPRESSED_BYTES_MIN, compress
from ohlcache.http.conditional import entity_tag
from ohlcache.http.encodings import encode_answer
from ohlcache.http.negotiation import Coding, Format
from ohlcache.service.single_flight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Callable

    from ohlcache.domain.answer import Answer

LOOP_CANDLES_MAX = 500
"""Up to this size an answer is encoded on the event loop, in about a millisecond; longer ones in a worker thread."""


@dataclass(frozen=True, slots=True)
class Representation:
    """One encoded form of an answer: its bytes, the coding they really are in, and their validator."""

    body: bytes
    coding: Coding
    etag: bytes


def body_key(form: str, coding: Coding) -> str:
    """Return the key of a body among an answer's representations."""
    return form + "." + coding


def etag_key(form: str, coding: Coding) -> str:
    """Return the key of a body's validator."""
    return form + "." + coding + ".etag"


class Encoder:
    """Gives representations of answers; ``grown`` is told of every answer that now weighs more."""

    def __init__(self, grown: Callable[[Answer], None]) -> None:
        self._grown = grown
        self._flights: SingleFlight[Representation] = SingleFlight()

    def kept(self, answer: Answer, form: str, coding: Coding) -> Representation | None:
        """Return the representation if it was made before: two look-ups, no work."""
        kept = answer.representations
        etag = kept.get(etag_key(form, coding))
        if etag is None:
            return None
        body = kept.get(body_key(form, coding))
        # A body too short to be worth compressing is kept once, under identity; only its tag stands under the coding.
        if body is None:
            return Representation(kept[body_key(form, Coding.IDENTITY)], Coding.IDENTITY, etag)
        return Representation(body, coding, etag)

    async def represent(
        self, answer: Answer, form: str, coding: Coding, encode: Callable[[Answer], bytes] | None = None
    ) -> Representation:
        """Return the representation, made now unless it is kept; of simultaneous callers one makes it.

        ``form`` is a Format, or a name of its own for what ``encode`` makes of the answer.
        """
        kept = self.kept(answer, form, coding)
        if kept is not None:
            return kept
        # Arrow is imported when it is first asked for, which takes far longer than encoding.
        if len(answer.candles) <= LOOP_CANDLES_MAX and form is not Format.ARROW:
            return self._keep(answer, form, coding, _make(answer, form, coding, encode))

        async def make() -> Representation:
            made = await asyncio.to_thread(_make, answer, form, coding, encode)
            return self._keep(answer, form, coding, made)

        made, _ = await self._flights.do((id(answer), form, coding), make)
        return made

    def _keep(self, answer: Answer, form: str, coding: Coding, made: Representation) -> Representation:
        answer.representations[body_key(form, made.coding)] = made.body
        answer.representations[etag_key(form, made.coding)] = made.etag
        answer.representations[etag_key(form, coding)] = made.etag
        self._grown(answer)
        return made


def _make(answer: Answer, form: str, coding: Coding, encode: Callable[[Answer], bytes] | None) -> Representation:
    return represented(answer, encode_answer(answer, Format(form)) if encode is None else encode(answer), coding)


def represented(answer: Answer, plain: bytes, coding: Coding) -> Representation:
    """Return ``plain``, made of ``answer``, with its validator; in ``coding`` unless that is not worth it."""
    used = coding if len(plain) >= COMPRESSED_BYTES_MIN else Coding.IDENTITY
    return Representation(compress(plain, used), used, entity_tag(plain, used, _standing(answer)))


def _standing(answer: Answer) -> bytes:
    """Return what the headers say of how an answer falls short; nothing where it does not."""
    if not answer.stale and answer.shortfall is None:
        return b""
    code = answer.shortfall.code if answer.shortfall is not None else ""
    return " ".join([str(answer.stale), code, *answer.certificate.missing]).encode()
