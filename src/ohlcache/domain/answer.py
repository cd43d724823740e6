"""The answer to a request: candles, and the certificate that says what they are worth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ohlcache.domain.adjustment import Actions
from ohlcache.domain.baseline import UNKNOWN_BASELINE, Baseline

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ohlcache.domain.adjustment import Adjustment
    from ohlcache.domain.candles import Candles
    from ohlcache.domain.request import CandleRequest
    from ohlcache.domain.resolution import Resolution


@dataclass(frozen=True, slots=True)
class Certificate:
    """What an answer holds, measured against the exchange calendar.

    ``expected``: candles the calendar demands of the due sessions; ``count``: candles given; ``known_empty``: sessions
    for which the vendor confirmed that it has none; ``forming``: candles that may still change; ``complete``: every due
    session is covered; ``missing``: market dates (ISO) of due sessions that are not, or lack a bar that was rejected.
    """

    expected: int
    count: int
    known_empty: int
    forming: int
    complete: bool
    missing: tuple[str, ...]
    calendar_version: str


@dataclass(frozen=True, slots=True)
class Fallback:
    """That daily candles stand in for an intraday resolution that could not be had, and why."""

    asked: Resolution
    message: str


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Why an answer is older than it should be, or lacks sessions.

    ``code``: that of the error which the answer was given in place of; ``reason``: a sentence or two for people.
    """

    code: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Answer:
    """Candles with their provenance; everything in it is the same whichever tier it came from.

    ``days``: market-date ordinal of each candle; ``actions``: splits and dividends with ex-dates in the span (daily
    answers only); ``raw``: the candles before they were adjusted, where the request wants them too; ``baseline``: what
    changes are counted from;
    ``source``: the vendor whose series it is; ``resolution``: that of the
    candles (differs from the request's after a fallback); ``observed_at``: instant of the newest vendor word in it;
    ``fresh_until``: the next instant at which it could change; ``data_until``: the instant at which the source's data
    ends, None for a live source; ``synthetic``: the candles are derived, not recorded; ``stale``: something that is due
    could not be fetched, so this is what was held; ``shortfall``: why it is stale or sessions are missing, else None.
    """

    request: CandleRequest
    resolution: Resolution
    adjustment: Adjustment
    candles: Candles
    days: NDArray[np.int32]
    certificate: Certificate
    source: str
    observed_at: float
    fresh_until: float
    data_until: float | None = None
    synthetic: bool = False
    stale: bool = False
    shortfall: Shortfall | None = None
    fallback: Fallback | None = None
    actions: Actions = field(default_factory=Actions.none)
    raw: Candles | None = None
    baseline: Baseline = UNKNOWN_BASELINE
    representations: dict[str, bytes] = field(default_factory=dict, repr=False)
    """Encoded forms of this answer, kept beside it so that a hit serialises nothing."""

    @property
    def nbytes(self) -> int:
        """The memory this answer takes, in bytes, its encoded forms included."""
        columns = self.candles.nbytes + self.days.nbytes + (self.raw.nbytes if self.raw is not None else 0)
        return columns + sum(map(len, self.representations.values())) + 1024

    @property
    def stale_reason(self) -> str | None:
        """Why the answer is stale; None when it is not."""
        return self.shortfall.reason if self.shortfall is not None and self.stale else None

    @property
    def missing_reason(self) -> str | None:
        """Why sessions are missing; None when none are."""
        return self.shortfall.reason if self.shortfall is not None and self.certificate.missing else None


@dataclass(frozen=True, slots=True)
class Served:
    """An answer as one caller got it: from which tier, and how many seconds after the vendor's word."""

    answer: Answer
    tier: str
    age_seconds: float
    degraded: bool = False
    """Whether a store or vendor failure was worked around on the way."""
    believed: bool = True
    """Whether it may be kept: an empty answer that nothing bears out is given, but not repeated."""


IN_MEMORY = "in-memory"
