"""What the documents list is what the code has, and the other way round."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from ohlcache.domain import errors
from ohlcache.ports import Metric
from ohlcache.service.lease_wait import LEASE_LIFE_SECONDS, WAIT_SECONDS, WAIT_TRIES
from ohlcache.settings import Settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PLAN = DOCS / "test-plan.md"

SECTIONS = {
    "A": range(1, 11),
    "B": range(1, 13),
    "C": range(1, 14),
    "D": [*range(1, 13), 14],
    "E": range(1, 31),
    "F": range(1, 12),
    "G": range(1, 20),
    "H": [*range(1, 23), *range(24, 28)],
    "S": range(1, 6),
    "O": range(1, 3),
}
"""The plan's own sections and the ids in each."""

BEHAVIOURS = {"K": 5, "T": 8, "S": 10, "L": 5, "F": 9, "O": 8, "P": 6, "Q": 6}
"""The behaviours by subject, numbered from 1."""


def rows() -> list[tuple[str, str]]:
    """Return id and tests of every row of the plan's tables."""
    found = re.findall(r"^\| `([A-Z][a-z]*\.?\d+)` \|[^|]*\| (.+) \|$", PLAN.read_text(encoding="utf-8"), re.MULTILINE)
    return [(str(one), str(tests)) for one, tests in found]


def references() -> list[tuple[str, str, str]]:
    return [
        (one, path, name)
        for one, tests in rows()
        for path, name in re.findall(r"`([\w./\-]+\.(?:py|ts|tsx|mjs|js|sh))(?:::(\w+))?`", tests)
    ]


@cache
def names_in(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds))


def test_the_plan_has_every_id() -> None:
    """Every id of the test plan and every numbered behaviour has a row, and no id has two."""
    listed = [one for one, _ in rows()]
    assert len(listed) == len(set(listed))
    plan = {f"{section}{number}" for section, numbers in SECTIONS.items() for number in numbers}
    behaviours = {f"{subject}.{number}" for subject, count in BEHAVIOURS.items() for number in range(1, count + 1)}
    assert set(listed) == plan | behaviours


def test_the_plan_names_tests_that_exist() -> None:
    """Every file in the plan is there, and has the test that is named."""
    assert len(references()) >= len(rows())
    for one, name, test in references():
        path = ROOT / name
        assert path.is_file(), f"{one}: {name} does not exist"
        if test:
            assert test in names_in(path), f"{one}: {name} has no {test}"


@pytest.mark.parametrize("metric", list(Metric))
def test_every_metric_is_documented(metric: Metric) -> None:
    """O2, O3: operators find each metric in the operations manual."""
    assert f"`{metric.value}`" in (DOCS / "operations.md").read_text(encoding="utf-8")


def test_the_four_alerting_metrics_have_their_runbook() -> None:
    """O2, O3: each alert has a page to turn to."""
    runbook = (DOCS / "runbook.md").read_text(encoding="utf-8")
    for metric in list(Metric)[:4]:
        assert metric.value in runbook


def test_every_error_code_is_documented() -> None:
    """E19 to E23: a caller finds each code that it can meet in the API's page."""
    page = (DOCS / "http-api.md").read_text(encoding="utf-8")
    hidden = {errors.StoreError, errors.StoreRefused, errors.ConfigurationError}
    kinds: list[type[errors.OhlcacheError]] = [errors.OhlcacheError]
    for kind in kinds:
        kinds.extend(each for each in kind.__subclasses__() if each.__module__ == errors.__name__)
    for kind in kinds:
        if kind not in hidden:
            assert f"`{kind.code}`" in page, kind.code
            assert kind.default_hint, kind.code


def test_errors_say_nothing_internal() -> None:
    """S3, S4: no hint names a path, a table, a key or a trace."""
    kinds: list[type[errors.OhlcacheError]] = [errors.OhlcacheError]
    for kind in kinds:
        kinds.extend(each for each in kind.__subclasses__() if each.__module__ == errors.__name__)
    for kind in kinds:
        assert not re.search(r"sqlite|dynamo|/|\btable\b|Traceback|LOCK#|ohlc:", kind.default_hint, re.IGNORECASE)


def test_a_lease_outlives_the_longest_vendor_call() -> None:
    """D14, L1: a lease lasts at least twice as long as a vendor may take, and longer than others wait for it."""
    field = Settings.model_fields["vendor_timeout_seconds"]
    longest = max(float(getattr(limit, "le", None) or getattr(limit, "lt", None) or 0) for limit in field.metadata)
    assert longest, "the time-out has no upper bound"
    assert 2 * longest <= LEASE_LIFE_SECONDS
    assert WAIT_TRIES * WAIT_SECONDS < LEASE_LIFE_SECONDS


def documents() -> list[Path]:
    return [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md")), *sorted((ROOT / ".github").glob("*.md"))]


@cache
def make_targets() -> frozenset[str]:
    """Return what can be made, in the Makefile and in what it includes."""
    top = (ROOT / "Makefile").read_text(encoding="utf-8")
    included = [ROOT / name for name in re.findall(r"^include (.+)$", top, re.MULTILINE)]
    text = "\n".join([top, *(path.read_text(encoding="utf-8") for path in included)])
    return frozenset(re.findall(r"^([a-z][a-z0-9-]*):", text, re.MULTILINE))


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.name)
def test_what_a_document_points_to_is_there(document: Path) -> None:
    """Links lead to files, and ``make`` targets, folders and modules that are named exist."""
    text = document.read_text(encoding="utf-8")
    targets = make_targets()
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        assert link.startswith(("http://", "https://")) or (document.parent / link).exists(), f"{document}: {link}"
    for target in re.findall(r"`make ([a-z][a-z0-9-]*)", text):
        assert target in targets, f"{document}: make {target}"
    for room in re.findall(r"`((?:domain|service|adapters|http|library|cli|aws|testing|data)/[\w/.]*|\w+\.py)`", text):
        found = (ROOT / "src" / "ohlcache" / room).exists() or (ROOT / room).exists() or _is_anywhere(room)
        assert found, f"{document}: {room}"


def _is_anywhere(name: str) -> bool:
    folders = ("src", "tests", "tools", "benchmarks", "infra", "examples")
    return "/" not in name and any(any((ROOT / folder).rglob(name)) for folder in folders)


def test_a_bug_fix_must_bring_its_regression_test() -> None:
    """Q5: the template of a pull request asks for the test, by its issue's number, before and after the fix."""
    template = (ROOT / ".github" / "pull_request_template.md").read_text(encoding="utf-8")
    section = template.partition("## Regression test")[2].partition("## ")[0]
    assert "R{issue}" in section
    assert section.count("- [ ]") == 2
