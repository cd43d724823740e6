"""The behaviours of DynamoDB that the store relies on, each tried on one engine and put into a word or two."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from ohlcache.adapters.aws_errors import error_code
from ohlcache.adapters.stores.dynamodb_items import key_of

if TYPE_CHECKING:
    from collections.abc import Callable

    Behaviour = Callable[[Any, str], object]

ITEM_BYTES_MAX = 400 * 1024
RACERS = 8
RACES = 5

KNOWN_DIFFERENCES: dict[str, frozenset[str]] = {
    "dynalite": frozenset({"a failed condition returns the old item", "expiry can be switched on"}),
    "moto": frozenset({"of racing conditional writes one wins"}),
}
"""Where an engine is known to differ, by the name it is given; the store does without, or its tests do."""


def observe_all(client: Any, table: str) -> dict[str, str]:  # noqa: ANN401 - botocore's clients have no type
    """Return what every behaviour came to on an empty table."""
    outcomes = {}
    for name, behaviour in BEHAVIOURS.items():
        try:
            outcomes[name] = str(behaviour(client, table))
        except Exception as exc:  # noqa: BLE001 - an engine's refusal, of whatever kind, is an outcome
            outcomes[name] = error_code(exc) or type(exc).__name__
    return outcomes


def _put(client: Any, table: str, partition: str, sort: str, **attributes: object) -> None:  # noqa: ANN401
    client.put_item(TableName=table, Item={**key_of(partition, sort), **attributes})


def _query(client: Any, table: str, condition: str, *, limit: int | None = None, **values: str) -> Any:  # noqa: ANN401
    parameters: dict[str, object] = {} if limit is None else {"Limit": limit}
    return client.query(
        TableName=table,
        KeyConditionExpression=condition,
        ExpressionAttributeValues={f":{name}": {"S": value} for name, value in values.items()},
        **parameters,
    )


def _between_is_inclusive_and_by_bytes(client: Any, table: str) -> object:  # noqa: ANN401
    for sort in ("1#2024-01-01#a", "15#2024-01-01#a", "D#2024-01-01#a", "D#2024-01-02#f#forming", "D#2024-01-03#0"):
        _put(client, table, "order", sort)
    found = _query(client, table, "PK = :p AND SK BETWEEN :l AND :h", p="order", l="D#2024-01-01", h="D#2024-01-02#~")
    return [item["SK"]["S"] for item in found["Items"]]


def _begins_with_is_exact(client: Any, table: str) -> object:  # noqa: ANN401
    for sort in ("AAPL#tiingo", "AAPL#finnhub", "AAPLX#tiingo", "AAP#tiingo"):
        _put(client, table, "listing", sort)
    found = _query(client, table, "PK = :p AND begins_with(SK, :b)", p="listing", b="AAPL#")
    return [item["SK"]["S"] for item in found["Items"]]


def _binary_is_kept(client: Any, table: str) -> object:  # noqa: ANN401
    payload = bytes(range(256)) * 8
    _put(client, table, "binary", "a", Payload={"B": payload})
    return client.get_item(TableName=table, Key=key_of("binary", "a"))["Item"]["Payload"]["B"] == payload


def _numbers_are_kept(client: Any, table: str) -> object:  # noqa: ANN401
    _put(client, table, "number", "a", LeaseUntil={"N": "1770249630.123456"})
    return client.get_item(TableName=table, Key=key_of("number", "a"))["Item"]["LeaseUntil"]["N"]


def _take(client: Any, table: str, sort: str, *, now: float = 1000.0) -> Any:  # noqa: ANN401
    return client.update_item(
        TableName=table,
        Key=key_of("lease", sort),
        UpdateExpression="SET LeaseUntil = :until ADD Fence :one REMOVE Failure",
        ConditionExpression="attribute_not_exists(LeaseUntil) OR LeaseUntil <= :now",
        ExpressionAttributeValues={
            ":until": {"N": str(now + 30)},
            ":one": {"N": "1"},
            ":now": {"N": str(now)},
        },
        ReturnValues="ALL_NEW",
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
    )


def _a_condition_holds_once(client: Any, table: str) -> object:  # noqa: ANN401
    first = _take(client, table, "once")["Attributes"]["Fence"]["N"]
    try:
        _take(client, table, "once")
    except Exception as exc:  # noqa: BLE001 - which error it is, is the outcome
        later = _take(client, table, "once", now=1030.0)["Attributes"]["Fence"]["N"]
        return f"fence {first}, then {error_code(exc)}, after expiry fence {later}"
    return "taken twice"


def _a_failed_condition_returns_the_old_item(client: Any, table: str) -> object:  # noqa: ANN401
    _take(client, table, "old")
    try:
        _take(client, table, "old")
    except Exception as exc:  # noqa: BLE001 - what comes with the error is the outcome
        return "Item" in getattr(exc, "response", {})
    return "taken twice"


def _one_racer_wins(client: Any, table: str) -> object:  # noqa: ANN401
    def wins(sort: str) -> bool:
        try:
            _take(client, table, sort)
        except Exception as exc:
            if error_code(exc) == "ConditionalCheckFailedException":
                return False
            raise
        return True

    with ThreadPoolExecutor(RACERS) as threads:
        return [sum(threads.map(wins, [f"race{number}"] * RACERS)) for number in range(RACES)]


def _batch(client: Any, table: str, sorts: list[str]) -> object:  # noqa: ANN401
    requests = [{"PutRequest": {"Item": key_of("batch", sort)}} for sort in sorts]
    answer = client.batch_write_item(RequestItems={table: requests})
    return f"{len(answer.get('UnprocessedItems', {}))} unprocessed"


def _a_page_can_be_cut(client: Any, table: str) -> object:  # noqa: ANN401
    for sort in ("a", "b", "c"):
        _put(client, table, "page", sort)
    cut = _query(client, table, "PK = :p", limit=2, p="page")
    whole = _query(client, table, "PK = :p", p="page")
    return f"{cut['LastEvaluatedKey']['SK']['S']}, {'LastEvaluatedKey' in whole}"


def _a_page_is_a_megabyte(client: Any, table: str) -> object:  # noqa: ANN401
    for sort in ("a", "b", "c"):
        _put(client, table, "megabyte", sort, Payload={"B": b"x" * 390_000})
    return "LastEvaluatedKey" in _query(client, table, "PK = :p", p="megabyte")


def _an_item_has_a_limit(client: Any, table: str) -> object:  # noqa: ANN401
    _put(client, table, "large", "a", Payload={"B": b"x" * ITEM_BYTES_MAX})
    return "taken"


def _expiry_is_on(client: Any, table: str) -> object:  # noqa: ANN401
    description = client.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    return description["TimeToLiveStatus"].removesuffix("ING") + " " + description["AttributeName"]


def _a_missing_table_is_named(client: Any, table: str) -> object:  # noqa: ANN401
    return _query(client, f"{table}-not", "PK = :p", p="a")


BEHAVIOURS: dict[str, Behaviour] = {
    "BETWEEN includes both ends and sorts by bytes": _between_is_inclusive_and_by_bytes,
    "begins_with matches the beginning only": _begins_with_is_exact,
    "binary attributes come back to the bit": _binary_is_kept,
    "numbers keep their digits": _numbers_are_kept,
    "a conditional write holds once, and again after expiry": _a_condition_holds_once,
    "a failed condition returns the old item": _a_failed_condition_returns_the_old_item,
    "of racing conditional writes one wins": _one_racer_wins,
    "25 items are a batch": lambda client, table: _batch(client, table, [f"{n:02}" for n in range(25)]),
    "26 items are none": lambda client, table: _batch(client, table, [f"{n:02}" for n in range(26)]),
    "a batch has no key twice": lambda client, table: _batch(client, table, ["a", "a"]),
    "Limit cuts a page, and a whole one has no key": _a_page_can_be_cut,
    "a page ends after 1 MB": _a_page_is_a_megabyte,
    "an item over 400 KB is refused": _an_item_has_a_limit,
    "expiry can be switched on": _expiry_is_on,
    "a missing table has an error of its own": _a_missing_table_is_named,
}
