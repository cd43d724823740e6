"""One DynamoDB table, called from worker threads; every failure comes out as StoreError with the fix in it.

One more try, where a failure is worth it, waits on the injected clock. botocore's own retries are off: they sleep up
to a second in the thread, which is longer than the vendor takes.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ohlcache.adapters.aws_clients import POOL_CONNECTIONS, ClientKey, client_of, discard_client
from ohlcache.adapters.aws_errors import AwsFailure, Resource, error_code, explain
from ohlcache.domain.errors import ConfigurationError, StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ohlcache.ports import Clock

    Item = Mapping[str, Mapping[str, Any]]
    """An item as DynamoDB writes it: ``{"Candles": {"N": "252"}}``."""

ATTEMPTS_MAX = 2
RETRY_SECONDS = 0.05

PARTITION_KEY = "PK"
SORT_KEY = "SK"
TTL_ATTRIBUTE = "ExpiresAt"


class ConditionNotMet(Exception):
    """A conditional write found something else; ``item`` is what it found, where the engine tells."""

    def __init__(self, item: Item | None) -> None:
        super().__init__("the condition of a write was not met")
        self.item = item


class _Failed(Exception):
    def __init__(self, failure: AwsFailure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class DynamoTable:
    """The operations of one table. Cancelling a caller does not stop a write that is under way."""

    def __init__(self, name: str, *, region: str | None, endpoint_url: str | None, clock: Clock) -> None:
        if find_spec("boto3") is None:
            raise ConfigurationError(
                "OHLCACHE_STORE=dynamodb needs boto3, which is not installed.",
                hint="Install it with: pip install 'ohlcache[dynamodb]'",
                field="OHLCACHE_STORE",
            )
        self.name = name
        self._key = ClientKey("dynamodb", region, endpoint_url)
        self._clock = clock
        self._resource = Resource(
            service="DynamoDB",
            prefix="dynamodb",
            kind="table",
            name=name,
            region=region,
            endpoint_url=endpoint_url,
            make_hint="Set OHLC_CACHE_TABLE and AWS_REGION to where the table is, or make it: ohlcache create-table",
        )
        self._threads = ThreadPoolExecutor(POOL_CONNECTIONS, thread_name_prefix="dynamodb")

    async def call(self, operation: str, **parameters: object) -> Mapping[str, Any]:
        """Return the answer of one operation of this table, by its API name (``Query``).

        Raises ConditionNotMet when a condition fails, StoreError for everything else that goes wrong.
        """
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                return await asyncio.get_running_loop().run_in_executor(
                    self._threads, self._request, operation, parameters
                )
            except _Failed as exc:
                if not exc.failure.again or attempt == ATTEMPTS_MAX:
                    raise StoreError(exc.failure.message, hint=exc.failure.hint) from exc.__cause__
            await self._clock.sleep(RETRY_SECONDS)
        raise AssertionError("the last attempt returns or raises")

    async def close(self) -> None:
        """Wait for calls under way, then let the threads go; idempotent."""
        await asyncio.to_thread(self._threads.shutdown)

    def _request(self, operation: str, parameters: dict[str, object]) -> Mapping[str, Any]:
        """Make one call; runs in a worker thread."""
        client = None
        if operation != "BatchWriteItem":
            parameters = {"TableName": self.name, **parameters}
        try:
            client = client_of(self._key)
            answer: Mapping[str, Any] = getattr(client, _METHODS[operation])(**parameters)
        except ConfigurationError as exc:
            raise StoreError(exc.message, hint=exc.hint) from exc
        except Exception as exc:
            if error_code(exc) == "ConditionalCheckFailedException":
                raise ConditionNotMet(getattr(exc, "response", {}).get("Item")) from exc
            failure = explain(exc, operation, self._resource)
            if failure.renew and client is not None:
                discard_client(self._key, client)
            raise _Failed(failure) from exc
        return answer


_METHODS = {
    "Query": "query",
    "GetItem": "get_item",
    "PutItem": "put_item",
    "UpdateItem": "update_item",
    "BatchWriteItem": "batch_write_item",
}
"""The operations that a running cache makes; its role needs exactly these permissions."""
