"""Bodies on their way to disk: blobs, checksums, and the aws-chunked encoding of some clients."""

import base64
import hashlib
import string
import zlib
from collections.abc import Mapping
from pathlib import Path

from anyio.to_thread import run_sync
from starlette.requests import Request

from localaws.errors import AwsError

_BUFFER_BYTES = 1024 * 1024
_CHECKSUM = "x-amz-checksum-"
_MAX_LINE_BYTES = 8 * 1024
_HEX_DIGITS = frozenset(string.hexdigits)


class Blob:
    """A file that is written once; MD5 and size grow with it."""

    def __init__(self, name: str, path: Path):
        self.name = name
        self.path = path
        self.size = 0
        self._file = path.open("xb")
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._kept = False

    @property
    def md5(self) -> str:
        return self._md5.hexdigest()

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._md5.update(data)
        self.size += len(data)

    def close(self) -> None:
        self._file.close()

    def keep(self) -> None:
        """Its row is committed: `discard` does nothing from now on."""
        self._kept = True

    def discard(self) -> None:
        self._file.close()
        if not self._kept:
            self.path.unlink(missing_ok=True)


class BodyReader:
    """Feeds one request body into a blob and checks what the client said about it."""

    def __init__(self, blob: Blob, headers: Mapping[str, str]):
        self._blob = blob
        self._headers = headers
        self._chunked = _AwsChunked(self._take) if _is_aws_chunked(headers) else None
        self._checksum = _Checksum(headers)

    def feed(self, data: bytes) -> None:
        if self._chunked is not None:
            self._chunked.feed(data)
        else:
            self._take(data)

    def finish(self) -> dict[str, str]:
        """Closes the blob; the checksum headers to answer with. Raises BadDigest."""
        self._blob.close()
        if self._chunked is not None and not self._chunked.complete:
            raise AwsError("IncompleteBody", "The request body terminated unexpectedly")
        wanted = self._headers.get("content-md5")
        if wanted and wanted != base64.b64encode(bytes.fromhex(self._blob.md5)).decode():
            raise AwsError("BadDigest", "The Content-MD5 you specified did not match the body")
        trailers = self._chunked.trailers if self._chunked is not None else {}
        return self._checksum.verified({**self._headers, **trailers})

    def _take(self, data: bytes) -> None:
        self._blob.write(data)
        self._checksum.update(data)


async def receive(request: Request, reader: BodyReader) -> bytes:
    """Streams the body into the reader, a megabyte at a time; returns what is left to feed."""
    buffer = bytearray()
    async for chunk in request.stream():
        buffer += chunk
        if len(buffer) >= _BUFFER_BYTES:
            await run_sync(reader.feed, bytes(buffer))
            buffer.clear()
    return bytes(buffer)


class _Checksum:
    """CRC32, SHA-1 or SHA-256 if the client sends one (crc32c and crc64nvme go unchecked)."""

    def __init__(self, headers: Mapping[str, str]):
        named = [name for name in headers if name.startswith(_CHECKSUM)]
        trailer = headers.get("x-amz-trailer", "").lower()
        self._header = named[0] if named else trailer
        algorithm = self._header.removeprefix(_CHECKSUM)
        self._crc = 0 if algorithm == "crc32" else None
        self._hash = hashlib.new(algorithm) if algorithm in ("sha1", "sha256") else None

    def update(self, data: bytes) -> None:
        if self._crc is not None:
            self._crc = zlib.crc32(data, self._crc)
        elif self._hash is not None:
            self._hash.update(data)

    def verified(self, headers: Mapping[str, str]) -> dict[str, str]:
        digest = self._digest()
        wanted = headers.get(self._header)
        if digest is None or wanted is None:
            return {}
        if base64.b64encode(digest).decode() != wanted:
            message = f"The {self._header} you specified did not match the calculated checksum."
            raise AwsError("BadDigest", message)
        return {self._header: wanted}

    def _digest(self) -> bytes | None:
        if self._crc is not None:
            return self._crc.to_bytes(4, "big")
        return self._hash.digest() if self._hash is not None else None


class _AwsChunked:
    """`hex-size[;chunk-signature=…]CRLF data CRLF … 0 CRLF trailers CRLF CRLF`."""

    def __init__(self, sink):
        self._sink = sink
        self._buffer = bytearray()
        self._left = 0
        self._in_trailers = False
        self.trailers: dict[str, str] = {}
        self.complete = False

    def feed(self, data: bytes) -> None:
        """What follows the trailers is dropped."""
        self._buffer += b"" if self.complete else data
        while not self.complete and (self._data() if self._left else self._line()):
            pass

    def _data(self) -> bool:
        if not self._buffer:
            return False
        taken = bytes(self._buffer[: self._left])
        del self._buffer[: len(taken)]
        self._left -= len(taken)
        self._sink(taken)
        return True

    def _line(self) -> bool:
        end = self._buffer.find(b"\r\n")
        if end < 0 and len(self._buffer) > _MAX_LINE_BYTES:
            raise _malformed()
        if end < 0:
            return False
        line = self._buffer[:end].decode("latin-1")
        del self._buffer[: end + 2]
        if self._in_trailers:
            self._trailer(line)
        elif line:
            self._left = _chunk_size(line)
            self._in_trailers = self._left == 0
        return True

    def _trailer(self, line: str) -> None:
        if not line:
            self.complete = True
            return
        name, _, value = line.partition(":")
        self.trailers[name.strip().lower()] = value.strip()


def _chunk_size(line: str) -> int:
    size = line.partition(";")[0]
    if not size or not _HEX_DIGITS.issuperset(size):
        raise _malformed()
    return int(size, 16)


def _malformed() -> AwsError:
    return AwsError("InvalidRequest", "The aws-chunked body is malformed")


def _is_aws_chunked(headers: Mapping[str, str]) -> bool:
    return headers.get("x-amz-content-sha256", "").startswith(
        "STREAMING-"
    ) or "aws-chunked" in headers.get("content-encoding", "")
