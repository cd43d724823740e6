"""Leases as items: one conditional write takes one, and its fence only ever rises.

::

    PK                            SK      Holder   Fence   LeaseUntil   Attempt   Failure   ExpiresAt
    LOCK#AAPL#D#1W#2026-02-04     lease   3f2a…    7       1770249630   9b1c…     {…}       a day later

A released lease keeps its item, so that the next holder's fence is one higher and waiters find the failure note;
DynamoDB drops it a day later. Races that are prevented here:

1. Two instances take a free lease at once: the condition is checked and the write made in one step by the table.
2. A holder that was paused past its expiry releases the next holder's lease: release asks for holder and fence.
3. The answer to a successful write is lost and our own retry finds the lease taken, by ourselves: each call of
   ``acquire`` writes an ``Attempt`` of its own and recognises it. (The holder's name would not do: two calls can
   share it.)
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, TypeGuard
from uuid import uuid4

import msgspec

from ohlcache.adapters.stores.dynamodb_items import expiry, key_of
from ohlcache.adapters.stores.dynamodb_table import ConditionNotMet
from ohlcache.domain.errors import StoreError
from ohlcache.domain.market_time import DAY_SECONDS
from ohlcache.ports import FailureNote, Lease, LeaseTaken

if TYPE_CHECKING:
    from ohlcache.adapters.stores.dynamodb_table import DynamoTable, Item

LEASE_SORT_KEY = "lease"
LEASE_ITEM_LIFE_SECONDS = DAY_SECONDS
NO_FENCE = 0
"""A fence that no holder has: they begin at 1."""

_TAKE = (
    "SET Holder = :holder, LeaseUntil = :until, Attempt = :attempt, ExpiresAt = :expires ADD Fence :one REMOVE Failure"
)
_MAY_TAKE = "attribute_not_exists(LeaseUntil) OR LeaseUntil <= :now OR Fence = :displacing"
_STILL_OURS = "Holder = :holder AND Fence = :fence"


class DynamoLeases:
    """The lease table: a LeaseTable on the cache's own table."""

    def __init__(self, table: DynamoTable, *, key_prefix: str = "") -> None:
        self._table = table
        self._prefix = key_prefix

    async def acquire(
        self, key: str, holder: str, *, now: float, life_seconds: float, displacing: int | None = None
    ) -> Lease | LeaseTaken:
        """Take the lease if it is free, released or expired at ``now``, or held with the fence ``displacing``."""
        until, attempt = now + life_seconds, uuid4().hex
        item_life = expiry(until + LEASE_ITEM_LIFE_SECONDS, prefix=self._prefix, now=now)
        try:
            answer = await self._table.call(
                "UpdateItem",
                Key=self._key(key),
                UpdateExpression=_TAKE,
                ConditionExpression=_MAY_TAKE,
                ExpressionAttributeValues={
                    ":holder": {"S": holder},
                    ":until": {"N": repr(float(until))},
                    ":attempt": {"S": attempt},
                    ":expires": item_life["ExpiresAt"],
                    ":one": {"N": "1"},
                    ":now": {"N": repr(float(now))},
                    ":displacing": {"N": str(NO_FENCE if displacing is None else displacing)},
                },
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ConditionNotMet as exc:
            # Not every engine returns what it found.
            found = exc.item if _is_lease(exc.item) else await self._read(key)
            if found is None:
                raise StoreError(
                    f"What is stored as the lease {key!r} is not a lease.",
                    hint="Something else writes to this table: delete the item, and give the cache a table of its own.",
                ) from exc
            if found.get("Attempt", {}).get("S") == attempt:
                return _lease_in(key, found)
            return _taken_in(key, found)
        return _lease_in(key, answer["Attributes"])

    async def look(self, key: str, *, now: float) -> LeaseTaken | None:
        """Return who has the lease (strongly consistent), None when it is free; a released failure is still shown."""
        item = await self._read(key)
        if item is None:
            return None
        taken = _taken_in(key, item)
        return taken if taken.failure is not None or taken.expires_at > now else None

    async def release(self, lease: Lease, *, failure: FailureNote | None = None) -> None:
        """Give the lease back, if it is still this holder's (holder and fence); otherwise do nothing."""
        values = {
            ":free": {"N": "0"},
            ":holder": {"S": lease.holder},
            ":fence": {"N": str(lease.fence)},
        }
        update = "SET LeaseUntil = :free"
        if failure is not None:
            update += ", Failure = :failure"
            values[":failure"] = {"S": msgspec.json.encode(asdict(failure)).decode()}
        try:
            await self._table.call(
                "UpdateItem",
                Key=self._key(lease.key),
                UpdateExpression=update,
                ConditionExpression=_STILL_OURS,
                ExpressionAttributeValues=values,
            )
        except ConditionNotMet:
            return

    def _key(self, key: str) -> Item:
        return key_of(self._prefix + key, LEASE_SORT_KEY)

    async def _read(self, key: str) -> Item | None:
        answer = await self._table.call("GetItem", Key=self._key(key), ConsistentRead=True)
        item: Item | None = answer.get("Item")
        return item if _is_lease(item) else None


def _is_lease(item: Item | None) -> TypeGuard[Item]:
    return item is not None and {"Holder", "Fence", "LeaseUntil"} <= item.keys()


def _lease_in(key: str, item: Item) -> Lease:
    return Lease(key, str(item["Holder"]["S"]), int(item["Fence"]["N"]), float(item["LeaseUntil"]["N"]))


def _taken_in(key: str, item: Item) -> LeaseTaken:
    note = item.get("Failure")
    return LeaseTaken(
        key,
        int(item["Fence"]["N"]),
        float(item["LeaseUntil"]["N"]),
        msgspec.json.decode(note["S"], type=FailureNote) if note is not None else None,
    )
