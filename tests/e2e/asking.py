"""A process that opens the cache, waits for the starting shot, and asks many times at once; prints what it got.

``python asking.py START CALLERS TICKER RANGE RESOLUTION [cancel]``: settings come from the environment; START is the
instant (epoch seconds) at which every process asks; with ``cancel`` the first caller is cancelled on the way.
"""

import asyncio
import json
import sys
import time

import ohlcache


async def main(start: float, callers: int, ticker: str, span: str, resolution: str, *, cancel: bool) -> None:
    async with ohlcache.connect() as cache:
        await asyncio.sleep(max(0.0, start - time.time()))  # noqa: TID251 - a real process in real time
        tasks = [asyncio.ensure_future(cache.get(ticker, span, resolution=resolution)) for _ in range(callers)]
        if cancel:
            await asyncio.sleep(0.05)  # noqa: TID251 - while the vendor is being asked
            tasks[0].cancel()
        began = time.monotonic()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        seconds = time.monotonic() - began
    answered = [result for result in results if isinstance(result, ohlcache.CandleTable)]
    failed = [result.code for result in results if isinstance(result, ohlcache.OhlcacheError)]
    cancelled = sum(isinstance(result, asyncio.CancelledError) for result in results)
    counts = sorted({len(table) for table in answered})
    found = {"answered": len(answered), "failed": failed, "cancelled": cancelled, "counts": counts, "seconds": seconds}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(
        main(float(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5], cancel="cancel" in sys.argv)
    )
