"""The house keeps its shape: imports run downhill, and what is not needed is not imported."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "ohlcache"
TESTS = ROOT / "tests"

HEAVY = ("pandas", "polars", "pyarrow", "boto3", "botocore", "exchange_calendars", "hypothesis", "pytest", "moto")
"""What no server may wait for at its start."""

CLOCKS = {("time", "time"), ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today")}
HOMES = {
    "clock reads": {"adapters/clock.py"},
    "environment reads": {"settings.py"},
    # SQLite cannot be told to wait when it switches to WAL; that happens in a worker thread, before any request.
    "sleeps": {"adapters/clock.py", "adapters/stores/sqlite_schema.py"},
}


def modules(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*.py")) if "node_modules" not in path.parts]


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imported(tree: ast.Module) -> set[str]:
    """Return the full names of everything that is imported anywhere in a module."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def attribute_reads(tree: ast.Module) -> set[tuple[str, str]]:
    """Return every ``name.attribute`` in a module, the last two parts of longer ones."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = node.value
            if isinstance(owner, ast.Name | ast.Attribute):
                found.add((owner.id if isinstance(owner, ast.Name) else owner.attr, node.attr))
    return found


def python(*lines: str) -> str:
    """Return what a fresh process prints."""
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False, cwd=ROOT, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_imports_run_downhill() -> None:
    """The contract of pyproject.toml holds without an exception."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert "ignore_imports" not in settings
    assert "exhaustive = true" in settings


@pytest.mark.parametrize("folder", [SOURCE, TESTS], ids=["src", "tests"])
def test_nothing_is_mocked(folder: Path) -> None:
    """Q5: fakes ship and are checked; nothing imports unittest.mock or a mocker."""
    for path in modules(folder):
        banned = {name for name in imported(tree_of(path)) if name.startswith(("unittest.mock", "mock", "pytest_mock"))}
        assert not banned, f"{path} imports {banned}"


def test_time_and_environment_have_one_home_each() -> None:
    """O1, O5, F9: the clock is read in one module, the environment in one, and nothing sleeps but the clock."""
    for path in modules(SOURCE):
        name = path.relative_to(SOURCE).as_posix()
        tree = tree_of(path)
        reads, names = attribute_reads(tree), imported(tree)
        if reads & CLOCKS:
            assert name in HOMES["clock reads"], f"{name} reads a clock"
        if ("os", "environ") in reads or ("os", "getenv") in reads or {"os.environ", "os.getenv"} & names:
            assert name in HOMES["environment reads"], f"{name} reads the environment"
        if {("asyncio", "sleep"), ("time", "sleep")} & reads:
            assert name in HOMES["sleeps"], f"{name} sleeps"


def test_domain_and_service_cannot_be_replayed_wrongly() -> None:
    """No randomness, no clock, no thread in domain and service: the same steps give the same outcome."""
    banned = {"random", "secrets", "time", "threading", "os", "socket", "sqlite3", "subprocess"}
    for folder in ("domain", "service"):
        for path in modules(SOURCE / folder):
            tree = tree_of(path)
            found = {name.split(".")[0] for name in imported(tree)} & banned
            assert not found, f"{path.relative_to(SOURCE)} imports {found}"
            outright = {("random", "random"), ("random", "default_rng")} & attribute_reads(tree)
            assert not outright


def test_rooms_are_small() -> None:
    """A file above 400 lines hides a concept that wants a room of its own."""
    for path in modules(SOURCE):
        name = path.relative_to(SOURCE).as_posix()
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= 400, f"{name} has {lines} lines"
        assert not {"utils", "helpers", "common", "misc"} & {path.stem}, f"{name}: name the idea"


def test_every_module_opens_with_its_one_idea() -> None:
    """A module of the package says in its first line what it is."""
    for path in modules(SOURCE):
        said = ast.get_docstring(tree_of(path))
        assert said, f"{path.relative_to(SOURCE)} does not say what it is"


def test_importing_the_package_costs_nothing() -> None:
    """A cold ``import ohlcache`` brings neither numpy nor pydantic nor an HTTP library."""
    heavy = (*HEAVY, "numpy", "pydantic", "aiohttp", "starlette", "uvicorn", "typer", "rich", "msgspec", "zstandard")
    assert python("import sys, ohlcache", f"print([name for name in {heavy!r} if name in sys.modules])") == "[]"


@pytest.mark.parametrize(
    "module",
    ["ohlcache.assembly", "ohlcache.http.server", "ohlcache.cli.main", "ohlcache.adapters.stores.sqlite"],
)
def test_a_server_waits_for_nothing_heavy(module: str) -> None:
    """E15: what serving imports has no pandas, pyarrow, boto3 or exchange_calendars in it."""
    assert (
        python(
            "import sys, importlib",
            f"importlib.import_module({module!r})",
            f"print([name for name in {HEAVY!r} if name in sys.modules])",
        )
        == "[]"
    )


def test_assembling_the_sample_waits_for_nothing_heavy(tmp_path: Path) -> None:
    """E15: nor does a running cache over the sample and SQLite, calendar included."""
    assert (
        python(
            "import asyncio, sys",
            "from pathlib import Path",
            "from ohlcache.assembly import build_cache",
            "from ohlcache.settings import load_settings",
            "async def main():",
            f"    cache = await build_cache(load_settings(source='sample', store='sqlite', data_dir=Path({str(tmp_path)!r})))",
            "    await cache.get(cache.parse('AAPL', range='1W'))",
            "    await cache.close()",
            "asyncio.run(main())",
            f"print([name for name in {HEAVY!r} if name in sys.modules])",
        )
        == "[]"
    )
