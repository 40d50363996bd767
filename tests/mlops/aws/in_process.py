"""The embedded AWS's DynamoDB without a wire, as a boto3 client, with processes that die or are overtaken."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from localaws.dynamodb import DynamoDb
from localaws.errors import AwsError
from localaws.pricing import Pricing
from localaws.store import Store
from mlops.aws.clients import Aws
from mlops.aws.tables import LEDGER, SPECS
from mlops.settings import Settings

_VALUES = ("Item", "Key", "ExpressionAttributeValues", "ExclusiveStartKey")
_to_wire, _from_wire = TypeSerializer().serialize, TypeDeserializer().deserialize


class Killed(BaseException):
    """As `kill -9`: nothing catches it, and the process does nothing any more."""


class Dynamo:
    """Plain values in and out. `kill_after` writes the process is dead until `revive`; `overtake`
    lets somebody else act just before one of the next writes."""

    def __init__(self, home: Path):
        self.store = Store(home)
        self._service = DynamoDb(self.store)
        for spec in SPECS:
            self._service.create_table(dict(spec))
        self.touched: set[str] = set()
        self._writes_left: int | None = None
        self._overtaking: tuple[int, Callable[[], None]] | None = None

    def kill_after(self, writes: int | None) -> None:
        self._writes_left = writes

    def overtake(self, writes: int, act: Callable[[], None]) -> None:
        self._overtaking = (writes, act)

    def revive(self) -> None:
        self._writes_left = self._overtaking = None

    def get_item(self, **request: Any) -> dict[str, Any]:
        return self._read(self._service.get_item, request)

    def query(self, **request: Any) -> dict[str, Any]:
        return self._read(self._service.query, request)

    def put_item(self, **request: Any) -> dict[str, Any]:
        return self._write(self._service.put_item, request, [request])

    def update_item(self, **request: Any) -> dict[str, Any]:
        return self._write(self._service.update_item, request, [request])

    def delete_item(self, **request: Any) -> dict[str, Any]:
        return self._write(self._service.delete_item, request, [request])

    def transact_write_items(self, **request: Any) -> dict[str, Any]:
        parts = [part for entry in request["TransactItems"] for part in entry.values()]
        return self._write(self._service.transact_write_items, request, parts)

    def forget(self) -> None:
        """Empty tables."""
        with self.store.write() as db:
            for table in ("ddb_items", "ddb_index"):
                db.execute(f"DELETE FROM {table}")
        self.touched = set()
        self.revive()

    def scopes(self, table: str) -> set[str]:
        """Every partition of a table."""
        rows = self._service.scan({"TableName": table})["Items"]
        return {_plain(row)["scope"] for row in rows}

    def _read(self, operation: Callable[[Any], dict[str, Any]], request: Any) -> dict[str, Any]:
        if self._writes_left is not None and self._writes_left < 0:
            raise Killed
        answer = _carried_out(operation, request)
        for name in ("Item", "LastEvaluatedKey"):
            if name in answer:
                answer[name] = _plain(answer[name])
        if "Items" in answer:
            answer["Items"] = [_plain(item) for item in answer["Items"]]
        return answer

    def _write(
        self, operation: Callable[[Any], dict[str, Any]], request: Any, parts: list[Any]
    ) -> dict[str, Any]:
        self._let_others_in()
        if self._writes_left is not None:
            if self._writes_left < 0:
                raise Killed
            self._writes_left -= 1
        answer = _carried_out(operation, request)
        self.touched |= {
            (part.get("Key") or part["Item"])["scope"]
            for part in parts
            if part["TableName"] == LEDGER
        }
        if self._writes_left is not None and self._writes_left < 0:
            raise Killed
        return answer

    def _let_others_in(self) -> None:
        if self._overtaking is None:
            return
        writes, act = self._overtaking
        self._overtaking = (writes - 1, act) if writes else None
        if writes == 0:
            mine, self._writes_left = self._writes_left, None
            act()
            self._writes_left = mine


def connect(dynamo: Dynamo, sagemaker: Any, settings: Settings) -> Aws:
    """Clients of these two services, and of the price list."""
    aws = Aws(settings, object())
    aws._clients = {"dynamodb": dynamo, "sagemaker": sagemaker, "pricing": PriceList()}
    return aws


class PriceList:
    """The embedded AWS's, without a wire."""

    def get_products(self, **request: Any) -> dict[str, Any]:
        return Pricing().get_products(request)


def _carried_out(operation: Callable[[Any], dict[str, Any]], request: Any) -> dict[str, Any]:
    try:
        return operation(_on_the_wire(request))
    except AwsError as error:
        answer: Any = {
            "Error": {"Code": error.code, "Message": error.message},
            "ResponseMetadata": {"HTTPStatusCode": error.status},
            **error.fields,
        }
        raise ClientError(answer, "Operation") from error


def _on_the_wire(request: Mapping[str, Any]) -> dict[str, Any]:
    wire = dict(request)
    if "TransactItems" in wire:
        wire["TransactItems"] = [
            {kind: _on_the_wire(part) for kind, part in entry.items()}
            for entry in wire["TransactItems"]
        ]
    for name in _VALUES:
        if name in wire:
            wire[name] = {key: _to_wire(value) for key, value in wire[name].items()}
    return wire


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _from_wire(value) for name, value in item.items()}
