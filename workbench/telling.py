"""One session followed and told: its events go out as lines or JSON, and the end is an exit code."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mlops.errors import FaultError, OpsError
from mlops.events import Event, EventKind
from mlops.job import Job
from workbench import lines
from workbench.tables import complain, json_line, line, note, usd

if TYPE_CHECKING:  # a command that needs no AWS does not load it
    from workbench.workbench import Workbench

DONE, NEEDS_BUDGET, INTERRUPTED = 0, 2, 130
_ENDINGS = (EventKind.ANSWER, EventKind.APPROVAL, EventKind.REPORT, EventKind.ERROR)
_UNTOLD = (EventKind.DONE, EventKind.TOKEN)
_WORDS = (EventKind.THINKING, EventKind.ANSWER)
_OFFLINE = "local."
_LOOK_SECONDS = 2.0
_TELL_SECONDS = 15.0
_RETRY_SECONDS = 1.0
_GIVE_UP_SECONDS = 30.0


class Telling:
    """Knows what was told already, and the job that runs, so that its cost can be told in between."""

    def __init__(
        self,
        bench: "Workbench",
        session_id: str,
        as_json: bool,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ):
        self._bench = bench
        self._clock = clock
        self._pause = pause
        self._session_id = session_id
        self._as_json = as_json
        self._after = 0
        self._job: Job | None = None
        self._looked = self._told = 0.0
        self._said = ""
        self._has_words = self._was_lost = False
        self._down_since: float | None = None

    def ask(self, text: str, approve: bool) -> int:
        """To the end of the turn; with `approve`, and a budget in the text, to the report."""
        return self._run(lambda: self._asked(text, approve))

    def approve(self, plan_id: str) -> int:
        """From a person's yes to the report."""
        return self._run(lambda: self._approved(plan_id))

    def _run(self, act: Callable[[], int]) -> int:
        try:
            self._bench.model_note()  # is found out meanwhile
            self._bench.resume()  # without a dashboard nobody else takes up an orphaned turn
            self._after = self._bench.last_event(self._session_id)
            code = act()
            self._name_the_planner()
            return code
        except OpsError as error:
            if self._as_json:
                json_line(self._as_event(error))
            complain(*lines.of_failure(error))
            if self._was_lost:
                self._say_what_goes_on()
            return error.exit_code
        except KeyboardInterrupt:
            self._say_what_goes_on()
            return INTERRUPTED
        finally:
            self._bench.close()

    def _asked(self, text: str, approve: bool) -> int:
        last = self._follow(self._bench.ask(text, self._session_id))
        if not approve or last.kind is not EventKind.APPROVAL:
            return _exit_code(last)
        plan_id = str(last.data["plan_id"])
        if last.data["budget_usd"] is None:
            most = usd(last.data["ceiling_usd"])
            note(f"No budget was stated. To allow up to {most}, type: llmops approve {plan_id}")
            return NEEDS_BUDGET
        return self._approved(plan_id)

    def _approved(self, plan_id: str) -> int:
        return _exit_code(self._follow(self._bench.approve(plan_id), plan_id))

    def _follow(self, turn: str, plan_id: str | None = None) -> Event:
        """Tells what comes; the last event that ends a request."""
        last: Event | None = None
        for event in self._events(turn, plan_id):
            self._tell(event)
            last = event if event.kind in _ENDINGS else last
        if last is None:
            raise FaultError("turn_lost", "The turn ended without an answer; ask again.")
        return last

    def _events(self, turn: str, plan_id: str | None) -> Iterator[Event]:
        """Each once, from a back end that may die in between and come back."""
        start = self._after
        while True:
            try:
                for event in self._bench.follow(
                    self._session_id, turn, start, plan_id, self._idle
                ):
                    self._down_since = None
                    if event.seq > self._after:
                        self._after = event.seq
                        yield event
                return
            except FaultError as error:
                self._reconnect(error)

    def _reconnect(self, error: FaultError) -> None:
        """Raises the error when it is another one, or when this has gone on for too long."""
        now = self._clock()
        if error.code != "aws_unreachable":
            raise error
        if not self._was_lost:
            note("Lost the back end, trying again.")
        self._was_lost = True
        self._down_since = now if self._down_since is None else self._down_since
        if now - self._down_since > _GIVE_UP_SECONDS:
            raise error
        self._pause(_RETRY_SECONDS)
        self._bench.reconnect()

    def _tell(self, event: Event) -> None:
        if event.kind is EventKind.JOB:
            self._job = Job.model_validate(event.data["job"])
        self._has_words = self._has_words or event.kind in _WORDS
        if self._as_json:
            if event.kind not in _UNTOLD:
                json_line(event.model_dump(mode="json", exclude={"hash"}))
        elif event.kind is EventKind.ERROR:
            complain(*lines.of_refusal(event.data))
        else:
            for text in lines.of_event(event):
                self._say(text)

    def _say(self, text: str) -> None:
        """Nothing twice in a row."""
        if text != self._said:
            self._said = text
            line(text)

    def _idle(self) -> None:
        """Nothing new, so the back end answers."""
        self._down_since = None
        self._tell_job()

    def _tell_job(self) -> None:
        """While nothing else happens: a changed state at once, the cost now and then."""
        now = self._clock()
        before = self._job
        if before is None or self._as_json or before.state.is_final:
            return
        if now - self._looked < _LOOK_SECONDS:
            return
        self._looked = now
        try:
            self._job = self._bench.job(before.job_name)
        except OpsError:  # the next look, or the log, will tell
            return
        if self._job.state is not before.state or now - self._told >= _TELL_SECONDS:
            self._told = now
            self._say(lines.of_job(self._job, datetime.now(UTC)))

    def _name_the_planner(self) -> None:
        model = self._bench.settings.bedrock_model_id
        if self._has_words and not self._as_json and model.startswith(_OFFLINE):
            line(f"Words by {model}, an offline planner, not a language model.")
        note = self._bench.model_note()
        if note and not self._as_json:
            line(note)

    def _as_event(self, error: OpsError) -> dict[str, object]:
        """What never came to the log, such as "a turn is running", in the shape of its events."""
        event = Event(
            session=self._session_id,
            seq=0,
            turn="",
            kind=EventKind.ERROR,
            at=datetime.now(UTC),
            data=error.as_data(),
        )
        return event.model_dump(mode="json", exclude={"hash"})

    def _say_what_goes_on(self) -> None:
        if self._job is None or self._job.state.is_final:
            note("Stopped watching. What was asked goes on; look with: llmops jobs")
            return
        name = self._job.job_name
        note(f"Stopped watching. {name} goes on; look with: llmops jobs show {name}")
        note(f"To stop the job itself: llmops jobs stop {name}")


def _exit_code(last: Event) -> int:
    return int(last.data.get("exit_code", 1)) if last.kind is EventKind.ERROR else DONE
