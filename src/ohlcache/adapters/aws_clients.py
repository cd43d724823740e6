"""AWS clients: one of a kind, made when first used, replaced when broken.

Every client of the process comes from here, so there is one connection pool per service, one place that tunes it and
one reset for tests. boto3 is imported with the first client: a cache on SQLite never pays for it. Calls belong in
worker threads; botocore's clients may be shared by them.
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

from ohlcache.domain.errors import ConfigurationError

POOL_CONNECTIONS = 16
"""Connections per client, and so the most worker threads that are of use."""
CONNECT_TIMEOUT_SECONDS = 1.0
READ_TIMEOUT_SECONDS = 1.5
"""A healthy table answers in milliseconds; what takes longer is worth less than asking the vendor. Below
``STORE_SECONDS_MAX`` of the ports, so that who gives up learns from AWS why."""

_SERVICES_CHECKED_HERE = frozenset({"dynamodb"})
"""Services whose parameters we know to be right: botocore's own validation costs more than the request."""


class ClientKey(NamedTuple):
    """What tells clients apart."""

    service: str
    region: str | None
    endpoint_url: str | None


# The one global of the code base: the requirement is one client per process, whoever asks.
_clients: dict[ClientKey, Any] = {}
_lock = threading.Lock()


def client_of(key: ClientKey) -> Any:  # noqa: ANN401 - botocore's clients are made at run time and have no type
    """Return the process's client for ``key``, made now if there is none. Blocks: call it in a worker thread.

    Raises ConfigurationError when boto3 is not installed, and botocore's errors when it cannot be configured.
    """
    client = _clients.get(key)
    if client is None:
        with _lock:
            client = _clients.get(key)
            if client is None:
                client = _clients[key] = _make(key)
    return client


def discard_client(key: ClientKey, broken: object) -> None:
    """Forget ``broken``, so that the next caller gets a new client with freshly looked up credentials.

    A client that somebody else has already replaced stays: many threads find out about one expired token at once.
    """
    with _lock:
        if _clients.get(key) is broken:
            del _clients[key]


def _reset_all_clients() -> None:
    """Forget every client; for tests."""
    with _lock:
        clients = list(_clients.values())
        _clients.clear()
    for client in clients:
        client.close()


def _make(key: ClientKey) -> Any:  # noqa: ANN401 - see client_of
    try:
        # Imported here and not above: 250 ms that only DynamoDB and Secrets Manager are worth.
        import boto3  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415
    except ImportError as exc:
        raise ConfigurationError(
            "The DynamoDB store and Secrets Manager need boto3, which is not installed.",
            hint="Install it with: pip install 'ohlcache[dynamodb]'",
            field="OHLCACHE_STORE",
        ) from exc
    # A session of its own: boto3's default one keeps the credentials that have just expired.
    return boto3.Session().client(
        key.service,
        region_name=key.region,
        endpoint_url=key.endpoint_url,
        config=Config(
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
            # Retries are ours: botocore's sleep up to a second in the thread, and on a clock that tests cannot turn.
            retries={"mode": "standard", "total_max_attempts": 1},
            max_pool_connections=POOL_CONNECTIONS,
            tcp_keepalive=True,
            parameter_validation=key.service not in _SERVICES_CHECKED_HERE,
            user_agent_extra="ohlcache",
        ),
    )
