"""The table itself: its keys, its TTL attribute, and how to make one for development.

In production the template in ``infra/`` makes the table; a test holds the two definitions to each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ohlcache.adapters.aws_clients import ClientKey, client_of
from ohlcache.adapters.aws_errors import Resource, error_code, explain
from ohlcache.adapters.stores.dynamodb_table import PARTITION_KEY, SORT_KEY, TTL_ATTRIBUTE
from ohlcache.domain.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY_SCHEMA = (
    {"AttributeName": PARTITION_KEY, "KeyType": "HASH"},
    {"AttributeName": SORT_KEY, "KeyType": "RANGE"},
)
ATTRIBUTES = (
    {"AttributeName": PARTITION_KEY, "AttributeType": "S"},
    {"AttributeName": SORT_KEY, "AttributeType": "S"},
)
BILLING_MODE = "PAY_PER_REQUEST"
READY_WAIT = {"Delay": 1, "MaxAttempts": 60}


def create_table(name: str, *, region: str | None, endpoint_url: str | None) -> list[str]:
    """Make the table, or leave the one that is there; return what was done, as sentences. Blocks.

    Raises StoreError with the fix in it, also when a table of that name has other keys.
    """
    resource = Resource(
        service="DynamoDB",
        prefix="dynamodb",
        kind="table",
        name=name,
        region=region,
        endpoint_url=endpoint_url,
        make_hint="Choose another name with --table.",
    )
    operation = "CreateTable"
    try:
        client = client_of(ClientKey("dynamodb", region, endpoint_url))
        done = [_made(client, name, resource)]
        operation = "DescribeTable"
        client.get_waiter("table_exists").wait(TableName=name, WaiterConfig=READY_WAIT)
        _check_keys(client.describe_table(TableName=name)["Table"], resource)
        operation = "UpdateTimeToLive"
        done.append(_with_expiry(client, name))
    except (StoreError, AssertionError):
        raise
    except Exception as exc:
        failure = explain(exc, operation, resource)
        raise StoreError(failure.message, hint=failure.hint) from exc
    return done


def _made(client: Any, name: str, resource: Resource) -> str:  # noqa: ANN401 - botocore's clients have no type
    try:
        client.create_table(
            TableName=name,
            KeySchema=list(KEY_SCHEMA),
            AttributeDefinitions=list(ATTRIBUTES),
            BillingMode=BILLING_MODE,
        )
    except Exception as exc:
        if error_code(exc) != "ResourceInUseException":
            raise
        return f"The {resource} is there already."
    return f"Made the {resource}."


def _check_keys(table: Mapping[str, Any], resource: Resource) -> None:
    keys = {(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]}
    wanted = {(key["AttributeName"], key["KeyType"]) for key in KEY_SCHEMA}
    if keys != wanted:
        raise StoreError(
            f"The {resource} is not a table of this cache: its keys are {sorted(keys)}.", hint=resource.make_hint
        )


def _with_expiry(client: Any, name: str) -> str:  # noqa: ANN401 - botocore's clients have no type
    try:
        description = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        if description["TimeToLiveStatus"] in {"ENABLED", "ENABLING"}:
            return f"Items expire by their attribute {TTL_ATTRIBUTE}."
        client.update_time_to_live(
            TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": TTL_ATTRIBUTE}
        )
    except Exception as exc:
        if error_code(exc) not in {"UnknownOperationException", "NotImplemented", "501"}:
            raise
        return "This engine does not expire items; readers judge expiry themselves."
    return f"Items will expire by their attribute {TTL_ATTRIBUTE}."
