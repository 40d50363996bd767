"""Warm children per Lambda function: an invocation in, its answer out.

Calls beyond CHILDREN_PER_FUNCTION wait for a free child; AWS would start more.
"""

import threading
from dataclasses import dataclass, field
from typing import Any

from localaws.lambda_process import Answer, Child, ChildError, Program
from localaws.logs import WriteLog

CHILDREN_PER_FUNCTION = 4


@dataclass
class _Slots:
    """The children of one function: idle ones, and how many may exist."""

    free: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(CHILDREN_PER_FUNCTION)
    )
    idle: list[Child] = field(default_factory=list)


class Pool:
    """Runs invocations in children and keeps these warm. Never called with the store locked."""

    def __init__(self, write_log: WriteLog):
        self._write_log = write_log
        self._lock = threading.Lock()
        self._slots: dict[str, _Slots] = {}
        self._all: set[Child] = set()
        self._closed = False

    def run(self, program: Program, request: dict[str, Any]) -> Answer:
        slots = self._slots_of(program.name)
        with slots.free:
            try:
                child = self._take(slots, program)
            except ChildError as error:
                return error.answer
            return self._call(slots, child, request)

    def warm(self, program: Program) -> None:
        """Makes sure that a child is there; one that a call just started will do."""
        with self._lock:
            if any(child.program == program for child in self._all):
                return
        slots = self._slots_of(program.name)
        with slots.free:
            self._put(slots, self._take(slots, program))

    def close(self) -> None:
        with self._lock:
            self._closed = True
            children = list(self._all)
        for child in children:
            child.kill()

    def _slots_of(self, name: str) -> _Slots:
        with self._lock:
            return self._slots.setdefault(name, _Slots())

    def _take(self, slots: _Slots, program: Program) -> Child:
        while (child := self._pop(slots)) is not None:
            if child.program == program and child.is_alive():
                return child
            self._drop(child)
        child = Child(program, self._write_log)
        with self._lock:
            self._all.add(child)
            closed = self._closed
        try:
            if closed:
                raise ChildError("Runtime.ExitError", "The embedded AWS is stopping")
            child.wait_ready()
        except ChildError:
            self._drop(child)
            raise
        return child

    def _call(self, slots: _Slots, child: Child, request: dict[str, Any]) -> Answer:
        try:
            answer = child.invoke(request)
        except ChildError as error:
            self._drop(child)
            return error.answer
        self._put(slots, child)
        return answer

    def _pop(self, slots: _Slots) -> Child | None:
        with self._lock:
            return slots.idle.pop() if slots.idle else None

    def _put(self, slots: _Slots, child: Child) -> None:
        with self._lock:
            slots.idle.append(child)

    def _drop(self, child: Child) -> None:
        child.kill()
        with self._lock:
            self._all.discard(child)
