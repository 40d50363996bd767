"""Multipart uploads: parts are blobs of their own until they are joined."""

import hashlib
import shutil
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import orjson

from localaws.errors import AwsError
from localaws.s3_body import Blob
from localaws.s3_objects import Objects, StoredObject
from localaws.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS s3_uploads(
  id TEXT PRIMARY KEY, bucket TEXT NOT NULL, key TEXT NOT NULL, headers TEXT NOT NULL,
  created_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS s3_parts(
  upload_id TEXT NOT NULL, number INTEGER NOT NULL, blob TEXT NOT NULL, size INTEGER NOT NULL,
  etag TEXT NOT NULL, modified_at REAL NOT NULL, PRIMARY KEY(upload_id, number)) WITHOUT ROWID;
"""

_MIN_PART_BYTES = 5 * 1024 * 1024
_MAX_PART = 10_000
_COPY_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Part:
    number: int
    blob: str
    size: int
    etag: str
    modified_at: float


class Uploads:
    """Survives a restart: an upload can be completed after one."""

    def __init__(self, store: Store, objects: Objects, now: Callable[[], float] = time.time):
        self._store = store
        self._objects = objects
        self._now = now
        store.ensure(SCHEMA)
        rows = store.read().execute("SELECT blob FROM s3_parts").fetchall()
        objects.remove_orphans({row[0] for row in rows})

    def create(self, bucket: str, key: str, headers: Mapping[str, str]) -> str:
        upload_id = uuid.uuid4().hex
        with self._store.write() as db:
            self._objects.require_bucket(bucket)
            text = orjson.dumps(dict(headers)).decode()
            row = (upload_id, bucket, key, text, self._now())
            db.execute("INSERT INTO s3_uploads VALUES(?,?,?,?,?)", row)
        return upload_id

    def open_uploads(self, bucket: str, prefix: str) -> list[tuple[str, str, float]]:
        """(key, upload id, created at) of the uploads that were not finished."""
        self._objects.require_bucket(bucket)
        rows = self._store.read().execute(
            "SELECT key, id, created_at FROM s3_uploads WHERE bucket=? ORDER BY key, id", (bucket,)
        )
        return [row for row in rows if row[0].startswith(prefix)]

    def put_part(self, upload_id: str, bucket: str, key: str, number: int, blob: Blob) -> Part:
        if not 1 <= number <= _MAX_PART:
            raise AwsError("InvalidArgument", "Part number must be between 1 and 10000")
        blob.close()
        part = Part(number, blob.name, blob.size, blob.md5, self._now())
        with self._store.write() as db:
            self._headers(upload_id, bucket, key)
            before = db.execute(
                "SELECT blob FROM s3_parts WHERE upload_id=? AND number=?", (upload_id, number)
            ).fetchone()
            row = (upload_id, number, part.blob, part.size, part.etag, part.modified_at)
            db.execute("INSERT OR REPLACE INTO s3_parts VALUES(?,?,?,?,?,?)", row)
        blob.keep()
        if before is not None:
            self._objects.path(before[0]).unlink(missing_ok=True)
        return part

    def parts(self, upload_id: str, bucket: str, key: str) -> list[Part]:
        self._headers(upload_id, bucket, key)
        rows = self._store.read().execute(
            "SELECT number, blob, size, etag, modified_at FROM s3_parts"
            " WHERE upload_id=? ORDER BY number",
            (upload_id,),
        )
        return [Part(*row) for row in rows]

    def complete(
        self, upload_id: str, bucket: str, key: str, wanted: list[tuple[int, str]]
    ) -> StoredObject:
        """Joins the parts outside the lock, commits the object, then forgets the upload."""
        headers = self._headers(upload_id, bucket, key)
        stored = {part.number: part for part in self.parts(upload_id, bucket, key)}
        chosen = _chosen(stored, wanted)
        blob = self._objects.new_blob()
        try:
            self._join(chosen, blob)
            etag = _joined_etag(chosen)
            completed = self._objects.put(bucket, key, blob, headers, etag=etag)
        except BaseException:
            blob.discard()
            raise
        self._forget(upload_id)
        self._remove(list(stored.values()))
        return completed

    def abort(self, upload_id: str, bucket: str, key: str) -> None:
        parts = self.parts(upload_id, bucket, key)
        self._forget(upload_id)
        self._remove(parts)

    def _headers(self, upload_id: str, bucket: str, key: str) -> dict[str, str]:
        row = self._store.read().execute(
            "SELECT headers FROM s3_uploads WHERE id=? AND bucket=? AND key=?",
            (upload_id, bucket, key),
        )
        found = row.fetchone()
        if found is None:
            raise AwsError("NoSuchUpload", "The specified upload does not exist.", 404)
        return orjson.loads(found[0])

    def _join(self, parts: list[Part], blob: Blob) -> None:
        for part in parts:
            with self._objects.path(part.blob).open("rb") as source:
                shutil.copyfileobj(source, blob, _COPY_BYTES)

    def _forget(self, upload_id: str) -> None:
        with self._store.write() as db:
            db.execute("DELETE FROM s3_parts WHERE upload_id=?", (upload_id,))
            db.execute("DELETE FROM s3_uploads WHERE id=?", (upload_id,))

    def _remove(self, parts: list[Part]) -> None:
        for part in parts:
            self._objects.path(part.blob).unlink(missing_ok=True)


def _chosen(stored: Mapping[int, Part], wanted: list[tuple[int, str]]) -> list[Part]:
    numbers = [number for number, _ in wanted]
    if not wanted or numbers != sorted(set(numbers)):
        raise AwsError("InvalidPartOrder", "The list of parts was not in ascending order.")
    for number, etag in wanted:
        if number not in stored or stored[number].etag != etag.strip('"'):
            raise AwsError("InvalidPart", f"Part {number} could not be found or has another etag")
    chosen = [stored[number] for number in numbers]
    if any(part.size < _MIN_PART_BYTES for part in chosen[:-1]):
        message = "Your proposed upload is smaller than the minimum allowed object size."
        raise AwsError("EntityTooSmall", message)
    return chosen


def _joined_etag(parts: list[Part]) -> str:
    digests = b"".join(bytes.fromhex(part.etag) for part in parts)
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"
