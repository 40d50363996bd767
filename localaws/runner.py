"""Runs training jobs, one thread each; takes up what an earlier server left unfinished."""

import threading
from collections.abc import Callable
from pathlib import Path

from localaws.job_ends import End
from localaws.job_records import JobRecords, Record
from localaws.job_run import JobRun, Ports

STOP_GRACE_SECONDS = 10.0
"""AWS gives 120 s between SIGTERM and SIGKILL; LLMOPS_STOP_GRACE_SECONDS sets it here."""
_MAX_RESTARTS = 3
_CLOSE_SECONDS = 10.0


class Runner:
    """`folder` holds one directory per running job."""

    def __init__(
        self,
        records: JobRecords,
        ports: Ports,
        folder: Path,
        stop_grace_seconds: float = STOP_GRACE_SECONDS,
    ):
        self.records = records
        self._ports = ports
        self._folder = folder
        self._grace_seconds = stop_grace_seconds
        self._lock = threading.Lock()
        self._runs: dict[str, JobRun] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._closed = False

    def start(self, name: str) -> None:
        """Runs a recorded job; returns at once."""
        run = self._new_run(name)
        self._spawn(run, run.run)

    def stop(self, name: str) -> None:
        """Asks the job's script to end; the record says Stopping already."""
        with self._lock:
            run = self._runs.get(name)
        if run is not None:
            run.signals.stop.set()

    def recover(self) -> None:
        """Once, when requests are answered: continues, or ends, the jobs of a dead server."""
        for record in self.records.unfinished():
            self._take_up(record)

    def active(self) -> int:
        with self._lock:
            return len(self._runs)

    def close(self) -> None:
        """Ends the processes; the records stay as they are, for the next start."""
        with self._lock:
            self._closed = True
            threads = list(self._threads.values())
            for run in self._runs.values():
                run.signals.closing.set()
        for thread in threads:
            thread.join(_CLOSE_SECONDS)

    def _take_up(self, record: Record) -> None:
        run = self._new_run(record["TrainingJobName"])
        run.kill_left_over()
        if record["TrainingJobStatus"] == "Stopping":
            run.signals.stop.set()
            self._spawn(run, run.conclude, End.STOPPED)
        elif (end := self._overdue(record)) is not None:
            self._spawn(run, run.conclude, end)
        elif _deaths(record) >= _MAX_RESTARTS:
            reason = f"InternalServerError: the job's runner died {_MAX_RESTARTS + 1} times"
            self._spawn(run, run.fail, reason)
        else:
            self._spawn(run, run.run_again)

    def _overdue(self, record: Record) -> End | None:
        """A limit that passed while no server ran."""
        stopping = record["StoppingCondition"]
        used = self.records.used_seconds(record["TrainingJobName"])
        if used >= stopping["MaxRuntimeInSeconds"]:
            return End.OUT_OF_TIME
        wait = stopping.get("MaxWaitTimeInSeconds")
        age = (self.records.now() - record["CreationTime"]).total_seconds()
        return End.OUT_OF_WAIT if wait is not None and age >= wait else None

    def _new_run(self, name: str) -> JobRun:
        folder = self._folder / name
        return JobRun(name, self.records, self._ports, folder, self._grace_seconds)

    def _spawn(self, run: JobRun, work: Callable[..., None], *arguments: object) -> None:
        def body() -> None:
            try:
                work(*arguments)
            finally:
                with self._lock:
                    del self._runs[run.name], self._threads[run.name]

        thread = threading.Thread(target=body, name=f"job-{run.name}", daemon=True)
        with self._lock:
            if self._closed:
                return
            self._runs[run.name], self._threads[run.name] = run, thread
        thread.start()


def _deaths(record: Record) -> int:
    """Restarts that no spot interruption explains."""
    passed = [transition["Status"] for transition in record["SecondaryStatusTransitions"]]
    return max(0, passed.count("Restarting") - passed.count("Interrupted"))
