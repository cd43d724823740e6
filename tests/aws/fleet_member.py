"""One process of a fleet: opens the cache that the environment describes, and does what the lines on stdin say.

A line is ``{"ticker": "AAPL", "range": "1M", "callers": 10}``; the answer is one line: what every caller got.
``--kill-at N`` dies by SIGKILL before the N-th write that leaves the process, with one item to a write.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from hashlib import sha256
from typing import TYPE_CHECKING

from ohlcache.adapters import aws_clients
from ohlcache.adapters.aws_clients import ClientKey, client_of
from ohlcache.adapters.stores import dynamodb
from ohlcache.assembly import build_cache
from ohlcache.domain.errors import OhlcacheError
from ohlcache.service import guarded_store
from ohlcache.settings import load_settings

if TYPE_CHECKING:
    from ohlcache.service.read_through import ReadThrough

EMULATOR_SECONDS_MAX = 20.0
"""An emulator beside ten busy processes may take longer than DynamoDB ever does, and this is not about time-outs."""
WRITES = ("PutItem", "UpdateItem", "BatchWriteItem")


async def ask(cache: ReadThrough, ticker: str, time_range: str) -> dict[str, object]:
    began = time.monotonic()
    try:
        served = await cache.get(cache.parse(ticker, range=time_range))
    except OhlcacheError as exc:
        return {"error": exc.code, "seconds": time.monotonic() - began}
    digest = sha256()
    for column in served.answer.candles.columns():
        digest.update(column.tobytes())
    return {
        "tier": served.tier,
        "complete": served.answer.certificate.complete,
        "count": len(served.answer.candles),
        "digest": digest.hexdigest(),
        "seconds": time.monotonic() - began,
    }


def die_at(number: int) -> None:
    settings = load_settings()
    client = client_of(ClientKey("dynamodb", settings.aws_region, settings.dynamodb_endpoint_url))
    dynamodb.BATCH_ITEMS_MAX = 1
    writes = 0

    def count(**_: object) -> None:
        nonlocal writes
        writes += 1
        if writes == number:
            os.kill(os.getpid(), signal.SIGKILL)

    for operation in WRITES:
        client.meta.events.register(f"before-send.dynamodb.{operation}", count)


async def main() -> None:
    cache = await build_cache(load_settings())
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        tickers = order.get("tickers", [order.get("ticker")])
        asked = [ask(cache, ticker, order["range"]) for ticker in tickers for _ in range(order.get("callers", 1))]
        sys.stdout.write(json.dumps(await asyncio.gather(*asked)) + "\n")
        sys.stdout.flush()
    await cache.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--kill-at", type=int)
    chosen = parser.parse_args()
    aws_clients.READ_TIMEOUT_SECONDS = EMULATOR_SECONDS_MAX
    guarded_store.STORE_SECONDS_MAX = EMULATOR_SECONDS_MAX
    if chosen.kill_at is not None:
        die_at(chosen.kill_at)
    asyncio.run(main())
