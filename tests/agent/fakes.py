"""Stand-ins beside the real ports: a scripted model, a gateway without functions, a plan made by hand."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from agent.replies import OnText, Reply, Usage
from mlops.approvals import require
from mlops.aws.clients import Aws
from mlops.aws.plans import Plans
from mlops.aws.reports import end_of_run
from mlops.constraints import Constraints
from mlops.errors import OpsError, RequestError
from mlops.estimate import Estimate, Work
from mlops.grid import TrainingData
from mlops.plan import Plan, Stage
from mlops.tool_spec import ToolSpec
from mlops.tools import TOOLS

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TRAIN = "Train NER on the cier dataset, at most $10, 1 hour, F1 above 85%"


def says(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"text": text}]}


def calls(*pairs: tuple[str, Any], text: str = "", id: str = "c") -> dict[str, Any]:
    uses = [
        {"toolUse": {"toolUseId": f"{id}{n}", "name": name, "input": arguments}}
        for n, (name, arguments) in enumerate(pairs)
    ]
    return {"role": "assistant", "content": [*([{"text": text}] if text else []), *uses]}


PLAN = calls(("plan_training", {"dataset": "cier"}), id="p")


def launch(plan: str, **more: Any) -> dict[str, Any]:
    return calls(("launch_sagemaker_training", {"plan_id": plan, **more}), id="l")


def launch_latest(**more: Any) -> Any:
    """Launches what the latest plan_training gave."""

    def script(messages: Any) -> dict[str, Any]:
        for block in reversed(messages[-1]["content"]):
            return launch(block["toolResult"]["content"][0]["json"]["plan"]["plan_id"], **more)
        raise AssertionError("no plan")

    return script


class ScriptedModel:
    """Answers from a list; an entry may be a message, an exception, or a function of the messages."""

    def __init__(self, *script: Any, tokens: tuple[int, int] = (10, 5)):
        self.script = list(script)
        self.asked: list[list[Mapping[str, Any]]] = []
        self.tokens = tokens

    def reply(
        self,
        messages: Sequence[Mapping[str, Any]],
        system: str,
        tools: Sequence[ToolSpec],
        on_text: OnText,
    ) -> Reply:
        self.asked.append(list(messages))
        step = self.script.pop(0) if self.script else says("Done.")
        if isinstance(step, BaseException):
            raise step
        message: Any = step(messages) if callable(step) else step
        for block in message["content"]:
            if "text" in block:
                on_text(block["text"])
        return Reply(
            message=message,
            stop_reason="end_turn",
            usage=Usage(input_tokens=self.tokens[0], output_tokens=self.tokens[1]),
        )


class FakeGateway:
    """Plans and launches as the tools do, without functions or jobs; `answers` override a tool."""

    def __init__(self, aws: Aws):
        self.aws = aws
        self.plans = Plans(aws)
        self.invoked: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Any] = {}

    def list_tools(self) -> list[ToolSpec]:
        return list(TOOLS.values())

    def search_tools(self, query: str, top_k: int = 5) -> list[ToolSpec]:
        return self.list_tools()[:top_k]

    def names(self) -> list[str]:
        return [name for name, _ in self.invoked]

    def invoke_tool(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        self.invoked.append((name, arguments))
        TOOLS[name].read(arguments)
        if name in self.answers:
            answer = self.answers[name]
            if isinstance(answer, OpsError):
                raise answer
            return answer
        return getattr(self, f"_{name}", self._unknown)(arguments)

    def _unknown(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {}

    def _list_s3_datasets(self, arguments: dict[str, Any]) -> dict[str, Any]:
        row = {"title": "A corpus", "synthetic": True, "status": "VALID", "splits": {}}
        return {"datasets": [{"name": "cier", **row}]}

    def _check_sagemaker_quotas(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {"offers": [], "cheapest_gpu": None, "sandbox": True}

    def _prepare_dataset(self, arguments: dict[str, Any]) -> dict[str, Any]:
        if arguments["dataset"] != "cier":
            raise RequestError("unknown_dataset", f"There is no {arguments['dataset']}.")
        return {"dataset": {"name": "cier"}, "already_prepared": False}

    def _plan_training(self, arguments: dict[str, Any]) -> dict[str, Any]:
        plan = make_plan(
            arguments["session_id"],
            arguments["turn"],
            Constraints.model_validate(arguments["constraints"]),
            f"plan-{uuid.uuid4().hex[:16]}",
            arguments["person"],
        )
        self.plans.save(plan)
        return {"plan": plan.model_dump(mode="json")}

    def _get_training_report(self, arguments: dict[str, Any]) -> dict[str, Any]:
        who = arguments["person"], arguments["session_id"]
        end = end_of_run(self.aws, arguments.get("plan_id"), *who, lambda: NOW)
        return end.model_dump(mode="json")

    def _launch_sagemaker_training(self, arguments: dict[str, Any]) -> dict[str, Any]:
        plan = self.plans.get(arguments["plan_id"])
        require(self.plans.approval(plan.plan_id), plan.plan_id, plan.ceiling_micro)
        job = {"job_name": "llmops-job-1", "instance_type": "ml.m5.large", "ceiling_usd": "0.50"}
        return {"job": {**job, "state": "starting"}, "already_launched": False}


def make_plan(
    session_id: str,
    turn: str = "turn-1",
    constraints: Constraints | None = None,
    plan_id: str = "plan-0000000000000001",
    person: str = "local",
) -> Plan:
    """One CRF stage with a ceiling of half a dollar."""
    constraints = constraints or Constraints(dataset="cier", budget_usd="10.00")
    work = Work(train_tokens=1, total_tokens=1, epochs=1)
    guess = Estimate(p50_seconds=9, p90_seconds=9, p50_usd="0.1", p90_usd="0.1", basis="tests")
    stage = Stage(
        number=1,
        model="crf",
        engine="crf",
        instance_type="ml.m5.large",
        spot=False,
        hyperparameters={},
        work=work,
        estimate=guess,
        usd_per_hour="0.115",
        price_source="tests",
        price_as_of="2026-11-22",
        max_runtime_seconds=600,
        bound_by=None,
        ceiling_usd="0.50",
        reason="cheap",
    )
    data = TrainingData(
        name="cier",
        synthetic=True,
        fingerprint="f",
        prepared_uri="s3://b/p",
        train_tokens=1,
        total_tokens=1,
    )
    return Plan(
        plan_id=plan_id,
        session_id=session_id,
        turn=turn,
        person=person,
        created_at=NOW,
        constraints=constraints,
        dataset=data,
        stages=(stage,),
        next_steps=(),
        reasons=(),
        ceiling_usd="0.50",
        tokens_usd="0.20",
        budget_usd=constraints.budget_usd,
        sandbox=True,
    )
