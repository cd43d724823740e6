"""A series is what is stored and fetched as one: ticker + source + resolution."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ohlcache.domain.resolution import Resolution


@dataclass(frozen=True, slots=True)
class Series:
    """One ticker of one source at one resolution."""

    ticker: str
    source: str
    resolution: Resolution

    @property
    def daily(self) -> Series:
        """The daily series of the same ticker and source: the ledger of its splits and dividends."""
        return replace(self, resolution=Resolution.DAY)

    def __str__(self) -> str:
        return f"{self.ticker}#{self.source}#{self.resolution}"
