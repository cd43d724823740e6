"""What a vendor has on offer, held against what a request asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ohlcache.domain.errors import InvalidRequest

if TYPE_CHECKING:
    from ohlcache.domain.adjustment import Adjustment
    from ohlcache.domain.request import CandleRequest
    from ohlcache.ports import CandleVendor


def serves(vendor: CandleVendor, request: CandleRequest) -> bool:
    """Whether the vendor has the resolution, with the adjustment if one is asked for."""
    offered = vendor.traits.adjustments.get(request.resolution, ())
    return bool(offered) and (request.adjustment is None or request.adjustment in offered)


def adjustment_of(vendor: CandleVendor, request: CandleRequest) -> Adjustment:
    """Return the adjustment to apply; InvalidRequest where the source cannot give what was asked for."""
    offered = vendor.traits.adjustments[request.resolution]
    if request.adjustment is None:
        return offered[0]
    if request.adjustment not in offered:
        raise InvalidRequest(
            f"{vendor.name} cannot give resolution {request.resolution} with adjust={request.adjustment}.",
            hint=f"Use adjust={offered[0]}" + (f" or one of {', '.join(offered[1:])}." if offered[1:] else "."),
            field="adjust",
        )
    return request.adjustment


def market_now(vendor: CandleVendor, now: float) -> float:
    """Return the market time of a vendor's series: now, but never past the end of its data."""
    until = vendor.traits.data_until
    return now if until is None else min(now, until)
