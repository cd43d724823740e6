"""What killed processes leave behind, looked at a few times; ``make kill`` looks a thousand times."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

KILLED = Path(__file__).with_name("killed.py")


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("store", "kills"), [("sqlite", 20), ("ministack", 10)])
def test_whatever_moment_it_is_killed_at(store: str, kills: int, tmp_path: Path) -> None:
    """D2, E16, E18, E27: every chunk that is left is whole and true, every answer right, and no lock is stuck."""
    done = subprocess.run(
        [sys.executable, str(KILLED), "--store", store, "--kills", str(kills)],
        env={**os.environ, "TMPDIR": str(tmp_path)},  # noqa: TID251 - a child's, with its own temporary folder
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{kills} kills (" in done.stdout
