"""What holds for every test: no task left behind, no blocking call on the event loop, caches checked afterwards."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections import Counter
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from blockbuster import BlockBuster
from hypothesis import HealthCheck, settings

from ohlcache.adapters.calendar import load_xnys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from ohlcache.domain.sessions import SessionTable
    from service.world import World

CI_TOLERANCE_FACTOR = "CI_TOLERANCE_FACTOR"

settings.register_profile(
    "fast", max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", parent=settings.get_profile("fast"), max_examples=400, derandomize=False)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="look for counter-examples ten times as long")


def pytest_configure(config: pytest.Config) -> None:
    # A shell that runs a job in the background lets it ignore Ctrl-C, and its children would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not config.getoption("hypothesis_profile", None):
        settings.load_profile("thorough" if config.getoption("--thorough") else "fast")


STORE_CONTRACT = re.compile(
    r"contracts/test_(?:dynamodb_)?stores\.py::.*\[(memory|sqlite|moto|ministack|dynalite|dynamodb-local|aws)\b"
)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say by name on which engines the store contract was held, and how it went."""
    outcomes: dict[str, Counter[str]] = {}
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, ()):
            engine = STORE_CONTRACT.search(report.nodeid)
            if engine is not None:
                outcomes.setdefault(engine[1], Counter())[outcome] += 1
    if outcomes:
        terminalreporter.section("store contract, by engine")
    for engine, counted in outcomes.items():
        found = ", ".join(f"{number} {outcome}" for outcome, number in counted.items())
        terminalreporter.write_line(f"{engine:<14} {found}")


@pytest.fixture(scope="session")
def tolerance() -> Callable[[float], float]:
    """Widen a band of time: exact locally, ``CI_TOLERANCE_FACTOR`` times as wide where machines are shared (Q3)."""
    factor = float(os.environ.get(CI_TOLERANCE_FACTOR, "1"))  # noqa: TID251 - a knob of the tests, not of the product
    assert factor >= 1, f"{CI_TOLERANCE_FACTOR} widens, it never narrows"
    return lambda seconds: seconds * factor


@pytest.fixture(scope="session")
def unmeasured() -> Mapping[str, str]:
    """Return the environment of a process whose imports or speed are judged: what measures the tests stays out of it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}  # noqa: TID251


@pytest.fixture(autouse=True)
def _nothing_blocks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail an async test in which ohlcache calls something that blocks on the event loop (S10)."""
    if not _is_async(request):
        yield
        return
    detector = _detector()
    detector.activate()
    try:
        yield
    finally:
        detector.deactivate()


@pytest.fixture(autouse=True)
def _no_task_left(request: pytest.FixtureRequest) -> None:
    """Fail an async test that ends while a task of its loop still runs (Q2)."""
    if _is_async(request):
        request.getfixturevalue("_task_count")


@pytest_asyncio.fixture
async def _task_count() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    for _ in range(3):  # done callbacks and tasks that are just ending
        await asyncio.sleep(0)  # noqa: TID251 - a turn of the real loop
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    for task in left:
        task.cancel()
    assert not left, f"the test left {len(left)} tasks behind: {left}"


@pytest_asyncio.fixture
async def cache() -> AsyncIterator[Callable[..., World]]:
    """Make caches over a generated market; when the test is over, what they hold must be sound."""
    from service.world import MONDAY_9_PM, World

    made: list[World] = []

    def make(start: float | str = MONDAY_9_PM, **wishes: Any) -> World:
        made.append(World(start, **wishes))
        return made[-1]

    yield make
    for world in made:
        await world.close()
        await world.check()


@pytest.fixture(scope="session")
def calendar() -> SessionTable:
    return load_xnys()


def _is_async(request: pytest.FixtureRequest) -> bool:
    function = getattr(request.node, "obj", None)
    return iscoroutinefunction(function) or request.node.get_closest_marker("asyncio") is not None


_DETECTORS: list[BlockBuster] = []


def _detector() -> BlockBuster:
    """Return the one detector of the session: making it is slow, switching it is not."""
    if not _DETECTORS:
        detector = BlockBuster("ohlcache")
        # One kilobyte, read once while a cache is being assembled, before it serves anybody.
        detector.functions["io.BufferedReader.read"].can_block_in("ohlcache/adapters/calendar.py", "load_xnys")
        # What measures the tests takes a lock of its own inside any function.
        detector.functions["threading.Lock.acquire"].can_block_in("coverage/collector.py", "lock_data")
        _DETECTORS.append(detector)
    return _DETECTORS[0]
