"""The header ``Retry-After``, as servers and the proxies before them really send it.

Seconds (with a fraction, too) or an HTTP date in any of its three formats, GMT also where it does not say so. Several
lines or a list, where a proxy added its own: the longest wait counts. Anything else is ignored, and so is a wait of
more than a month: that is a mistake, and a day without candles for a mistake is worse than one call more.
"""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

from ohlcache.domain.market_time import DAY_SECONDS

WAIT_SECONDS_MAX = float(DAY_SECONDS)
"""Asking once a day finds an upgraded plan."""

PLAUSIBLE_SECONDS_MAX = 31.0 * DAY_SECONDS
CHARACTERS_MAX = 200

_SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]*)?")


def wait_in(header: str | None, now: float) -> float | None:
    """Return the seconds that a header (its lines joined by line ends) asks to wait, a day at most; None without."""
    if not header or len(header) > CHARACTERS_MAX:
        return None
    waits = [wait for line in header.splitlines() for wait in _waits_in(line.strip(), now)]
    plausible = [wait for wait in waits if wait <= PLAUSIBLE_SECONDS_MAX]
    return min(max(0.0, *plausible), WAIT_SECONDS_MAX) if plausible else None


def _waits_in(line: str, now: float) -> list[float]:
    parts = [part.strip() for part in line.split(",")]
    if any(_SECONDS.fullmatch(part) for part in parts):
        return [float(part) for part in parts if _SECONDS.fullmatch(part)]
    try:
        moment = parsedate_to_datetime(line)
        return [(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp() - now]
    except (ValueError, TypeError, OverflowError):
        return []
