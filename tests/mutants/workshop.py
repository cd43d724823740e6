"""Where a mutant is made and tried: a copy of the sources in a temporary folder, put before the installed ones."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .mutants import Mutant

ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 900.0
LINE_CHARACTERS_MAX = 160


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one mutant."""

    name: str
    caught: bool
    seconds: float
    words: str
    """What the command said when it failed."""


class StaleMutant(AssertionError):
    """The text that a mutant replaces is not there, or not once: the list has to follow the code."""


def mutated(mutant: Mutant, text: str) -> str:
    """Return ``text`` with the fault in it."""
    if text.count(mutant.old) != 1:
        raise StaleMutant(f"{mutant.name}: {mutant.old!r} occurs {text.count(mutant.old)} times in {mutant.path}")
    changed = text.replace(mutant.old, mutant.new)
    compile(changed, mutant.path, "exec")  # what is no Python would be "caught" by anything
    return changed


def source_of(mutant: Mutant) -> str:
    """Return the text of the file that the mutant changes."""
    return (ROOT / "src" / "ohlcache" / mutant.path).read_text()


def tried(mutant: Mutant, environment: Mapping[str, str]) -> Verdict:
    """Make the mutant and run its command."""
    with TemporaryDirectory(prefix="mutant-") as folder:
        sources = Path(folder, "src")
        shutil.copytree(ROOT / "src", sources, ignore=shutil.ignore_patterns("__pycache__"))
        changed = sources / "ohlcache" / mutant.path
        changed.write_text(mutated(mutant, changed.read_text()))
        return _run(mutant.name, mutant.command, {**environment, "PYTHONPATH": str(sources)})


def sound(command: tuple[str, ...], environment: Mapping[str, str]) -> Verdict:
    """Run a command on the code as it is: it must not fail."""
    return _run(" ".join(command), command, environment)


def _run(name: str, command: tuple[str, ...], environment: Mapping[str, str]) -> Verdict:
    began = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env={**environment, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Verdict(name, caught=True, seconds=TIMEOUT_SECONDS, words="it never ended")
    lines = done.stdout.splitlines() + done.stderr.splitlines()
    telling = [line for line in lines if line.startswith(("seed ", "FAILED ", "ERROR "))] or lines[-1:] or [""]
    caught = done.returncode != 0
    return Verdict(name, caught, time.monotonic() - began, telling[0][:LINE_CHARACTERS_MAX] if caught else "")
