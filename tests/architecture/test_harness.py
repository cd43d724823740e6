"""The nets under every test hold: a left task, a blocking call and an unsound store fail the test that made them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from domain.strategies import SESSION_DAYS, holding_of
from ohlcache.domain.chunks import Chunk
from ohlcache.domain.coverage import SessionState, merge
from ohlcache.domain.market_time import midnight_utc
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.series import Series
from ohlcache.service.memory_tier import MemoryTier
from service.world import check_chunks, check_memory

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
SERIES = Series("AAPL", "tiingo", Resolution.DAY)

CAUGHT = {
    "1 tasks behind": """
        async def test_it():
            asyncio.get_running_loop().create_task(asyncio.Event().wait())
        """,
    "Blocking call": """
        async def test_it():
            exec(compile("import time; time.sleep(0.01)", ours, "exec"))  # as if ohlcache did it
        """,
}


HEAD = """
import asyncio
import ohlcache.settings
import pytest

ours = ohlcache.settings.__file__

@pytest.mark.asyncio
"""


def run_under_the_nets(folder: Path, test: str) -> str:
    """Run one async test under this repository's conftest; return what pytest says."""
    (folder / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text(encoding="utf-8"), encoding="utf-8")
    text = HEAD + dedent(test).strip() + "\n"
    (folder / "test_one.py").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder)),
            *("-p", "no:cacheprovider", "-o", f"pythonpath={ROOT / 'tests'}", str(folder)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("says", CAUGHT)
def test_what_must_not_pass_is_caught(tmp_path: Path, says: str) -> None:
    """Q2, S10: a task left behind and a blocking call on the event loop fail their test, and say why."""
    said = run_under_the_nets(tmp_path, CAUGHT[says])
    assert says in said
    assert "1 passed" not in said or "1 error" in said


def test_what_is_sound_passes(tmp_path: Path) -> None:
    """Q2: a test that cleans up is left alone."""
    assert "1 passed" in run_under_the_nets(tmp_path, "async def test_it(): await asyncio.gather()")


def test_tolerance_is_exact_locally(tolerance: Callable[[float], float]) -> None:
    """Q3: without CI_TOLERANCE_FACTOR a band is as wide as it is written; with it, never narrower."""
    assert tolerance(2.0) >= 2.0


def test_an_unsound_store_is_caught() -> None:
    """Q2: two final words on one session, and a chunk across a cell's boundary, are found."""
    day = SESSION_DAYS[0]
    words = [Chunk(SERIES, holding_of([(day, SessionState.FINAL, midnight_utc(day) + 86_400 * n, 1)])) for n in (1, 2)]
    check_chunks(words[:1])
    with pytest.raises(AssertionError, match="two final words"):
        check_chunks(words)
    both = [
        holding_of([(each, SessionState.FINAL, midnight_utc(each) + 86_400, 1)])
        for each in (SESSION_DAYS[0], SESSION_DAYS[-1])
    ]
    with pytest.raises(AssertionError, match="cell"):
        check_chunks([Chunk(SERIES, merge(both))])


def test_wrong_books_are_caught() -> None:
    """Q2: a memory tier that has lost count is found."""
    memory = MemoryTier(entries_max=3, bytes_max=1000)
    check_memory(memory)
    memory._small_bytes = 5
    with pytest.raises(AssertionError):
        check_memory(memory)
