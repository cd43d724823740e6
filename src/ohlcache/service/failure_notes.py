"""How the failure of a fetch reaches those who wait for it: as a note on the lease, and as the same error again."""

from __future__ import annotations

from ohlcache.domain.errors import OhlcacheError, VendorError
from ohlcache.ports import FailureNote


def note_of(failure: OhlcacheError) -> FailureNote:
    """Return the note from which ``failure`` can be raised elsewhere."""
    return FailureNote(failure.code, failure.message, failure.hint, failure.retry_after_seconds)


def failure_of(note: FailureNote) -> OhlcacheError:
    """Return the error that a note was written for."""
    kinds: list[type[OhlcacheError]] = [OhlcacheError]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    kind = next((kind for kind in kinds if kind.code == note.code), VendorError)
    return kind(note.message, hint=note.hint, retry_after_seconds=note.retry_after_seconds)
