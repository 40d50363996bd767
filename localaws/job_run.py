"""One training job from Downloading to its end: fetch, run the script, upload, and record.

A managed spot job goes through that several times when its instance is reclaimed.
"""

import json
import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from localaws.confinement import confined
from localaws.job_ends import MAX_REASON_CHARS, End, Meter, Outcome
from localaws.job_output import JobOutput, PutPoints
from localaws.job_process import JobProcess, kill_left_over, started_ticks
from localaws.job_records import JobRecords, Record, enter
from localaws.job_storage import (
    CheckpointSync,
    Location,
    StorageError,
    download_channel,
    download_code,
    left_text,
    upload_folder,
)
from localaws.job_watch import Limits, Signals, watch
from localaws.logs import WriteLog
from localaws.script_mode import Script, Tree, environment, write_config
from localaws.spot import Market

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Ports:
    """What a job needs of the other services; the callables are asked when a job starts."""

    s3: Callable[[], Any]
    environment: Callable[[], dict[str, str]]
    write_log: WriteLog
    put_points: PutPoints
    spot: Callable[[], Market] = Market


class JobRun:
    """`signals` are set by others while one of the four ways in runs; none of these raises."""

    def __init__(
        self,
        name: str,
        records: JobRecords,
        ports: Ports,
        folder: Path,
        grace_seconds: float,
    ):
        self.name = name
        self.signals = Signals()
        self._records = records
        self._ports = ports
        self._folder = folder
        self._tree = Tree(folder.resolve() / "ml")
        self._scratch = folder / "scratch"
        self._grace_seconds = grace_seconds
        self._meter = Meter(records.now)
        self._market = Market()
        self._output: JobOutput | None = None

    def run(self) -> None:
        """From Downloading to a final state."""
        self._guarded(self._live)

    def run_again(self) -> None:
        """After the server died: a new start that counts what was used before."""
        self._meter.before_seconds = self._records.used_seconds(self.name)
        self._enter("Restarting", "Restarting the training job after its runner died")
        self.run()

    def conclude(self, end: End) -> None:
        """Ends a job whose process is gone; what it left as model is uploaded."""
        self._meter.before_seconds = self._records.used_seconds(self.name)

        def step() -> None:
            self._market = self._ports.spot()
            self._conclude(end, 0)

        self._guarded(step)

    def fail(self, reason: str) -> None:
        self._meter.before_seconds = self._records.used_seconds(self.name)
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
        closing = self.signals.closing
        try:
            step()
        except (StorageError, ValueError) as error:
            self._fail_unless_closing(str(error))
        except Exception as error:  # the thread's edge: a job must never stay InProgress unseen
            if not closing.is_set():
                _LOG.exception("training job %s", self.name)
            self._fail_unless_closing(f"InternalServerError: {type(error).__name__}: {error}")
        finally:
            if not closing.is_set():
                shutil.rmtree(self._folder, ignore_errors=True)

    def _fail_unless_closing(self, reason: str) -> None:
        if not self.signals.closing.is_set():
            self._finish(End.FAILED, reason=reason)

    def _live(self) -> None:
        self._market = self._ports.spot()
        end, code = self._start()
        while end is End.INTERRUPTED:
            end = self._wait_for_capacity()
            if end is None:
                self._enter("Restarting", "Restarting the training job on another spot instance")
                end, code = self._start()
        if end is not End.CLOSING:
            self._conclude(end, code)

    def _start(self) -> tuple[End, int]:
        """One instance's part: until its script is gone, and why it is."""
        record = self._records.change(self.name, self._begin)
        if record["TrainingJobStatus"] == "Stopping":
            self.signals.stop.set()
        script = Script.of(record)
        self._tree.make()
        self._scratch.mkdir(exist_ok=True)
        write_config(self._tree, record)
        sync = self._fetch(self._ports.s3(), record, script)
        if self.signals.closing.is_set():
            return End.CLOSING, 0
        if self.signals.stop.is_set():
            return End.STOPPED, 0
        return self._train(record, script, sync)

    def _begin(self, record: Record, now: datetime) -> None:
        self._meter.begin(now)
        record.setdefault("TrainingStartTime", now)
        if record["TrainingJobStatus"] == "InProgress":
            enter(record, now, "Downloading", "Downloading input data")

    def _enter(self, secondary: str, message: str) -> None:
        def apply(record: Record, now: datetime) -> None:
            if record["TrainingJobStatus"] == "InProgress":
                enter(record, now, secondary, message)

        self._records.change(self.name, apply)

    def _fetch(self, s3: Any, record: Record, script: Script) -> CheckpointSync | None:
        stop = self.signals.stop
        for channel in record.get("InputDataConfig") or []:
            uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
            download_channel(s3, uri, self._tree.data / channel["ChannelName"], stop)
        download_code(s3, script.archive_uri, self._tree.code, self._scratch)
        if not (self._tree.code / script.program).is_file():
            raise StorageError(f"AlgorithmError: {script.program} is not in the source archive")
        folder = self._tree.checkpoints(record)
        folder.mkdir(parents=True, exist_ok=True)
        config = record.get("CheckpointConfig")
        if not config:
            return None
        sync = CheckpointSync(s3, Location.of(config["S3Uri"]), folder)
        sync.restore(stop)
        return sync

    def _train(
        self, record: Record, script: Script, sync: CheckpointSync | None
    ) -> tuple[End, int]:
        limits = Limits.of(record, self._market)
        self._output = output = JobOutput(record, self._ports.write_log, self._ports.put_points)
        try:
            process = self._spawn(record, script)
            try:
                self._enter("Training", "Training in progress")
                end = watch(
                    process,
                    output,
                    lambda: self.signals.reason_to_end(limits, self._meter),
                    self._grace_seconds,
                    lambda: self._look_after(process, output, sync),
                )
            finally:
                code = process.finish()
        finally:
            output.close()
        if sync is not None:
            sync.push()
        return (End.FAILED if end is End.EXITED and code else end), code

    def _spawn(self, record: Record, script: Script) -> JobProcess:
        command = confined(
            script.command(self._tree),
            write=[self._tree.base],
            network=not record["EnableNetworkIsolation"],
            dies_with_starter=True,
        )
        environ = environment(self._tree, record, script, self._ports.environment())
        limit = record["StoppingCondition"]["MaxRuntimeInSeconds"]
        process = JobProcess(command, self._tree.code, environ, limit)
        note = {"pid": process.pid, "started_ticks": started_ticks(process.pid)}
        (self._folder / "process.json").write_text(json.dumps(note))
        return process

    def _look_after(
        self, process: JobProcess, output: JobOutput, sync: CheckpointSync | None
    ) -> None:
        self._records.set_used_seconds(self.name, self._meter.seconds())
        use = process.use()
        if use is not None:
            output.add_use(use)
        if sync is not None:
            sync.push()

    def _wait_for_capacity(self) -> End | None:
        """The instance is gone with all that was not synchronised; None when there is another."""
        self._records.set_used_seconds(self.name, self._meter.pause())
        self._enter(*End.INTERRUPTED.value[1:])
        shutil.rmtree(self._tree.base, ignore_errors=True)
        record = self._records.get(self.name)
        assert record is not None
        limits = Limits.of(record, self._market)
        there_is_one = time.monotonic() + self._market.wait_seconds
        while (end := self.signals.reason_to_end(limits, self._meter)) is None:
            if time.monotonic() >= there_is_one:
                return None
            self.signals.stop.wait(_LOOK_SECONDS)
        return end

    def _conclude(self, end: End, code: int) -> None:
        if end in (End.EXITED, End.OUT_OF_TIME):
            self._enter("Uploading", "Uploading generated training model")
        if self.signals.stop.is_set():  # also when the script ended by itself just then
            end = End.STOPPED
        record = self._records.get(self.name)
        assert record is not None
        output = Location.of(record["OutputDataConfig"]["S3OutputPath"]).below(
            f"{self.name}/output"
        )
        s3 = self._ports.s3()
        self._scratch.mkdir(parents=True, exist_ok=True)
        upload_folder(s3, self._tree.output_data, output.below("output.tar.gz"), self._scratch)
        if end is End.FAILED:
            return self._finish(end, reason=self._failure(code))
        model = output.below("model.tar.gz")
        uploaded = upload_folder(s3, self._tree.model, model, self._scratch)
        return self._finish(end, model_uri=model.uri if uploaded else None)

    def _failure(self, code: int) -> str:
        """The failure file's beginning, and the exit code as a container reports it."""
        exit_code = code if code >= 0 else 128 - code
        text = left_text(self._tree.failure, MAX_REASON_CHARS)
        text = text or "the script ended without a failure file; its last log lines say why"
        suffix = f", exit code: {exit_code}"
        return f"AlgorithmError: {text}"[: MAX_REASON_CHARS - len(suffix)] + suffix

    def _finish(self, end: End, reason: str | None = None, model_uri: str | None = None) -> None:
        metrics = self._output.final_metrics() if self._output else []
        outcome = Outcome(end, self._meter, self._market.savings, reason, model_uri, metrics)
        self._records.change(self.name, outcome.apply)
