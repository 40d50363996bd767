"""Conversations of a text file, and a world that they run in: the tools themselves, without Lambda processes."""

import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver

from agent.turns import Turns
from mlops.aws.clients import Aws
from mlops.aws.datasets import Datasets
from mlops.aws.events import EventLog
from mlops.aws.jobs import Jobs
from mlops.constraints import Parsed
from mlops.datasets import Metadata
from mlops.dialogue.choices import LETTERS
from mlops.errors import from_wire
from mlops.events import Event
from mlops.job import EndReason, Job, JobState
from mlops.tool_spec import ToolSpec
from mlops.tools import TOOLS
from tests.agent.converse_server import connect
from tests.factories import a_job
from tests.mlops.aws.embedded import Embedded, FakeSageMaker
from tests.patience import PATIENCE_SECONDS

DOUBTED = "No result contains"
ENDINGS = ("answer", "approval", "report", "error")
_TASKS = {
    "ner": "token-classification",
    "tc": "text-classification",
    "qa": "question-answering",
}


@dataclass
class Turn:
    """What is said, and what must come of it; `line` is where it stands."""

    line: int
    text: str
    intent: str = ""
    clauses: set[str] = field(default_factory=set)
    job: str = ""
    end: str = "any"
    has: str = ""
    lacks: str = ""
    calls: str = ""


@dataclass
class Talk:
    title: str
    jobs: list[str]
    turns: list[Turn] = field(default_factory=list)


def talks(path: Path) -> list[Talk]:
    found: list[Talk] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        mark, rest = line[:2], line[2:].strip()
        if mark == "==":
            title, _, jobs = rest.partition(" (jobs: ")
            found.append(Talk(title, jobs.rstrip(")").split()))
        elif mark == "> ":
            found[-1].turns.append(Turn(number, rest))
        elif mark == "< ":
            found[-1].turns[-1].text += f"\n{rest}"
        elif mark == "= ":
            _expect(found[-1].turns[-1], rest)
    return found


def _expect(turn: Turn, line: str) -> None:
    meaning, _, end = line.partition(" | ")
    intent, *clauses = meaning.split()
    turn.intent = intent
    turn.job = next((c.removeprefix("job=") for c in clauses if c.startswith("job=")), "")
    turn.clauses = {c for c in clauses if not c.startswith("job=")}
    match = re.fullmatch(r"(\S+)(?: !~ (.+?))?(?: ~ (.+?))?(?: calls (\S+)| (nocalls))?", end)
    assert match, f"line {turn.line}: {line}"
    turn.end, turn.lacks, turn.has = match[1], match[2] or "", match[3] or ""
    turn.calls = match[4] or match[5] or ""


def described(parsed: Parsed) -> set[str]:
    """Every clause in the short form of the file."""
    c = parsed.constraints
    words = [short for short, task in _TASKS.items() if task == c.task]
    words += [f"usd{c.budget_comparator}{c.budget_usd}"] if c.budget_usd else []
    words += [f"min{c.time_comparator}{c.max_minutes:g}"] if c.max_minutes else []
    words += [f"{c.metric or 'target'}{c.target_comparator}{c.target}"] if c.target else []
    words += [f"metric={c.metric}"] if c.metric and not c.target else []
    named = {
        "ds": c.dataset,
        "model": c.model,
        "type": c.instance_type,
        "region": c.region,
        "epochs": c.epochs,
    }
    words += [f"{key}={value}" for key, value in named.items() if value]
    words += [] if c.spot is None else [f"spot={'yes' if c.spot else 'no'}"]
    words += [] if c.early_stop is None else [f"early={'yes' if c.early_stop else 'no'}"]
    words += [f"queue={c.queue}"] if c.queue is not None else []
    words += [f"start={c.start_at}"] if c.start_at else []
    is_word = parsed.approve is not None and parsed.intent == "other"
    words += [] if not is_word else ["yes" if parsed.approve else "no"]
    return set(words)


def faults(turn: Turn, events: Sequence[Event]) -> list[str]:
    """What is not as it must be, in words."""
    parsed = next(
        Parsed.model_validate(e.data["parsed"])
        for e in events
        if e.kind == "step" and "parsed" in e.data
    )
    last = next(e for e in reversed(events) if e.kind in ENDINGS)
    found = [] if turn.intent == "*" else _misread(turn, parsed)
    code = f"error:{last.data.get('code')}" if last.kind == "error" else str(last.kind)
    if turn.end not in ("any", code, str(last.kind)):
        found.append(f"ended with {code}, not {turn.end}")
    found += [f"{DOUBTED}: {e.data['text']}" for e in events if _is_doubt(e)]
    words = said(last)
    if turn.has and turn.has.lower() not in words.lower():
        found.append(f"{turn.has!r} is not in {words[:300]!r}")
    if turn.lacks and turn.lacks.lower() in words.lower():
        found.append(f"{turn.lacks!r} is in {words[:300]!r}")
    called = {str(e.data["tool"]) for e in events if e.kind == "tool_call"}
    if turn.calls == "nocalls" and called:
        found.append(f"called {called}")
    if turn.calls not in ("", "nocalls") and turn.calls not in called:
        found.append(f"called {called or 'nothing'}, not {turn.calls}")
    return found


def _is_doubt(event: Event) -> bool:
    """Numbers of an answer were held to be made up."""
    text = str(event.data.get("text", ""))
    return "unconfirmed" in event.data or (event.kind == "thinking" and DOUBTED in text)


def _misread(turn: Turn, parsed: Parsed) -> list[str]:
    found = [] if parsed.intent == turn.intent else [f"intent {parsed.intent}, not {turn.intent}"]
    got = described(parsed)
    open_ends = {c[:-1] for c in turn.clauses if c.endswith("*")}
    wanted = {c for c in turn.clauses if not c.endswith("*")}
    for start in open_ends:
        match = next((c for c in got if c.startswith(start)), None)
        if match is None:
            found.append(f"no {start}")
        else:
            got.discard(match)
    if got != wanted:
        found.append(f"missing {sorted(wanted - got)}, unwanted {sorted(got - wanted)}")
    if turn.job and turn.job not in (parsed.job_name or ""):
        found.append(f"job {parsed.job_name}, not {turn.job}")
    return found


def said(event: Event) -> str:
    """Everything that the last event tells a person."""
    data = event.data
    ways = "\n".join(
        f"{x}. {w['message']}" for x, w in zip(LETTERS, data.get("alternatives", ()), strict=False)
    )
    return "\n".join(str(part) for part in (data.get("text"), data.get("message"), ways) if part)


class DirectGateway:
    """The handlers themselves, with JSON in and out as on the wire."""

    def __init__(self, aws: Aws):
        self._aws = aws

    def list_tools(self) -> list[ToolSpec]:
        return list(TOOLS.values())

    def search_tools(self, query: str, top_k: int = 5) -> list[ToolSpec]:
        return self.list_tools()[:top_k]

    def invoke_tool(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        handler = import_module(f"lambdas.{name}").lambda_handler
        answer = handler(arguments, None)
        if "error" in answer and "class" in answer["error"]:
            raise from_wire(answer)
        return answer


class Office:
    """One back end for all conversations; each is one person's."""

    def __init__(self, embedded: Embedded, sagemaker: FakeSageMaker, aws: Aws):
        self.embedded, self.sagemaker, self.aws = embedded, sagemaker, aws
        self._by_url: dict[str, Aws] = {}
        for name, size in (("cier", 60), ("cier-small", 30), ("ncbi-disease", 40)):
            files = {"train.tsv": _tsv(size)}
            Datasets(aws).upload(name, files, Metadata(title=name, synthetic=True))

    def run(self, talk: Talk, url: str) -> Iterator[tuple[Turn, list[Event]]]:
        """Each turn with the events that it added, with the model at `url`; nobody approves."""
        person = uuid.uuid4().hex[:8]
        settings = self.aws.settings.model_copy(update={"person": person})
        aws = Aws(settings, self.aws.session)
        aws._clients = self._connected(url)._clients
        for number, name in enumerate(talk.jobs):
            self._add_job(name, person, number)
        log = EventLog(aws, _now)
        turns = Turns(aws, DirectGateway(aws), _now, "tests", saver=InMemorySaver())
        try:
            seen = 0
            for turn in talk.turns:
                assert turns.wait(turns.submit(f"s-{person}", turn.text), PATIENCE_SECONDS)
                events = log.tail(f"s-{person}")
                yield turn, events[seen:]
                seen = len(events)
        finally:
            turns.close()
            for job in self.sagemaker.active():
                self.sagemaker.end(job["TrainingJobName"])

    def _connected(self, url: str) -> Aws:
        """Clients are slow to make: everybody shares them."""
        if url not in self._by_url:
            self._by_url[url] = connect(self.aws, url)
        return self._by_url[url]

    def _add_job(self, kind: str, person: str, number: int) -> None:
        """ "running-a", "failed", "done"; later ones are newer."""
        name = f"llmops-{kind}-{person}-s1-a1"
        created = _now() + timedelta(seconds=number)
        job: Job = a_job(job_name=name, person=person, created_at=created, dataset="cier")
        if kind == "failed":
            job = job.model_copy(
                update={
                    "state": JobState.FAILED,
                    "end_reason": EndReason.ERROR,
                    "failure_reason": "AlgorithmError: boom",
                    "billed_seconds": 30,
                    "cost_usd": "0.01",
                }
            )
        elif kind == "done":
            job = job.model_copy(
                update={
                    "state": JobState.COMPLETED,
                    "end_reason": EndReason.FINISHED,
                    "billed_seconds": 60,
                    "cost_usd": "0.02",
                }
            )
        else:
            config = {"InstanceType": job.instance_type, "InstanceCount": 1}
            self.sagemaker.create_training_job(TrainingJobName=name, ResourceConfig=config)
            self.sagemaker.train(name)
        Jobs(self.aws).add(job)


def _now() -> datetime:
    return datetime.now(UTC)


def _tsv(sentences: int) -> bytes:
    rows = (f"Ada\tB-PER\nmet{n}\tO\nBabbage\tB-PER\n\n" for n in range(sentences))
    return "".join(rows).encode()
