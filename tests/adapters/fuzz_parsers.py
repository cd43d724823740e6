"""The vendors' parsers under atheris: libFuzzer changes recordings, steered by what the parsers' code is seen to do.

``python tests/adapters/fuzz_parsers.py --seconds 60 --seed 1`` exits with 0 when every body was refused with a typed error
or read right: the candles are possible, each is a row that Python's own JSON reads from the same body, and rows are only
missing where some were rejected by name.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import atheris

with atheris.instrument_imports(include=["ohlcache.adapters.vendors", "ohlcache.domain"]):
    from ohlcache.adapters.vendors import finnhub_wire, tiingo_wire
    from ohlcache.adapters.vendors.vendor_http import Reply
    from ohlcache.domain.candles import check_possible
    from ohlcache.domain.errors import OhlcacheError, VendorGarbage
    from ohlcache.domain.rejections import VALUE_CHARACTERS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from ohlcache.domain.observation import VendorAnswer

RECORDED = Path(__file__).parents[1] / "data" / "recorded"
BODY_BYTES_MAX = 4096
NOW = 1_718_389_200.0
PRICES = ("open", "high", "low", "close")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--body", type=Path, help="try this one body again")
    wishes = parser.parse_args()
    if wishes.body is not None:
        try_one(wishes.body.read_bytes())
        return
    folder = Path(tempfile.mkdtemp(prefix="bodies-"))
    for number, recording in enumerate(sorted(RECORDED.glob("*/*.json"))):
        # Short enough to be changed often; a body that is cut off is a case of its own.
        (folder / f"{number}").write_bytes(recording.read_bytes()[:BODY_BYTES_MAX])
    os.chdir(folder)  # where libFuzzer leaves a body that breaks something
    atheris.Setup(
        [
            *(sys.argv[0], str(folder)),
            *(f"-max_total_time={wishes.seconds}", f"-seed={wishes.seed}"),
            *(f"-max_len={BODY_BYTES_MAX}", "-print_final_stats=1", "-timeout=20"),
        ],
        try_one,
    )
    try:
        atheris.Fuzz()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def try_one(body: bytes) -> None:
    """Let every parser read one body."""
    for parse, rows_of in PARSERS:
        try:
            answer = parse(body)
        except VendorGarbage:
            continue
        check_possible(answer.candles)
        assert all(len(row.value) <= VALUE_CHARACTERS_MAX and row.sentence for row in answer.rejected)
        read = plainly(body)
        if read is not None:
            check_rows(answer, rows_of(read))
    for parse_facts in (tiingo_wire.parse_listing, tiingo_wire.parse_found, finnhub_wire.parse_found):
        try:
            parse_facts(body)
        except VendorGarbage:
            continue
    for wire in (tiingo_wire, finnhub_wire):
        for status in (200, 403, 429, 500):
            refused = wire.refusal(Reply(status, body, None), ticker="AAPL", now=NOW)
            assert refused is None or isinstance(refused, OhlcacheError)
            assert status == 200 or refused is not None


def plainly(body: bytes) -> Any:
    """Return what Python's own JSON reads; None where it is stricter about a member that our parsers pass over."""
    try:
        return json.loads(body.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None


def check_rows(answer: VendorAnswer, rows: Counter[tuple[Any, ...]]) -> None:
    """Check that every candle's prices are those of a row of the body, to the bit, and that none is lost unnamed."""
    columns = (getattr(answer.candles, name).tolist() for name in PRICES)
    read = Counter(zip(*columns, strict=True))
    assert read <= rows, f"{read - rows} is nowhere in the body"
    assert answer.rejected or set(read) == set(rows), f"{set(rows) - set(read)} is lost"


def tiingo_rows(read: Any) -> Counter[tuple[Any, ...]]:
    return Counter(
        tuple(plain(row.get(name)) for name in PRICES) if isinstance(row, dict) else ("no row",) for row in read
    )


def finnhub_rows(read: Any) -> Counter[tuple[Any, ...]]:
    if read["s"] == "no_data":
        return Counter()
    columns = (read.get(name[0]) or [] for name in PRICES)
    return Counter(tuple(map(plain, row)) for row in zip(*columns, strict=True))


def plain(cell: Any) -> Any:
    """Return a number as a float, anything else as its text."""
    number = isinstance(cell, int | float) and not isinstance(cell, bool) and abs(cell) < sys.float_info.max
    return float(cell) if number else repr(cell)


PARSERS: tuple[tuple[Callable[[bytes], VendorAnswer], Callable[[Any], Counter[tuple[float, ...]]]], ...] = (
    (tiingo_wire.parse_daily, tiingo_rows),
    (tiingo_wire.parse_iex, tiingo_rows),
    (finnhub_wire.parse_daily, finnhub_rows),
    (finnhub_wire.parse_intraday, finnhub_rows),
)


if __name__ == "__main__":
    main()
