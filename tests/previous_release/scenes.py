"""The scenes on the engine whose results become the fixtures: runs of every outcome, and operators' actions."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from cli.main import cli
from local import targets
from local.deploy import deploy
from local.model_server import Reply, echo
from operations.money.budget import look_now
from tests.e2e.conftest import Deployment, eventually
from tests.e2e.support import kill_workers

V2 = "pipeline.requested.v2"
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
CODE = "Why does this fail?\n```python\nfor i in range(3)\n    print(i)\n```\nAnd what is a \N{SNAKE}?"


def behaviour(question: str) -> Reply:
    """Refuse a question that contains REFUSED, and echo any other."""
    return Reply(status=400, body='{"error": "no"}') if "REFUSED" in question else echo(question)


def shell(*words: str, codes: Sequence[int] = (0,)) -> str:
    result = CliRunner().invoke(cli, list(words))
    assert result.exit_code in codes, result.output
    return result.stdout


class Scenes:
    """Each method creates runs, and notes them under the names that the tests use."""

    def __init__(self, pipeline: Deployment) -> None:
        self.pipeline = pipeline
        self.runs: dict[str, str] = {}

    def ask(self, name: str, text: str, **options: Any) -> str:
        """Publish a message on the bus, in version 1."""
        (self.runs[name],) = self.pipeline.publish({"data": {"user_message": text}}, **options)
        return self.runs[name]

    def post(self, name: str, body: Any, headers: dict[str, str] | None = None, **options: Any) -> str:
        answer = self.pipeline.call("POST", "/pipeline", body, headers, **options)
        assert answer.status in (200, 202), answer
        self.runs[name] = str(answer.body["pipeline_id"])
        return self.runs[name]

    def over(self, name: str, status: str) -> None:
        record = self.pipeline.finished(self.runs[name])
        assert record["status"] == status, record

    def parked(self, name: str) -> dict[str, Any]:
        """Return the parked message of a run, as soon as there is one."""

        def probe() -> Any:
            lines = shell("dlq", "export", "--pipeline", self.runs[name]).splitlines()
            return json.loads(lines[-1]) if lines else None

        return dict(eventually(probe))

    # --- runs that succeed -------------------------------------------------------------------------------

    def successes(self) -> None:
        self.post("told", {"user_message": CODE}, {"traceparent": TRACEPARENT})
        turns = [
            {"role": "user", "text": "Who are you?"},
            {"role": "assistant", "text": "A pipeline."},
            {"role": "user", "text": "Since when?"},
        ]
        self.post("conversation", {"messages": turns}, {"Idempotency-Key": "a-key"})
        self.ask("by_bus", "¿Qué es un evento?")
        (self.runs["by_bus_v2"],) = self.pipeline.publish({"data": {"messages": turns}}, detail_type=V2)
        self.runs["by_command"] = shell("submit", "Is an event a fact?").strip()
        for name in list(self.runs):
            self.over(name, "SUCCEEDED")

    def batch(self, folder: Path) -> dict[str, str]:
        """Submit a batch, and return the texts of its messages file and its results file."""
        messages, results = folder / "messages.jsonl", folder / "results.jsonl"
        lines = ['"One?"', '{"user_message": 2}', '{"user_message": "Three, REFUSED?"}']
        messages.write_text("\n".join(lines) + "\n")
        shell("submit", "--file", str(messages), "--out", str(results), "--wait", codes=(1,))
        for number, line in enumerate(results.read_text().splitlines()):
            if pipeline_id := json.loads(line).get("pipeline_id"):
                self.runs[f"batch_{number}"] = pipeline_id
        return {path.name: path.read_text() for path in (messages, results)}

    # --- runs that are degraded --------------------------------------------------------------------------

    @contextmanager
    def killed(self, service: str) -> Iterator[None]:
        """Let the next message of a service kill its workers until it is given up."""
        with self.pipeline.stopped(service) as queue:
            yield
            kill_workers(self.pipeline, service, queue)

    def degraded(self) -> None:
        with self.killed("analyzer"):
            self.post("without_analysis", {"user_message": "Without an analysis?"})
        self.over("without_analysis", "SUCCEEDED")
        with self.killed("enhancer"):
            self.ask("without_enhancement", "Without an enhancement?")
        self.over("without_enhancement", "SUCCEEDED")
        with self.pipeline.denied("logger", "dynamodb:*"):
            self.post("stored_by_workflow", {"user_message": "Without a logger?"})
            self.over("stored_by_workflow", "SUCCEEDED")
            with self.killed("analyzer"):
                self.ask("stored_by_workflow_degraded", "Without a logger and an analysis?")
            self.over("stored_by_workflow_degraded", "SUCCEEDED")

    # --- runs that fail ----------------------------------------------------------------------------------

    def failures(self) -> None:
        self.post("refused_by_model", {"user_message": "REFUSED, once?"})
        with self.pipeline.denied("chatbot", "bedrock:*"):
            for name in ("permanent", "restarted", "archived"):
                self.ask(name, f"Denied, as {name}?")
            for name in ("permanent", "restarted", "archived"):
                self.over(name, "FAILED")
        with self.pipeline.denied("chatbot", "dynamodb:PutItem"):
            self.ask("transient", "Never stored?")
            self.over("transient", "FAILED")
        with self.killed("chatbot"):
            self.ask("worker_lost", "Lost?")
        self.over("worker_lost", "FAILED")
        self.over("refused_by_model", "FAILED")
        with self.pipeline.stopped("chatbot"):
            self.ask("redriven", "Stopped by hand, and started again?")
            self.ask("stopped", "Stopped by hand?")
            machine = self.pipeline.addresses["state-machine/arn"].replace(":stateMachine:", ":execution:")
            eventually(lambda: self.waiting("chatbot") >= 2)
            for name in ("redriven", "stopped"):
                self.pipeline.client("stepfunctions").stop_execution(
                    executionArn=f"{machine}:{self.runs[name]}"
                )
                self.over(name, "FAILED")
            self.post("cancelled_while_running", {"user_message": "Cancelled while running?"})
            eventually(lambda: self.waiting("chatbot") >= 3)
            self.pipeline.call("DELETE", f"/pipeline/{self.runs['cancelled_while_running']}")
            self.over("cancelled_while_running", "FAILED")
        with self.pipeline.stopped("trigger"):
            self.post("cancelled_before", {"user_message": "Cancelled before it began?"})
            self.pipeline.call("DELETE", f"/pipeline/{self.runs['cancelled_before']}")
        self.over("cancelled_before", "FAILED")

    def waiting(self, service: str) -> int:
        answer = self.pipeline.client("sqs").get_queue_attributes(
            QueueUrl=self.pipeline.addresses[f"services/{service}/queue-url"],
            AttributeNames=["ApproximateNumberOfMessages"],
        )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    def parked_starts_and_ends(self) -> None:
        """Park start events that break their contract, conflict, can't be parsed or were not delivered, and the end
        of a failed run that could not be recorded.
        """
        self.ask("contract", 5)  # type: ignore[arg-type]
        self.ask("contract_corrected", 6)  # type: ignore[arg-type]
        other = {"metadata": metadata_for(self.runs["by_bus"]), "data": {"user_message": "Something else?"}}
        self.pipeline.publish(other)
        sqs = self.pipeline.client("sqs")
        sqs.send_message(
            QueueUrl=self.pipeline.addresses["services/trigger/queue-url"], MessageBody="no JSON {"
        )
        event = {
            "version": "0", "id": "0f8fad5b-d9cb-469f-a165-70867728950e", "source": "ai.pipeline",
            "detail-type": "pipeline.requested.v1", "account": "000000000000", "region": "us-east-1",
            "time": "2026-11-23T10:00:00Z", "resources": [], "detail": {"data": {"user_message": "Undelivered?"}},
        }  # fmt: skip
        self.runs["undelivered"] = str(event["id"])
        sqs.send_message(
            QueueUrl=self.pipeline.addresses["services/trigger/rule-dlq-url"],
            MessageBody=json.dumps(event),
            MessageAttributes={
                "RULE_ARN": text_attribute("arn:aws:events:us-east-1:000000000000:rule/trigger"),
                "TARGET_ARN": text_attribute("arn:aws:sqs:us-east-1:000000000000:ai-pipeline-local-trigger"),
                "ERROR_CODE": text_attribute("NO_PERMISSIONS"),
                "ERROR_MESSAGE": text_attribute("Lack of permissions to invoke the target."),
                "RETRY_ATTEMPTS": text_attribute("0"),
            },
        )
        with self.pipeline.denied("logger", "dynamodb:*"), self.pipeline.denied("chatbot", "bedrock:*"):
            self.ask("unrecorded_end", "Who records this?")
            self.parked("unrecorded_end")
            eventually(lambda: "Status Change" in shell("dlq", "export", "--service", "logger"))
        for name in ("contract", "contract_corrected"):
            self.parked(name)

    # --- what operators do -------------------------------------------------------------------------------

    def operators(self, folder: Path) -> None:
        shell("dlq", "replay", "--pipeline", self.runs["restarted"], "--yes", "--wait", "--json")
        shell("dlq", "archive", "--pipeline", self.runs["archived"], "--reason", "Not needed.", "--yes")
        shell("dlq", "replay", "--pipeline", self.runs["without_analysis"], "--yes")
        data = folder / "data.json"
        data.write_text(json.dumps({"user_message": "Corrected?"}))
        fixed = self.parked("contract_corrected")["id"]
        shell("dlq", "replay", "--id", fixed, "--data", str(data), "--yes", "--wait")
        shell("redrive", "--since", "10m", "--stage", "chat", "--status", "ABORTED", "--limit", "1", "--yes",
              "--wait")  # fmt: skip

    # --- what is open ------------------------------------------------------------------------------------

    def never_started(self) -> None:
        """Leave a message whose function could not start: SQS has moved it to the DLQ, and its task still waits."""
        functions, name = self.pipeline.client("lambda"), "ai-pipeline-local-analyzer"
        handler = functions.get_function_configuration(FunctionName=name)["Handler"]
        functions.update_function_configuration(
            FunctionName=name, Handler="services.analyzer.nowhere.handler"
        )
        try:
            with self.pipeline.visible_after("analyzer", 1):
                self.ask("never_started", "Never begun?")
                self.parked("never_started")
        finally:
            functions.update_function_configuration(FunctionName=name, Handler=handler)

    def open(self, stack: ExitStack) -> None:
        """Leave a run open at each stage, with its message in the stage's queue."""
        for service in ("logger", "enhancer", "chatbot", "analyzer"):
            stack.enter_context(self.pipeline.stopped(service))
            text = f"Waits for the {service}?"
            if service == "chatbot":
                turns = [{"role": "user", "text": "And?"}, {"role": "assistant", "text": "Yes."}]
                self.post("open_at_chatbot", {"messages": [*turns, {"role": "user", "text": text}]})
            else:
                self.ask(f"open_at_{service}", text)
            eventually(partial(self.waiting, service))

    def accepted(self) -> None:
        self.post("accepted", {"user_message": "Accepted alone?"})
        self.post("accepted_cancelled", {"user_message": "Accepted and cancelled?"})
        self.pipeline.call("DELETE", f"/pipeline/{self.runs['accepted_cancelled']}")
        (self.runs["published_alone"],) = self.pipeline.publish(
            {"data": {"messages": [{"role": "user", "text": "Published alone?"}]}}, detail_type=V2
        )
        eventually(lambda: self.waiting("trigger") >= 3)

    def budget(self) -> None:
        """Deploy with a budget, leave a run that counts towards it, and let an operator resume the starter."""
        deploy(self.pipeline.engine, context={"budget_usd_per_day": "0.01"})
        self.pipeline.__dict__.pop("addresses")  # there are new ones
        self.ask("counted", "What counts?")
        self.over("counted", "SUCCEEDED")
        look_now(targets.local_target(self.pipeline.connection))
        shell("budget", "resume", "--add", "0.005", "--yes")


def metadata_for(pipeline_id: str) -> dict[str, Any]:
    return {
        "event_id": f"{pipeline_id}-again",
        "pipeline_id": pipeline_id,
        "schema": "pipeline.requested",
        "schema_version": 1,
        "occurred_at": "2026-11-23T10:00:00.000Z",
        "correlation_id": pipeline_id,
    }


def text_attribute(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}
