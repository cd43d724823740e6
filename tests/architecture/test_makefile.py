"""What ``make`` does of its own accord: where it installs, and what it sets for the commands that it runs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder with everything that the Makefile reads, and an environment that was made in it."""
    for name in ("Makefile", "benchmarks", "pyproject.toml", "requirements", "src", "tests", "web"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".run").write_text(f"{tmp_path.resolve()}\n")
    return tmp_path


def make(folder: Path, *words: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}}  # noqa: TID251
    done = subprocess.run(["make", *words], cwd=folder, env=inherited, capture_output=True, text=True, check=True)
    return done.stdout


def test_an_environment_is_used_where_it_was_made(checkout: Path) -> None:
    """An environment that is up to date is left alone."""
    assert make(checkout, "-n", ".venv/.run") == "make: '.venv/.run' is up to date.\n"


@pytest.mark.parametrize("stamp", ["/another/checkout\n", ""])
def test_a_copied_environment_is_made_anew(checkout: Path, stamp: str) -> None:
    """The environment of a copied checkout leads to the original, so nothing is installed through it."""
    (checkout / ".venv" / ".run").write_text(stamp)
    first, second, *steps = make(checkout, "-n", ".venv/.run").splitlines()
    assert (first, second) == ("rm -rf .venv", "python3 -m venv .venv")
    assert [step.split(" install")[0] for step in steps[:3]] == [".venv/bin/python -m pip"] * 3


def test_make_uses_the_data_folder_of_everybody(checkout: Path) -> None:
    """The server of ``make run``, the command line and the library share one folder: make sets none of its own."""
    assert make(checkout, "--eval", "shown: ; @echo folder=$$OHLCACHE_DATA_DIR", "shown") == "folder=\n"
