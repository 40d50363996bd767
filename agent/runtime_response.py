"""Frames in, server-sent events out; a client that leaves ends its stream at once."""

from collections.abc import Iterator
from typing import Protocol

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from agent.runtime_frames import Frame
from mlops.events import to_json


class FrameStream(Protocol):
    """`leave` may be called by any thread, and more than once: it ends the frames."""

    @property
    def frames(self) -> Iterator[Frame]: ...

    def leave(self) -> None: ...


class FrameResponse(StreamingResponse):
    """Starlette drops the iterator of a client that left, whose place in the log would be kept
    until the garbage is collected."""

    def __init__(self, stream: FrameStream):
        super().__init__(map(_sent, stream.frames), media_type="text/event-stream")
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._stream.leave()

    async def listen_for_disconnect(self, receive: Receive) -> None:
        """Leaves before the iterator is cancelled: the thread that waits in it is waited for."""
        await super().listen_for_disconnect(receive)
        self._stream.leave()


def _sent(frame: Frame) -> bytes:
    return f"data: {to_json(frame)}\n\n".encode()
