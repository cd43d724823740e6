"""The width of a candle: minutes, or one trading day."""

from __future__ import annotations

from enum import StrEnum

from ohlcache.domain.errors import InvalidRequest
from ohlcache.domain.market_time import DAY_SECONDS


class Resolution(StrEnum):
    """``1 5 15 30 60 D``: these exact strings in API, keys and storage."""

    MINUTE = "1"
    MINUTES_5 = "5"
    MINUTES_15 = "15"
    MINUTES_30 = "30"
    HOUR = "60"
    DAY = "D"

    @property
    def is_daily(self) -> bool:
        """Whether a candle is a whole session."""
        return self is Resolution.DAY

    @property
    def seconds(self) -> int:
        """The candle's width in seconds; a daily candle counts as 86,400."""
        return DAY_SECONDS if self.is_daily else int(self.value) * 60

    @classmethod
    def parse(cls, text: str) -> Resolution:
        """Return the resolution named ``text``, or raise InvalidRequest with the list of them."""
        try:
            return cls(text)
        except ValueError as exc:
            names = ", ".join(member.value for member in cls)
            raise InvalidRequest(
                f"Unknown resolution {text[:20]!r}.",
                hint=f"Use one of {names} (minutes, or D for daily), for example resolution=D.",
                field="resolution",
            ) from exc
