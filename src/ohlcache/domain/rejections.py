"""One row of a vendor's reply that cannot be true, named by date, field and value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ohlcache.domain.market_time import NEW_YORK

if TYPE_CHECKING:
    from datetime import date

    from ohlcache.domain.span import Span

VALUE_CHARACTERS_MAX = 40


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that was left out of the candles of a reply.

    ``days``: the market dates it may be of: one, unless its own date cannot be read; ``time``: the start of an intraday
    bar in epoch seconds, None for daily rows and where it cannot be read; ``field``: the wire's own word; ``value``: as
    received, shortened to 40 characters; ``fault``: what is wrong with it, to be read after the value.
    """

    days: Span
    field: str
    value: str
    fault: str
    time: int | None = None

    def __post_init__(self) -> None:
        assert len(self.value) <= VALUE_CHARACTERS_MAX, "a value goes into messages and logs"

    @property
    def day(self) -> date:
        """The market date, the first possible one where it cannot be read."""
        return self.days.start

    @property
    def sentence(self) -> str:
        """One sentence for a user: when, which field, which value, what is wrong with it."""
        when = f"{self.day}" if self.days.start == self.days.end else f"between {self.days.start} and {self.days.end}"
        if self.time is not None:
            when += f" {datetime.fromtimestamp(self.time, NEW_YORK):%H:%M}"
        return f"The vendor's row of {when} was rejected: {self.field} {self.value} {self.fault}."
