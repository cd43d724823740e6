"""The documents of the command line and the library, held against what there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

import ohlcache
from ohlcache.cli.exit_codes import ExitCode
from ohlcache.cli.main import COMMANDS, build_app
from ohlcache.library.connecting import SettingOverrides

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
CLI = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
LIBRARY = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
ELSEWHERE = {"create-table", "smoke-test", "sanity-test", "fidelity"}
"""Commands whose options their own documents explain."""


def commands() -> dict[str, Any]:
    group: Any = typer.main.get_command(build_app())
    return dict(group.commands)


def section_of(command: str) -> str:
    found = re.search(rf"### `ohlcache {command}\b.*?(?=\n##|\Z)", CLI, re.DOTALL)
    assert found is not None, f"docs/cli.md has no section for {command}"
    return found[0]


def options_of(command: Any) -> Iterator[str]:
    for parameter in command.params:
        yield from (word for word in parameter.opts if word.startswith("-") and word != "--help")


def test_every_command_is_documented() -> None:
    """Each command has its section or its mention, and none is documented that is not there."""
    for name in commands():
        assert f"`ohlcache {name}" in CLI.replace("\n", " "), name
    mentioned = set(re.findall(r"`ohlcache ([a-z][a-z-]+)", CLI.replace("\n", " ")))
    assert mentioned <= {name.replace("_", "-") for name in COMMANDS} | {"vacuum"}


def test_every_option_is_documented() -> None:
    """Each option stands in its command's section, and each in a section is one of the command's."""
    for name, command in commands().items():
        if name in ELSEWHERE:
            continue
        options = set(options_of(command))
        section = section_of(name)
        prose = re.sub(r"```.*?```", "", section, flags=re.DOTALL)
        documented = set(re.findall(r"`(--?[a-z][a-z-]*)", prose))
        shared = {"-r", "-i"} if "as above" in prose else set()
        assert options - documented - shared == set(), name
        assert documented - options == set(), name


def test_exit_codes_are_documented() -> None:
    """The table of exit codes is the enumeration."""
    table = re.findall(r"^\| (\d+) \|", CLI, re.MULTILINE)
    assert [int(code) for code in table] == [code.value for code in ExitCode]


def test_every_public_error_is_documented() -> None:
    """Whatever ``ohlcache`` lets a caller catch is in the table of errors."""
    for name in ohlcache.__all__:
        value = getattr(ohlcache, name)
        if isinstance(value, type) and issubclass(value, ohlcache.OhlcacheError):
            assert f"`{name}`" in LIBRARY or f"`ohlcache.{name}`" in LIBRARY, name


def test_every_setting_of_connect_is_documented() -> None:
    for name in SettingOverrides.__annotations__:
        assert f"`{name}`" in LIBRARY, name


def test_every_method_is_documented() -> None:
    """What a cache and a table can do is in the document."""
    for name in (*dir(ohlcache.SyncCache), *dir(ohlcache.CandleTable)):
        if not name.startswith("_") and name not in {"close", "suggest", "nbytes", "complete"}:
            assert re.search(rf"\b{name}\b", LIBRARY), name


def python_in(document: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", document, re.DOTALL)


@pytest.mark.parametrize(
    ("document", "printed"), [(LIBRARY, "253 110.38 sample"), (README, "AAPL")], ids=["library", "README"]
)
def test_the_code_in_the_document_runs(tmp_path: Path, document: str, printed: str) -> None:
    """Every Python block of docs/library.md and of the README runs as a script, one after the other, as they stand."""
    script = tmp_path / "document.py"
    script.write_text("\n".join(python_in(document)), encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-W", "error", str(script)], capture_output=True, text=True, check=False, timeout=100
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert printed in ended.stdout


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_code_in_documents_is_python(document: Path) -> None:
    """What is shown as Python can be pasted into a script: no ``await`` outside of a function."""
    for block in python_in(document.read_text(encoding="utf-8")):
        compile(block, str(document), "exec")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples_run(example: Path) -> None:
    """Each example does what its first line says, without a vendor key."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", str(example)], capture_output=True, text=True, check=False, timeout=100
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout
