"""What the fleet's tests share: empty tables on engines, and a store on one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from contracts.dynamodb_engines import Table, _engines_die_with_the_session, server_engines, table_on
from ohlcache.adapters.aws_clients import _reset_all_clients

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["_engines_die_with_the_session"]


@pytest.fixture(autouse=True)
def _no_client_left_behind() -> Iterator[None]:
    _reset_all_clients()
    yield
    _reset_all_clients()


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def moto_table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    with table_on("moto", monkeypatch) as table:
        yield table


@pytest.fixture(params=server_engines())
def server_table(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    """Provide a table on each engine that serves many callers truthfully."""
    with table_on(request.param, monkeypatch) as table:
        yield table
