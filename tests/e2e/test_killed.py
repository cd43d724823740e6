"""What killed processes leave behind, looked at a few times; ``make kill`` looks a thousand times."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

KILLED = Path(__file__).with_name("killed.py")
KILLS = 20


@pytest.mark.timeout(300)
def test_whatever_moment_it_is_killed_at(tmp_path: Path) -> None:
    """D2, E16, E18, E27: every chunk that is left is whole and true, every answer right, and no lock is stuck."""
    done = subprocess.run(
        [sys.executable, str(KILLED), "--store", "sqlite", "--kills", str(KILLS)],
        env={**os.environ, "TMPDIR": str(tmp_path)},  # noqa: TID251 - a child's, with its own temporary folder
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{KILLS} kills (" in done.stdout
