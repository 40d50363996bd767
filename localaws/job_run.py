"""One start of one training job: download, run the script, upload, and record how it ended.

Seconds are real: nothing is added for machines that do not exist.
"""

import json
import logging
import math
import shutil
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from localaws.job_output import BATCH_SECONDS, JobOutput, LogSink, PutPoints
from localaws.job_process import JobProcess, kill_left_over, started_ticks
from localaws.job_records import JobRecords, Record, enter
from localaws.job_storage import (
    CheckpointSync,
    Location,
    StorageError,
    download_channel,
    download_code,
    upload_folder,
)
from localaws.script_mode import Script, Tree, environment, write_config

_LOG = logging.getLogger(__name__)
_HOUSEKEEPING_SECONDS = 2.0
_CLOSING_GRACE_SECONDS = 2.0
_MAX_REASON_CHARS = 1024


class End(Enum):
    """Why a script is no longer running, with the job's final status and secondary status."""

    EXITED = ("Completed", "Completed", "Training job completed")
    FAILED = ("Failed", "Failed", "Training job failed")
    STOPPED = ("Stopped", "Stopped", "Training job stopped")
    OUT_OF_TIME = ("Stopped", "MaxRuntimeExceeded", "Training job runtime exceeded its limit")
    CLOSING = ("", "", "")


@dataclass(frozen=True)
class Ports:
    """What a job needs of the other services; the callables are asked when a job starts."""

    s3: Callable[[], Any]
    environment: Callable[[], dict[str, str]]
    logs: LogSink
    put_points: PutPoints


class JobRun:
    """`stop` asks the script to end; `closing` ends it but leaves the job for the next start."""

    def __init__(
        self,
        name: str,
        records: JobRecords,
        ports: Ports,
        folder: Path,
        grace_seconds: float,
    ):
        self.name = name
        self.stop = threading.Event()
        self.closing = threading.Event()
        self._records = records
        self._ports = ports
        self._folder = folder
        self._tree = Tree(folder / "ml")
        self._grace_seconds = grace_seconds
        self._used_before = 0.0
        self._began: datetime = records.now()
        self._looked = time.monotonic()
        self._output: JobOutput | None = None

    def run(self) -> None:
        """From Downloading to a final state; never raises."""
        self._guarded(self._live)

    def run_again(self) -> None:
        """After the server died: a new start that counts what was used before."""
        self._used_before = self._records.used_seconds(self.name)
        self._enter("Restarting", "Restarting the training job after its runner died")
        self.run()

    def conclude(self, end: End) -> None:
        """Ends a job whose process is gone; what it left as model is uploaded."""
        self._used_before = self._records.used_seconds(self.name)
        self._guarded(lambda: self._conclude(end, 0))

    def fail(self, reason: str) -> None:
        self._used_before = self._records.used_seconds(self.name)
        self._guarded(lambda: self._finish(End.FAILED, reason=reason))

    def kill_left_over(self) -> None:
        """The script of a dead server may still run."""
        note = self._folder / "process.json"
        if note.exists():
            try:
                left = json.loads(note.read_text())
            except ValueError:  # the server died while it wrote
                return
            kill_left_over(left["pid"], left["started_ticks"])

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except (StorageError, ValueError) as error:
            self._unless_closing(str(error))
        except Exception as error:  # the thread's edge: a job must never stay InProgress unseen
            if not self.closing.is_set():
                _LOG.exception("training job %s", self.name)
            self._unless_closing(f"InternalServerError: {type(error).__name__}: {error}")
        finally:
            if not self.closing.is_set():
                shutil.rmtree(self._folder, ignore_errors=True)

    def _unless_closing(self, reason: str) -> None:
        if not self.closing.is_set():
            self._finish(End.FAILED, reason=reason)

    def _live(self) -> None:
        record = self._records.change(self.name, self._begin)
        if record["TrainingJobStatus"] == "Stopping":
            self.stop.set()
        script = Script.of(record)
        self._tree.make()
        write_config(self._tree, record)
        s3 = self._ports.s3()
        sync = self._fetch(s3, record, script)
        if self.stop.is_set():
            return self._conclude(End.STOPPED, 0)
        if self.closing.is_set():
            return None
        end, code = self._train(record, script, sync)
        if end is not End.CLOSING:
            self._conclude(end, code)
        return None

    def _begin(self, record: Record, now: datetime) -> None:
        self._began = now
        record.setdefault("TrainingStartTime", now)
        if record["TrainingJobStatus"] == "InProgress":
            enter(record, now, "Downloading", "Downloading input data")

    def _enter(self, secondary: str, message: str) -> None:
        def apply(record: Record, now: datetime) -> None:
            if record["TrainingJobStatus"] == "InProgress":
                enter(record, now, secondary, message)

        self._records.change(self.name, apply)

    def _fetch(self, s3: Any, record: Record, script: Script) -> CheckpointSync | None:
        for channel in record.get("InputDataConfig") or []:
            uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
            download_channel(s3, uri, self._tree.data / channel["ChannelName"], self.stop)
        download_code(s3, script.archive_uri, self._tree.code, self._tree.temporary)
        if not (self._tree.code / script.program).is_file():
            raise StorageError(f"AlgorithmError: {script.program} is not in the source archive")
        folder = self._tree.checkpoints(record)
        folder.mkdir(parents=True, exist_ok=True)
        config = record.get("CheckpointConfig")
        if not config:
            return None
        sync = CheckpointSync(s3, Location.of(config["S3Uri"]), folder)
        sync.restore(self.stop)
        return sync

    def _train(
        self, record: Record, script: Script, sync: CheckpointSync | None
    ) -> tuple[End, int]:
        limit = record["StoppingCondition"]["MaxRuntimeInSeconds"]
        environ = environment(self._tree, record, script, self._ports.environment())
        command = script.command(self._tree)
        process = JobProcess(command, self._tree.code, environ, limit)
        self._note(process)
        self._enter("Training", "Training in progress")
        self._output = JobOutput(record, self._ports.logs, self._ports.put_points)
        try:
            end = self._follow(process, self._output, sync, limit)
        finally:
            code = process.finish()
            self._output.close()
        if sync is not None:
            sync.push()
        return (End.FAILED if end is End.EXITED and code else end), code

    def _note(self, process: JobProcess) -> None:
        note = {"pid": process.pid, "started_ticks": started_ticks(process.pid)}
        (self._folder / "process.json").write_text(json.dumps(note))

    def _follow(
        self, process: JobProcess, output: JobOutput, sync: CheckpointSync | None, limit: float
    ) -> End:
        """Until the script is gone: its output, our housekeeping, and the reasons to end it."""
        end, kill_at = End.EXITED, math.inf
        while not process.ended:
            output.write(process.read(BATCH_SECONDS))
            self._keep_house(process, output, sync)
            if end is End.EXITED and (reason := self._reason_to_end(limit)) is not None:
                end = reason
                process.signal(signal.SIGTERM)
                closing = end is End.CLOSING
                grace = _CLOSING_GRACE_SECONDS if closing else self._grace_seconds
                kill_at = time.monotonic() + grace
            elif time.monotonic() > kill_at:
                process.signal(signal.SIGKILL)
        return end

    def _reason_to_end(self, limit: float) -> End | None:
        if self.closing.is_set():
            return End.CLOSING
        if self.stop.is_set():
            return End.STOPPED
        return End.OUT_OF_TIME if self._used_seconds() >= limit else None

    def _keep_house(
        self, process: JobProcess, output: JobOutput, sync: CheckpointSync | None
    ) -> None:
        if time.monotonic() - self._looked < _HOUSEKEEPING_SECONDS:
            return
        self._looked = time.monotonic()
        self._records.set_used_seconds(self.name, self._used_seconds())
        use = process.use()
        if use is not None:
            output.add_use(use)
        if sync is not None:
            sync.push()

    def _used_seconds(self) -> float:
        return self._used_before + (self._records.now() - self._began).total_seconds()

    def _conclude(self, end: End, code: int) -> None:
        if end in (End.EXITED, End.OUT_OF_TIME):
            self._enter("Uploading", "Uploading generated training model")
        if self.stop.is_set():  # also when the script ended by itself just then
            end = End.STOPPED
        record = self._records.get(self.name)
        assert record is not None
        output = Location.of(record["OutputDataConfig"]["S3OutputPath"]).below(
            f"{self.name}/output"
        )
        s3 = self._ports.s3()
        self._upload(s3, self._tree.output_data, output.below("output.tar.gz"))
        if end is End.FAILED:
            return self._finish(end, reason=self._failure(code))
        model = output.below("model.tar.gz")
        uploaded = self._upload(s3, self._tree.model, model)
        return self._finish(end, model_uri=model.uri if uploaded else None)

    def _upload(self, s3: Any, folder: Path, to: Location) -> bool:
        return folder.is_dir() and upload_folder(s3, folder, to, self._tree.temporary)

    def _failure(self, code: int) -> str:
        """The failure file's beginning, and the exit code as a container reports it."""
        exit_code = code if code >= 0 else 128 - code
        try:
            with self._tree.failure.open(errors="replace") as file:
                text = file.read(_MAX_REASON_CHARS).strip()
        except FileNotFoundError:
            text = "the script ended without a failure file; its last log lines say why"
        suffix = f", exit code: {exit_code}"
        return f"AlgorithmError: {text}"[: _MAX_REASON_CHARS - len(suffix)] + suffix

    def _finish(self, end: End, reason: str | None = None, model_uri: str | None = None) -> None:
        status, secondary, message = end.value

        def apply(record: Record, now: datetime) -> None:
            record["TrainingJobStatus"] = status
            record.setdefault("TrainingStartTime", now)
            record["TrainingEndTime"] = now
            seconds = max(1, math.ceil(self._used_before + (now - self._began).total_seconds()))
            record["BillableTimeInSeconds"] = record["TrainingTimeInSeconds"] = seconds
            record["FinalMetricDataList"] = self._output.final_metrics() if self._output else []
            if model_uri is not None:
                record["ModelArtifacts"] = {"S3ModelArtifacts": model_uri}
            if reason is not None:
                record["FailureReason"] = reason[:_MAX_REASON_CHARS]
            enter(record, now, secondary, reason or message)

        self._records.change(self.name, apply)
