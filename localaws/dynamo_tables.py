"""DynamoDB tables: their definition as stored, and its description as AWS gives it."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from localaws.dynamo_values import Attributes, sort_key
from localaws.errors import AwsError, arn_of, invalid

SCHEMA = """
CREATE TABLE IF NOT EXISTS ddb_tables(
  id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, spec TEXT NOT NULL, ttl_attribute TEXT);
"""

_MAX_HASH_BYTES = 2048
_MAX_RANGE_BYTES = 1024
_SPEC_FIELDS = (
    "TableName",
    "AttributeDefinitions",
    "KeySchema",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
    "DeletionProtectionEnabled",
)


@dataclass(frozen=True)
class Index:
    """A table's own key, or a secondary index (`name` is set)."""

    name: str
    hash_name: str
    range_name: str | None
    is_global: bool = False
    projection: frozenset[str] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return (self.hash_name, self.range_name) if self.range_name else (self.hash_name,)


@dataclass(frozen=True)
class Table:
    """`types` maps key attribute names to S, N or B."""

    id: int
    name: str
    primary: Index
    indexes: tuple[Index, ...]
    types: Mapping[str, str]
    ttl_attribute: str | None

    def key(self, attributes: Any, exact: bool = True) -> tuple[bytes, bytes]:
        """The stored key of an item, or (`exact`) of a Key parameter, validated as AWS does."""
        names = self.primary.names
        if not isinstance(attributes, dict) or (exact and attributes.keys() != set(names)):
            raise invalid("The provided key element does not match the schema")
        for name in names:
            if name not in attributes:
                raise invalid(
                    "One or more parameter values were invalid: "
                    f"Missing the key {name} in the item"
                )
        hash_key = self._encoded(names[0], attributes, "key", _MAX_HASH_BYTES)
        if len(names) == 1:
            return hash_key, b""
        return hash_key, self._encoded(names[1], attributes, "key", _MAX_RANGE_BYTES)

    def index_key(self, index: Index, item: Attributes) -> tuple[bytes, bytes] | None:
        """None when the item lacks an attribute of the index: it is not in the index then."""
        if not all(name in item for name in index.names):
            return None
        keys = [self._encoded(name, item, "Index Key", _MAX_HASH_BYTES) for name in index.names]
        return keys[0], keys[1] if len(keys) == 2 else b""

    def index(self, name: str | None) -> Index:
        if name is None:
            return self.primary
        for index in self.indexes:
            if index.name == name:
                return index
        raise invalid(f"The table does not have the specified index: {name}")

    def _encoded(self, name: str, item: Attributes, what: str, max_bytes: int) -> bytes:
        kind, wanted = next(iter(item[name])), self.types[name]
        if kind != wanted:
            raise invalid(
                "One or more parameter values were invalid: "
                f"Type mismatch for {what} {name} expected: {wanted} actual: {kind}"
            )
        encoded = sort_key(item[name])
        if not encoded:
            raise invalid(
                "One or more parameter values are not valid. The AttributeValue for a key "
                f"attribute cannot contain an empty string value. Key: {name}"
            )
        if len(encoded) > max_bytes:
            raise invalid(
                f"One or more parameter values were invalid: Size of {name} is too large"
            )
        return encoded


def new_spec(request: Mapping[str, Any], created_at: float) -> str:
    """The stored definition of a CreateTable request, validated."""
    spec = {field: request[field] for field in _SPEC_FIELDS if request.get(field) is not None}
    used = {name for index in _all_indexes(spec) for name in index.names}
    defined = {d["AttributeName"] for d in spec.get("AttributeDefinitions", ())}
    if used != defined:
        raise invalid(
            "One or more parameter values were invalid: Number of attributes in KeySchema does "
            f"not exactly match number of attributes defined in AttributeDefinitions: {used ^ defined}"
        )
    return orjson.dumps({**spec, "id": str(uuid.uuid4()), "created_at": created_at}).decode()


@lru_cache(maxsize=256)
def table_of(row: tuple[int, str, str, str | None]) -> Table:
    """A table from its row (id, name, spec, ttl_attribute)."""
    spec = orjson.loads(row[2])
    primary, *indexes = _all_indexes(spec)
    types = {d["AttributeName"]: d["AttributeType"] for d in spec["AttributeDefinitions"]}
    return Table(row[0], row[1], primary, tuple(indexes), types, row[3])


def table_arn(name: str) -> str:
    return arn_of("dynamodb", f"table/{name}")


def description(spec_text: str, item_count: int, size_bytes: int, status: str) -> dict[str, Any]:
    """TableDescription; local tables are ACTIVE at once."""
    spec = orjson.loads(spec_text)
    arn = table_arn(spec["TableName"])
    described = {
        "TableName": spec["TableName"],
        "TableId": spec["id"],
        "TableArn": arn,
        "TableStatus": status,
        "CreationDateTime": spec["created_at"],
        "AttributeDefinitions": spec["AttributeDefinitions"],
        "KeySchema": spec["KeySchema"],
        "ItemCount": item_count,
        "TableSizeBytes": size_bytes,
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        "ProvisionedThroughput": _NO_THROUGHPUT,
        "DeletionProtectionEnabled": spec.get("DeletionProtectionEnabled", False),
    }
    for field in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
        if spec.get(field):
            described[field] = [_index_description(arn, index, field) for index in spec[field]]
    return described


_NO_THROUGHPUT = {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0, "NumberOfDecreasesToday": 0}


def _index_description(arn: str, index: dict[str, Any], field: str) -> dict[str, Any]:
    shared = {
        "IndexName": index["IndexName"],
        "KeySchema": index["KeySchema"],
        "Projection": index["Projection"],
        "IndexArn": f"{arn}/index/{index['IndexName']}",
    }
    if field == "LocalSecondaryIndexes":
        return shared
    return {**shared, "IndexStatus": "ACTIVE", "ProvisionedThroughput": _NO_THROUGHPUT}


def _all_indexes(spec: Mapping[str, Any]) -> list[Index]:
    """The primary key first."""
    primary = _index("", spec.get("KeySchema") or [])
    indexes = [primary]
    for field in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
        for entry in spec.get(field) or ():
            index = _index(entry["IndexName"], entry["KeySchema"])
            kept = _projection(entry.get("Projection") or {}, primary, index)
            is_global = field == "GlobalSecondaryIndexes"
            indexes.append(Index(index.name, index.hash_name, index.range_name, is_global, kept))
    return indexes


def _index(name: str, schema: list[dict[str, str]]) -> Index:
    roles = {entry["KeyType"]: entry["AttributeName"] for entry in schema}
    if "HASH" not in roles or len(roles) != len(schema):
        raise invalid("Invalid KeySchema: one HASH key and at most one RANGE key are needed")
    return Index(name, roles["HASH"], roles.get("RANGE"))


def _projection(projection: Mapping[str, Any], *keys: Index) -> frozenset[str] | None:
    """The attributes that an index carries; None means all."""
    if projection.get("ProjectionType", "ALL") == "ALL":
        return None
    names = {name for index in keys for name in index.names}
    return frozenset(names | set(projection.get("NonKeyAttributes") or ()))


def not_found(name: str) -> AwsError:
    return AwsError(
        "ResourceNotFoundException", f"Requested resource not found: Table: {name} not found"
    )
