"""Where thousands of small faults are tried: a process that has every library loaded is forked for each of them.

A child gets a copy of the sources with one fault in it, put before the installed ones, and runs what the fault could be
noticed by: the tests that ran its lines when nothing was wrong, the quickest first, then some seeds of the simulation.
"""

from __future__ import annotations

import json
import os
import random
import re
import resource
import signal
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from shutil import copytree, ignore_patterns, rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import coverage
import pytest

from .workshop import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FOLDERS = ("domain", "service")
TESTS = ("tests/domain", "tests/service")
LIBRARIES = ("aiohttp", "blockbuster", "exchange_calendars", "hypothesis", "msgspec", "numpy")
"""What is loaded once and for all children; nothing of ohlcache is."""
TEST_SECONDS_MAX = 120
CHILD_SECONDS_MAX = 600.0
CPU_SECONDS_MIN = 20.0
CPU_TIMES_MAX = 5.0
"""A child that needs so many times what its tests need without a fault has caught it: it runs in circles."""
CAUGHT, MISSED = 1, 0
OPTIONS = (
    *("-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", f"--timeout={TEST_SECONDS_MAX}"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # what is loaded already is no test
)


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the tests do when nothing is wrong."""

    seconds: dict[str, float]
    """The processor time of each test."""
    runs: dict[str, dict[int, set[str]]]
    """For each file below src/ohlcache and each of its lines: the tests that run it."""

    def tests_of(self, path: str, first: int, last: int) -> list[str]:
        """Return the tests that run any of the lines, quickest first.

        What runs on import has no test of its own: it is for those of the whole file, and of whoever imports it.
        """
        lines = self.runs.get(path, {})
        found = {test for line in range(first, last + 1) for test in lines.get(line, ())}
        if not found:
            importers = _importers(path)
            found = {test for tests in lines.values() for test in tests}
            found |= {test for test in self.seconds if test.partition("::")[0] in importers}
        return sorted(found, key=lambda test: (self.seconds[test], test))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one fault."""

    caught: bool
    by: str
    seconds: float


class Nest:
    """The process that is forked, and what its children may do."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        for name in LIBRARIES:
            import_module(name)
        for loaded in sys.modules:
            assert not loaded.startswith("ohlcache"), f"{loaded} is loaded before it could be changed"

    def learn(self, kept: Path) -> Knowledge:
        """Run every test once and note which lines each runs."""
        report = kept.with_suffix(".part")
        child = self._forked(lambda: _observe(report), ROOT / "src", kept.with_suffix(".log"), CHILD_SECONDS_MAX * 2)
        _, status, _ = os.wait4(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0, f"the tests fail without a fault: see {kept.with_suffix('.log')}"
        report.rename(kept)
        return read_knowledge(kept)

    def hatch(self, path: str, text: bytes, tests: Sequence[str], cpu_seconds: float, seeds: int) -> tuple[int, Path]:
        """Start the child that tries one fault; return its process id and the folder of its copy."""
        folder = Path(mkdtemp(prefix="mutant-"))
        copytree(ROOT / "src", folder / "src", ignore=ignore_patterns("__pycache__", "static"))
        (folder / "src" / "ohlcache" / path).write_bytes(text)
        limit = max(CPU_SECONDS_MIN, CPU_TIMES_MAX * cpu_seconds)
        work = lambda: _notice(folder / "by", tests, seeds)  # noqa: E731 - handed on as it is
        return self._forked(work, folder / "src", folder / "log", limit), folder

    def _forked(self, work: Callable[[], int], sources: Path, log: Path, cpu_seconds: float) -> int:
        child = os.fork()
        if child:
            return child
        code = CAUGHT
        try:
            with log.open("wb") as stream:
                os.dup2(stream.fileno(), 1)
                os.dup2(stream.fileno(), 2)
            os.setpgid(0, 0)
            resource.setrlimit(resource.RLIMIT_CPU, (int(cpu_seconds), int(cpu_seconds) + 5))
            os.environ.update(self.environment)  # noqa: TID251 - tests that start processes hand it on
            os.environ["PYTHONPATH"] = str(sources)  # noqa: TID251
            os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # noqa: TID251
            sys.dont_write_bytecode = True
            sys.path[:0] = [str(sources)]
            os.chdir(ROOT)
            code = work()
        except BaseException:  # noqa: BLE001 - a child must not run on into its parent's code
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)


def collected(child: int, folder: Path, began: float) -> Outcome | None:
    """Return what became of a child's fault, None while it runs."""
    pid, status, used = os.wait4(child, os.WNOHANG)
    if not pid and time.monotonic() - began < CHILD_SECONDS_MAX:
        return None
    if not pid:
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        _, status, used = os.wait4(child, 0)
    code = os.waitstatus_to_exitcode(status)
    by = (folder / "by").read_text() if (folder / "by").exists() else "it cannot be imported"
    rmtree(folder, ignore_errors=True)
    if code < 0:
        by = "it never ended"
    return Outcome(code != MISSED, by, used.ru_utime + used.ru_stime)


@cache
def _importers(path: str) -> frozenset[str]:
    """Return the test files that import the module at ``path``, or from it."""
    *folders, name = path.removesuffix(".py").split("/")
    package = ".".join(("ohlcache", *folders))
    imported = re.compile(rf"^ *from {package}\.{name} import|^ *from {package} import .*\b{name}\b", re.MULTILINE)
    files = [file for tests in TESTS for file in sorted((ROOT / tests).glob("test_*.py"))]
    return frozenset(str(file.relative_to(ROOT)) for file in files if imported.search(file.read_text()))


class _Chosen:
    """Runs the chosen tests only, in the order given, and remembers which failed."""

    def __init__(self, tests: Sequence[str]) -> None:
        self.order = {test: number for number, test in enumerate(tests)}
        self.failed = ""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted((item for item in items if item.nodeid in self.order), key=lambda i: self.order[i.nodeid])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid


def _notice(by: Path, tests: Sequence[str], seeds: int) -> int:
    """Run the tests, then the seeds; write down what noticed the fault."""
    chosen = _Chosen(tests)
    files = sorted({test.partition("::")[0] for test in tests})
    by.write_text("it cannot be imported")
    if files and pytest.main([*OPTIONS, *files], plugins=[chosen]) != pytest.ExitCode.OK:
        by.write_text(chosen.failed or "it cannot be imported")
        return CAUGHT
    if seeds:
        from tests.simulation.world import SimulationFailed, simulate

        for seed in range(seeds):
            by.write_text(f"seed {seed}")
            try:
                simulate(seed)
            except SimulationFailed:
                return CAUGHT
    return MISSED


class _Observer:
    """Tells the measuring which test runs, and how long each takes."""

    def __init__(self, measuring: coverage.Coverage) -> None:
        self.measuring = measuring
        self.seconds: dict[str, float] = {}

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        self.measuring.switch_context(item.nodeid)
        began = time.process_time()
        yield
        self.seconds[item.nodeid] = time.process_time() - began
        self.measuring.switch_context("")


def _observe(report: Path) -> int:
    folders = [str(ROOT / "src" / "ohlcache" / folder) for folder in FOLDERS]
    measuring = coverage.Coverage(data_file=None, config_file=False, source=folders)
    observer = _Observer(measuring)
    measuring.start()
    random.seed(0)
    code = pytest.main([*OPTIONS, *TESTS], plugins=[observer])
    measuring.stop()
    data = measuring.get_data()
    runs = {
        str(Path(name).relative_to(ROOT / "src" / "ohlcache")): {
            line: sorted(filter(None, tests)) for line, tests in data.contexts_by_lineno(name).items()
        }
        for name in data.measured_files()
    }
    report.write_text(json.dumps({"seconds": observer.seconds, "runs": runs}))
    return int(code)


def read_knowledge(kept: Path) -> Knowledge:
    """Return what was learnt before."""
    noted = json.loads(kept.read_text())
    runs = {path: {int(line): set(tests) for line, tests in lines.items()} for path, lines in noted["runs"].items()}
    return Knowledge(noted["seconds"], runs)
