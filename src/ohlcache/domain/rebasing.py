"""What becomes of held prices when a vendor that adjusts them itself has rewritten history.

Such a vendor divides all earlier prices anew at every split. Whether it has is seen where a new answer overlaps what is
held: if a price has moved, everything older is on the old basis and worthless.
"""

from __future__ import annotations

import numpy as np

from ohlcache.domain.coverage import Holding

REBASED_RATIO = 1e-3
"""A relative move of a close beyond this is a new basis, not a correction of the last digit."""


def rebased(held: Holding, new: Holding) -> Holding:
    """Return what of ``held`` can be used with ``new``: sessions without a usable row in it, if the basis is the same.

    A reply in which no row can be used says nothing of the basis.
    """
    rejected = new.coverage.rejected
    if rejected.any() and not len(new.candles):
        return held
    # What was still forming moves by itself.
    settled = held.select(~held.coverage.forming).candles
    common, mine, theirs = np.intersect1d(settled.time, new.candles.time, return_indices=True)
    if len(held) and len(new):
        before, after = settled.close[mine], new.candles.close[theirs]
        moved = bool(np.any(np.abs(after - before) > REBASED_RATIO * np.abs(before)))
        if moved or not len(common):
            return Holding.empty()
    return held.select(~np.isin(held.coverage.days, new.coverage.days[~rejected]))
