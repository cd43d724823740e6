"""Where a vendor's API key comes from; rotation included."""

from __future__ import annotations

from typing import Protocol


class VendorKey(Protocol):
    """The key of one vendor."""

    async def get(self, *, refresh: bool = False) -> str:
        """Return the key; with ``refresh`` ask its origin again, because the vendor refused the one last returned."""
        ...


class FixedKey:
    """A key that was given once and never changes. It does not show in ``repr``."""

    def __init__(self, key: str) -> None:
        self._key = key

    async def get(self, *, refresh: bool = False) -> str:  # noqa: ARG002 - there is nowhere to ask again
        """Return the key."""
        return self._key
