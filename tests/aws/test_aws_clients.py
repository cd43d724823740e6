"""One tuned client per service and process, replaced when broken, imported only when used."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from botocore.validate import ParamValidationDecorator

from contracts.dynamodb_engines import REGION
from ohlcache.adapters.aws_clients import (
    POOL_CONNECTIONS,
    ClientKey,
    _reset_all_clients,
    client_of,
    discard_client,
)
from ohlcache.adapters.stores.dynamodb_table import DynamoTable
from ohlcache.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from contracts.dynamodb_engines import Table

KEY = ClientKey("dynamodb", REGION, None)


def test_many_threads_that_find_a_token_expired_make_one_new_client(moto_table: Table) -> None:
    """S9: who comes second finds the client already replaced and leaves the new one alone."""
    old = client_of(KEY)
    discard_client(KEY, old)
    new = client_of(KEY)
    discard_client(KEY, old)
    assert client_of(KEY) is new


def test_one_client_per_service_however_many_ask(moto_table: Table) -> None:
    """S9, F5: a herd of threads gets one client, and the reset forgets it."""
    _reset_all_clients()
    found: list[object] = []
    barrier = threading.Barrier(8)

    def ask() -> None:
        barrier.wait()
        found.append(client_of(KEY))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
    _reset_all_clients()
    assert client_of(KEY) is not found[0]


def test_clients_are_tuned(moto_table: Table) -> None:
    """S9: pooled, impatient, without botocore's own retries and parameter checks."""
    config = client_of(KEY).meta.config
    assert config.max_pool_connections == POOL_CONNECTIONS
    assert config.retries["total_max_attempts"] == 1
    assert config.read_timeout <= 2
    assert config.connect_timeout <= 1
    assert not isinstance(client_of(KEY)._serializer, ParamValidationDecorator)
    secrets = client_of(ClientKey("secretsmanager", REGION, None))
    assert isinstance(secrets._serializer, ParamValidationDecorator)


def test_without_boto3_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """E24: the store that needs an extra names it at start-up."""
    monkeypatch.setattr("ohlcache.adapters.stores.dynamodb_table.find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match="boto3") as failure:
        DynamoTable("t", region=None, endpoint_url=None, clock=None)  # type: ignore[arg-type]
    assert "ohlcache[dynamodb]" in failure.value.hint


def test_boto3_is_imported_with_the_first_client_only() -> None:
    """A cache on another store never pays for boto3: importing the store's modules does not import it."""
    modules = "ohlcache.adapters.stores.dynamodb, ohlcache.adapters.secrets, ohlcache.assembly"
    code = f"import sys, {modules}; sys.exit('boto3' in sys.modules or 'botocore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
