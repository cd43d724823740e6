"""The rules make the faults they say, each where it is; the nest tells a caught fault from one that got away."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from .operators import faults_of
from .score import chosen_of, every_mutant, report_of
from .workshop import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCE = b'''"""Doc."""
from x import y
if TYPE_CHECKING:
    import z
LIMIT: int = 3

@dataclass(frozen=True)
class Thing:
    """Doc."""

    def size(self, a: str = "one", b: bool = True) -> int:
        """Doc."""
        assert a < b
        if a is None and not b:
            raise Wrong("words 5", hint="more")
        while self.go(a, b):
            self.count += min(a, b)
        return a[-1] * 2 if LIMIT <= 4 < 5 else None
'''


def test_the_rules() -> None:
    """Comparisons, arithmetic, booleans, constants, return values, removed statements, swapped arguments, no words."""
    made = {(fault.rule, fault.old, fault.new) for fault in faults_of(SOURCE)}
    assert made == {
        ("constant", "3", "4"),
        ("constant", '"one"', "'one?'"),
        ("constant", "True", "False"),
        ("boolean", "a is None and not b", "(a is None or not b)"),
        ("comparison", "a is None", "(a is not None)"),
        ("boolean", "not b", "(b)"),
        ("removed statement", 'raise Wrong("words 5", hint="more")', "pass"),
        ("boolean", "self.go(a, b)", "(not self.go(a, b))"),
        ("swapped arguments", "self.go(a, b)", "(self.go(b, a))"),
        ("removed statement", "self.count += min(a, b)", "pass"),
        ("constant", "1", "2"),
        ("return value", "return a[-1] * 2 if LIMIT <= 4 < 5 else None", "return None"),
        ("arithmetic", "a[-1] * 2", "(a[-1] / 2)"),
        ("arithmetic", "-1", "(1)"),
        ("constant", "2", "3"),
        ("comparison", "LIMIT <= 4 < 5", "(LIMIT < 4 < 5)"),
        ("comparison", "LIMIT <= 4 < 5", "(LIMIT > 4 < 5)"),
        ("comparison", "LIMIT <= 4 < 5", "(LIMIT <= 4 <= 5)"),
        ("comparison", "LIMIT <= 4 < 5", "(LIMIT <= 4 >= 5)"),
        ("constant", "4", "5"),
        ("constant", "5", "6"),
    }


def test_every_fault_is_python_and_one_of_its_kind() -> None:
    """What no interpreter takes would be "caught" by anything."""
    mutants = every_mutant()
    assert len(mutants) == len(set(mutants)) > 1500
    for mutant in mutants:
        source = (ROOT / "src" / "ohlcache" / mutant.path).read_bytes()
        assert mutant.fault.put_in(source) != source
    for mutant in chosen_of(mutants, [], 60, 3):
        source = (ROOT / "src" / "ohlcache" / mutant.path).read_bytes()
        compile(mutant.fault.put_in(source), mutant.path, "exec")


def test_a_sample_is_the_same_each_time() -> None:
    """The seed says which, and a smaller sample is the start of a larger one's drawing or another: it replays."""
    mutants = every_mutant()
    assert chosen_of(mutants, [], 50, 7) == chosen_of(mutants, [], 50, 7) != chosen_of(mutants, [], 50, 8)
    assert {mutant.path for mutant in chosen_of(mutants, ["domain/span.py"], None, 1)} == {"domain/span.py"}
    assert report_of([], len(mutants), "command").startswith("Nothing was tried")


@pytest.mark.timeout(300)
def test_a_fault_is_caught_and_what_is_none_is_not(unmeasured: Mapping[str, str]) -> None:
    """In the forked child the changed copy runs, whole: a fault fails the test that runs its line, and only a fault does."""
    script = """
import os, time
from pathlib import Path
from tests.mutants.nest import Nest, collected
nest = Nest(dict(os.environ))
source = Path("src/ohlcache/domain/span.py").read_bytes()
tests = ["tests/domain/test_span.py::test_membership_includes_both_ends"]
for text in (source, source.replace(b"self.start <=", b"self.start <"), b"import nothing_of_this_name"):
    child, folder = nest.hatch("domain/span.py", text, tests, 60.0, 0)
    while (outcome := collected(child, folder, time.monotonic())) is None:
        time.sleep(0.05)
    print(outcome.caught, outcome.by)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=unmeasured, capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["False", "True", "True"], done.stdout
    assert lines[1].endswith("test_membership_includes_both_ends")
    assert lines[2].endswith("it cannot be imported")
