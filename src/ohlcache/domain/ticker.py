"""The symbol as a user writes it, normalised; vendors' spellings stay in their adapters."""

from __future__ import annotations

import re

from ohlcache.domain.errors import InvalidRequest

TICKER_CHARACTERS_MAX = 12

_SHAPE = re.compile(r"[A-Z0-9][A-Z0-9.\-]*\Z")
_CLASS_SHARE = re.compile(r"([A-Z]+)-([A-Z])\Z")


def normalise_ticker(text: str) -> str:
    """Return the canonical ticker: upper case, class shares with a dot (``brk-b`` → ``BRK.B``).

    Raises InvalidRequest when it is empty, longer than 12 characters or holds anything but letters, digits, dot, dash.
    """
    written = text.strip()
    ticker = written.upper()
    # Asked of what was written: the upper case of some foreign letters is ASCII, and another company's ticker.
    if not written.isascii() or len(ticker) > TICKER_CHARACTERS_MAX or not _SHAPE.match(ticker):
        raise InvalidRequest(
            f"{text[:20]!r} is not a ticker.",
            hint=f"A ticker has 1 to {TICKER_CHARACTERS_MAX} letters, digits, dots or dashes: AAPL, BRK.B.",
            field="ticker",
        )
    return _CLASS_SHARE.sub(r"\1.\2", ticker)
