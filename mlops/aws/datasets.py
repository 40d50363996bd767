"""Datasets in S3 (`raw/`, `prepared/`) with one status row each; preparing is idempotent."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any

from botocore.exceptions import ClientError

from mlops.aws.clients import Aws, error_code, translate, translated
from mlops.aws.items import query
from mlops.aws.tables import DATASETS, LISTING
from mlops.datasets import (
    Dataset,
    DatasetStatus,
    Metadata,
    PreviewRow,
    prepare,
    preview,
    read_metadata,
)
from mlops.errors import RequestError
from mlops.formats import read_split
from mlops.names import resolve

METADATA = "metadata.json"
MAX_RAW_BYTES = 200 * 1024 * 1024
_PREVIEW_BYTES = 128 * 1024


class Datasets:
    """Lists, imports and prepares; names are resolved as people write them."""

    def __init__(self, aws: Aws):
        self._db = aws.dynamodb
        self._s3 = aws.client("s3")
        self._bucket = aws.settings.datasets_bucket

    def all(self, now: datetime) -> list[Dataset]:
        """Every dataset by name; raw folders that nobody recorded yet are recorded now."""
        with translated():
            rows = {dataset.name: dataset for dataset in self._rows()}
            for name in self._raw_names():
                if name not in rows:
                    rows[name] = self._record_raw(name, now)
        return [rows[name] for name in sorted(rows)]

    def find(self, wanted: str, now: datetime) -> Dataset:
        """The dataset a person means; RequestError with near names when there is none."""
        row = self._row(wanted)
        if row is not None:
            return row
        found = {dataset.name: dataset for dataset in self.all(now)}
        return found[resolve(wanted, list(found))]

    def upload(self, name: str, files: Mapping[str, bytes], metadata: Metadata) -> str:
        """Stores raw files under a valid name; the raw URI. Earlier files of the name go."""
        if not files:
            raise RequestError("empty_dataset", "There is no file to import.")
        prefix = f"raw/{name}/"
        with translated():
            for key in [key for key, _ in self._keys(prefix)]:
                self._s3.delete_object(Bucket=self._bucket, Key=key)
            for file, content in files.items():
                safe = PurePosixPath(file).name
                self._s3.put_object(Bucket=self._bucket, Key=f"{prefix}{safe}", Body=content)
            body = metadata.model_dump_json().encode()
            self._s3.put_object(Bucket=self._bucket, Key=f"{prefix}{METADATA}", Body=body)
            self._db.delete_item(TableName=DATASETS, Key={"name": name})
        return f"s3://{self._bucket}/{prefix}"

    def prepare(self, wanted: str, clock: Callable[[], datetime]) -> tuple[Dataset, bool]:
        """Validated and normalised, and whether it was so already (same raw files).

        RequestError with the first problems and their lines when the data is broken.
        """
        dataset = self.find(wanted, clock())
        keys = self._raw_keys(dataset.name)
        version = _version(keys)
        if dataset.status is DatasetStatus.PREPARED and self._version(dataset.name) == version:
            return dataset, True
        started = dataset.model_copy(
            update={"status": DatasetStatus.PREPARING, "updated_at": clock()}
        )
        self._put(started, version="")
        files = self._download(dataset.name, keys)
        metadata = read_metadata(files.pop(METADATA, b"{}"))
        prepared = prepare(dataset.name, files, metadata)
        uri = None
        if prepared.status is DatasetStatus.PREPARED:
            uri = self._upload_prepared(dataset.name, prepared.fingerprint, prepared.files)
        ready = prepared.to_dataset(dataset.raw_uri, uri, clock())
        self._put(ready, version)
        require_valid(ready)
        return ready, False

    def preview(self, dataset: Dataset, limit: int) -> tuple[PreviewRow, ...]:
        """The first sentences of the prepared train split; empty before it is prepared."""
        if dataset.prepared_uri is None:
            return ()
        key = f"{dataset.prepared_uri.removeprefix(f's3://{self._bucket}/')}train.tsv"
        with translated():
            answer = self._s3.get_object(
                Bucket=self._bucket, Key=key, Range=f"bytes=0-{_PREVIEW_BYTES - 1}"
            )
        whole, _, _ = answer["Body"].read().rpartition(b"\n\n")
        return preview(read_split("train.tsv", whole + b"\n").sentences, limit)

    def _rows(self) -> Iterator[Dataset]:
        items = query(
            self._db,
            TableName=DATASETS,
            IndexName=LISTING,
            KeyConditionExpression="listing = :d",
            ExpressionAttributeValues={":d": "dataset"},
        )
        return (Dataset.model_validate_json(item["body"]) for item in items)

    def _row(self, name: str) -> Dataset | None:
        item = self._item(name)
        return Dataset.model_validate_json(item["body"]) if item else None

    def _version(self, name: str) -> str:
        return str((self._item(name) or {}).get("raw_version", ""))

    def _item(self, name: str) -> dict[str, Any] | None:
        if not name:
            return None
        answer = self._db.get_item(TableName=DATASETS, Key={"name": name}, ConsistentRead=True)
        return answer.get("Item")

    def _put(self, dataset: Dataset, version: str) -> None:
        item = {
            "name": dataset.name,
            "listing": "dataset",
            "raw_version": version,
            "body": dataset.model_dump_json(),
        }
        self._db.put_item(TableName=DATASETS, Item=item)

    def _record_raw(self, name: str, now: datetime) -> Dataset:
        metadata = self._metadata(name)
        dataset = Dataset(
            name=name,
            title=metadata.title or name,
            synthetic=metadata.synthetic,
            source=metadata.source,
            license=metadata.license,
            language=metadata.language,
            note=metadata.note,
            status=DatasetStatus.RAW,
            raw_uri=f"s3://{self._bucket}/raw/{name}/",
            updated_at=now,
        )
        self._put(dataset, version="")
        return dataset

    def _metadata(self, name: str) -> Metadata:
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=f"raw/{name}/{METADATA}")
        except ClientError as error:
            if error_code(error) == "NoSuchKey":
                return Metadata()
            raise translate(error) from error
        return read_metadata(answer["Body"].read())

    def _raw_names(self) -> Iterator[str]:
        pages = self._s3.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._bucket, Prefix="raw/", Delimiter="/"):
            for prefix in page.get("CommonPrefixes", ()):
                yield prefix["Prefix"].removeprefix("raw/").rstrip("/")

    def _keys(self, prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
        pages = self._s3.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._bucket, Prefix=prefix):
            for item in page.get("Contents", ()):
                yield item["Key"], item

    def _raw_keys(self, name: str) -> dict[str, dict[str, Any]]:
        with translated():
            return dict(self._keys(f"raw/{name}/"))

    def _download(self, name: str, keys: Mapping[str, dict[str, Any]]) -> dict[str, bytes]:
        if sum(item["Size"] for item in keys.values()) > MAX_RAW_BYTES:
            raise RequestError("dataset_too_large", f"{name} is larger than 200 MB.")
        with translated():
            return {
                PurePosixPath(key).name: self._s3.get_object(Bucket=self._bucket, Key=key)[
                    "Body"
                ].read()
                for key in keys
            }

    def _upload_prepared(self, name: str, fingerprint: str, files: Mapping[str, bytes]) -> str:
        prefix = f"prepared/{name}/{fingerprint[:16]}/"
        with translated():
            for file, content in files.items():
                self._s3.put_object(Bucket=self._bucket, Key=prefix + file, Body=content)
        return f"s3://{self._bucket}/{prefix}"


def _version(keys: Mapping[str, dict[str, Any]]) -> str:
    """Changes with any raw file: a digest of names and ETags."""
    lines = [f"{key} {item['ETag']}" for key, item in keys.items()]
    return sha256("\n".join(sorted(lines)).encode()).hexdigest()


def require_valid(dataset: Dataset) -> None:
    """RequestError that names file and line of the first problems of an invalid dataset."""
    if dataset.status is not DatasetStatus.INVALID:
        return
    errors = [p for p in dataset.problems if p.severity == "error"][:3]
    where = "; ".join(
        f"{p.file}{f':{p.line}' if p.line else ''}: {p.message.rstrip('.')}" for p in errors
    )
    raise RequestError("invalid_dataset", f"{dataset.name} cannot be used: {where}.")
