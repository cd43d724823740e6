"""A few seconds of what ``make fuzz`` does for as long as one likes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).with_name("fuzz_parsers.py")
SECONDS = 4
RUNS_MIN = 100

if sys.version_info >= (3, 12) or sys.platform != "linux":  # where no wheel of atheris is locked
    pytestmark = pytest.mark.skipif(reason="atheris is locked for Python 3.11 on Linux", condition=True)


def test_no_changed_recording_is_misread() -> None:
    """B5, B8, B9: whatever a coverage-guided fuzzer makes of a recording is refused with a typed error or read right."""
    done = subprocess.run(
        [sys.executable, str(FUZZ), "--seconds", str(SECONDS), "--seed", "1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    runs = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    assert runs is not None
    assert int(runs.group(1)) > RUNS_MIN
