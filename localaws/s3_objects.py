"""Buckets and objects: rows in SQLite, bodies as immutable blob files of their own.

A blob is complete on disk before its row is committed, and removed after the row that replaced it
is; blobs that no row names (a crash in between) are removed at start.
"""

import os
import sqlite3
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import orjson

from localaws.errors import AwsError
from localaws.s3_body import Blob
from localaws.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS s3_buckets(name TEXT PRIMARY KEY, created_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS s3_objects(
  bucket TEXT NOT NULL, key TEXT NOT NULL, blob TEXT NOT NULL, size INTEGER NOT NULL,
  etag TEXT NOT NULL, modified_at REAL NOT NULL, headers TEXT NOT NULL,
  PRIMARY KEY(bucket, key)) WITHOUT ROWID;
"""

_COLUMNS = "key, blob, size, etag, modified_at, headers"
_LIST_ROWS = 1000
_FIRST_SURROGATE, _AFTER_SURROGATES, _LAST_CODE_POINT = 0xD800, 0xE000, 0x10FFFF
_MAX_KEY_BYTES = 1024


@dataclass(frozen=True)
class StoredObject:
    """`etag` is unquoted; `headers` are those that GetObject gives back, lower case."""

    key: str
    blob: str
    size: int
    etag: str
    modified_at: float
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Listing:
    """One page: objects, common prefixes, and where the next page begins (None: the end)."""

    objects: list[StoredObject]
    prefixes: list[str]
    next_bound: str | None


class Objects:
    """The state of S3, also for callers in this process."""

    def __init__(self, store: Store, now: Callable[[], float] = time.time):
        self._store = store
        self._now = now
        self.folder = store.blobs / "s3"
        store.ensure(SCHEMA)

    def create_bucket(self, bucket: str) -> bool:
        """False when it was there already."""
        with self._store.write() as db:
            cursor = db.execute(
                "INSERT OR IGNORE INTO s3_buckets VALUES(?,?)", (bucket, self._now())
            )
        return cursor.rowcount == 1

    def buckets(self) -> list[tuple[str, float]]:
        rows = self._store.read().execute("SELECT name, created_at FROM s3_buckets ORDER BY name")
        return rows.fetchall()

    def delete_bucket(self, bucket: str) -> None:
        with self._store.write() as db:
            self.require_bucket(bucket)
            full = "SELECT 1 FROM s3_objects WHERE bucket=? LIMIT 1"
            if db.execute(full, (bucket,)).fetchone():
                raise AwsError(
                    "BucketNotEmpty", "The bucket you tried to delete is not empty", 409
                )
            db.execute("DELETE FROM s3_buckets WHERE name=?", (bucket,))

    def require_bucket(self, bucket: str) -> None:
        row = self._store.read().execute("SELECT 1 FROM s3_buckets WHERE name=?", (bucket,))
        if row.fetchone() is None:
            message = "The specified bucket does not exist"
            raise AwsError("NoSuchBucket", message, 404, BucketName=bucket)

    def new_blob(self) -> Blob:
        """An empty blob to write to; `put` takes it over."""
        name = uuid.uuid4().hex
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        return Blob(name, path)

    def path(self, blob: str) -> Path:
        return self.folder / blob[:2] / blob

    def put(
        self,
        bucket: str,
        key: str,
        blob: Blob,
        headers: Mapping[str, str],
        *,
        etag: str | None = None,
        if_match: str | None = None,
        if_none_match: bool = False,
    ) -> StoredObject:
        """Commits a written blob as the object; `etag` defaults to the body's MD5.

        Not inside another write transaction: the body that it replaces is removed at once.
        """
        if len(key.encode()) > _MAX_KEY_BYTES:
            raise AwsError("KeyTooLongError", "Your key is too long")
        blob.close()
        stored = StoredObject(key, blob.name, blob.size, etag or blob.md5, self._now(), headers)
        with self._store.write() as db:
            self.require_bucket(bucket)
            before = self.find(bucket, key)
            _check_preconditions(before, if_match, if_none_match)
            _insert(db, bucket, stored)
        blob.keep()
        if before is not None:
            self.path(before.blob).unlink(missing_ok=True)
        return stored

    def find(self, bucket: str, key: str) -> StoredObject | None:
        row = self._store.read().execute(
            f"SELECT {_COLUMNS} FROM s3_objects WHERE bucket=? AND key=?", (bucket, key)
        )
        found = row.fetchone()
        return _stored(found) if found else None

    def get(self, bucket: str, key: str) -> StoredObject:
        stored = self.find(bucket, key)
        if stored is None:
            self.require_bucket(bucket)
            raise AwsError("NoSuchKey", "The specified key does not exist.", 404, Key=key)
        return stored

    def open(self, bucket: str, key: str) -> tuple[StoredObject, BinaryIO]:
        """The object and its body; looks again when it was replaced in between."""
        while True:
            stored = self.get(bucket, key)
            try:
                return stored, self.path(stored.blob).open("rb")
            except FileNotFoundError:
                if self.find(bucket, key) == stored:
                    message = f"the body of {key} is missing on disk"
                    raise AwsError("InternalError", message, 500) from None

    def link(self, stored: StoredObject) -> Blob:
        """A new blob with the body of an object, without copying it; its MD5 is not known."""
        blob = self.new_blob()
        blob.discard()
        os.link(self.path(stored.blob), blob.path)
        blob.size = stored.size
        return blob

    def delete(self, bucket: str, keys: list[str]) -> None:
        """Deleting what is not there is no error."""
        blobs: list[str] = []
        with self._store.write() as db:
            self.require_bucket(bucket)
            for key in keys:
                stored = self.find(bucket, key)
                if stored is not None:
                    blobs.append(stored.blob)
                    db.execute("DELETE FROM s3_objects WHERE bucket=? AND key=?", (bucket, key))
        for blob in blobs:
            self.path(blob).unlink(missing_ok=True)

    def page(self, bucket: str, prefix: str, delimiter: str, bound: str, max_keys: int) -> Listing:
        """Keys from `bound` on; a common prefix is skipped over, not read through."""
        self.require_bucket(bucket)
        listing = Listing([], [], None)
        low = max(bound, prefix)
        while True:
            rows = self._rows(bucket, prefix, low, min(max_keys + 1, _LIST_ROWS))
            if not rows:
                return listing
            for row in rows:
                if len(listing.objects) + len(listing.prefixes) >= max_keys:
                    return Listing(listing.objects, listing.prefixes, low)
                common = _common_prefix(row[0], prefix, delimiter)
                if common is not None:
                    listing.prefixes.append(common)
                    low = _after_prefix(common)
                    break
                listing.objects.append(_stored(row))
                low = row[0] + "\0"

    def remove_orphans(self, also_used: set[str]) -> None:
        """At start: blobs that neither an object nor `also_used` (open uploads) names."""
        rows = self._store.read().execute("SELECT blob FROM s3_objects")
        used = {row[0] for row in rows} | also_used
        for path in self.folder.glob("*/*"):
            if path.name not in used:
                path.unlink(missing_ok=True)

    def _rows(self, bucket: str, prefix: str, low: str, count: int) -> list[tuple]:
        sql = f"SELECT {_COLUMNS} FROM s3_objects WHERE bucket=? AND key >= ?"
        arguments: list[str | int] = [bucket, low]
        if prefix:
            sql += " AND key < ?"
            arguments.append(_after_prefix(prefix))
        db = self._store.read()
        return db.execute(f"{sql} ORDER BY key LIMIT ?", (*arguments, count)).fetchall()


def _insert(db: sqlite3.Connection, bucket: str, stored: StoredObject) -> None:
    db.execute(
        "INSERT OR REPLACE INTO s3_objects VALUES(?,?,?,?,?,?,?)",
        (
            bucket,
            stored.key,
            stored.blob,
            stored.size,
            stored.etag,
            stored.modified_at,
            orjson.dumps(dict(stored.headers)).decode(),
        ),
    )


def _stored(row: tuple) -> StoredObject:
    return StoredObject(*row[:5], headers=orjson.loads(row[5]))


def _check_preconditions(
    before: StoredObject | None, if_match: str | None, if_none_match: bool
) -> None:
    message = "At least one of the pre-conditions you specified did not hold"
    if if_none_match and before is not None:
        raise AwsError("PreconditionFailed", message, 412, Condition="If-None-Match")
    if if_match is not None and (before is None or before.etag != if_match.strip('"')):
        raise AwsError("PreconditionFailed", message, 412, Condition="If-Match")


def _common_prefix(key: str, prefix: str, delimiter: str) -> str | None:
    end = key.find(delimiter, len(prefix)) if delimiter else -1
    return key[: end + len(delimiter)] if end >= 0 else None


def _after_prefix(prefix: str) -> str:
    """The first string after all strings with this prefix (SQLite compares UTF-8, as S3 does)."""
    following = ord(prefix[-1]) + 1
    if following > _LAST_CODE_POINT:
        return _after_prefix(prefix[:-1])
    return prefix[:-1] + chr(_AFTER_SURROGATES if following == _FIRST_SURROGATE else following)
