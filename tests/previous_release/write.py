"""Writes the fixtures anew: makes runs of every outcome on its own engine, and saves everything they leave."""

import base64
import json
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from infra.functions import FUNCTIONS
from local import targets
from local.deploy import up
from local.model_server import model_server
from local.paths import STATE
from local.testing import own_engine
from shared.contracts.stages import SERVICES
from tests.e2e.conftest import Deployment
from tests.previous_release.scenes import Scenes, behaviour, shell

HERE = Path(__file__).resolve().parent
WITH_HISTORY = ("told", "cancelled_while_running", "open_at_chatbot", "unrecorded_end")
"""Executions whose history is kept. The others have none, as after 90 days in AWS."""


def items(client: Any, table: str) -> list[Any]:
    pages = client.get_paginator("scan").paginate(TableName=table)
    return sorted(
        (item for page in pages for item in page["Items"]), key=lambda item: json.dumps(item, default=str)
    )


def messages(client: Any, url: str) -> list[Any]:
    """Return all messages of a queue, which stay hidden for a minute."""
    seen: dict[str, Any] = {}
    for _ in range(10):
        answer = client.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=60, WaitTimeSeconds=0,
            MessageAttributeNames=["All"], AttributeNames=["All"],
        )  # fmt: skip
        for message in answer.get("Messages", []):
            kept = ("MessageId", "Body", "Attributes", "MessageAttributes")
            seen[message["MessageId"]] = {name: message[name] for name in kept if name in message}
            sent = {"SentTimestamp": message["Attributes"]["SentTimestamp"]}
            seen[message["MessageId"]]["Attributes"] = sent
    return list(seen.values())


def executions(pipeline: Deployment, runs: dict[str, str]) -> list[Any]:
    client, with_history = pipeline.client("stepfunctions"), {runs[name] for name in WITH_HISTORY}
    pages = client.get_paginator("list_executions").paginate(
        stateMachineArn=pipeline.addresses["state-machine/arn"]
    )
    dumped = []
    for execution in (execution for page in pages for execution in page["executions"]):
        description = client.describe_execution(executionArn=execution["executionArn"])
        kept = ("executionArn", "name", "status", "startDate", "stopDate", "input", "error", "cause")
        entry = {name: description[name] for name in kept if description.get(name) is not None}
        if any(execution["name"].startswith(pipeline_id) for pipeline_id in with_history):
            history = client.get_execution_history(executionArn=execution["executionArn"], maxResults=1_000)
            entry["history"] = [slim(event) for event in history["events"]]
        dumped.append(entry)
    return sorted(dumped, key=lambda entry: (entry["startDate"], entry["name"]))


def slim(event: dict[str, Any]) -> dict[str, Any]:
    """Return the event without the data that no reader needs."""
    kept = {name: event[name] for name in ("id", "type", "timestamp")}
    for name, details in event.items():
        if isinstance(details, dict):
            parts = ("name", "error", "cause") if name != "taskSucceededEventDetails" else ("output",)
            kept[name] = {part: details[part] for part in parts if part in details}
    return {name: value for name, value in kept.items() if value != {}}


def log_lines(pipeline: Deployment, pipeline_id: str) -> dict[str, list[Any]]:
    lines = {}
    for function in FUNCTIONS:
        group = f"/aws/lambda/ai-pipeline-local-{function.name}"
        try:
            events = pipeline.client("logs").filter_log_events(
                logGroupName=group, filterPattern=f'"{pipeline_id}"'
            )["events"]
        except pipeline.client("logs").exceptions.ResourceNotFoundException:
            continue
        lines[function.name] = [
            {"timestamp": event["timestamp"], "message": event["message"]}
            for event in events
            if '"http_method":"GET"' not in event["message"]
        ]
    return lines


def plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    return value.isoformat()


def save(name: str, value: Any) -> None:
    """Write a list or an object, with one line for each element."""
    if isinstance(value, list):
        text = "[\n" + ",\n".join(map(compact, value)) + "\n]\n"
    else:
        text = "{\n" + ",\n".join(f"{compact(key)}:{compact(part)}" for key, part in value.items()) + "\n}\n"
    (HERE / "written" / name).write_text(text, "utf-8")


def compact(value: Any) -> str:
    return json.dumps(value, default=plain, ensure_ascii=False, separators=(",", ":"))


def leave(pipeline: Deployment, scenes: Scenes, files: dict[str, str]) -> None:
    dynamodb, sqs, addresses = pipeline.client("dynamodb"), pipeline.client("sqs"), pipeline.addresses
    machine = addresses["state-machine/arn"]
    save("runs.json", scenes.runs)
    save("records.json", items(dynamodb, addresses["table/name"]))
    save("operations.json", items(dynamodb, addresses["operations/table"]))
    save("budget.json", items(dynamodb, addresses["budget/table"]))
    (answers,) = [name for name in dynamodb.list_tables()["TableNames"] if "answers" in name]
    save("answers.json", items(dynamodb, answers))
    save("executions.json", executions(pipeline, scenes.runs))
    client = pipeline.client("stepfunctions")
    save("definition.json", json.loads(client.describe_state_machine(stateMachineArn=machine)["definition"]))
    rules = pipeline.client("events").list_rules(EventBusName=addresses["bus/name"])["Rules"]
    save(
        "rules.json",
        [{name: rule[name] for name in ("Name", "State", "EventPattern") if name in rule} for rule in rules],
    )
    save("logs.json", {name: log_lines(pipeline, scenes.runs[name]) for name in ("told",)})
    kinds = ("queue", "dlq", "rule-dlq")
    save("queues.json", [
        {"service": service, "kind": kind, **message}
        for service in SERVICES for kind in kinds
        for message in messages(sqs, addresses[f"services/{service}/{kind}-url"])
    ])  # fmt: skip
    for name, text in files.items():
        (HERE / "written" / name).write_text(text, "utf-8")


def run(pipeline: Deployment, note: Callable[[str], None]) -> None:
    targets.find_target = lambda *_args, **_options: targets.local_target(pipeline.connection)
    scenes = Scenes(pipeline)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        for scene in (scenes.successes, scenes.degraded, scenes.failures, scenes.parked_starts_and_ends):
            note(scene.__name__)
            scene()
        note("batch")
        files = scenes.batch(folder)
        note("operators")
        scenes.operators(folder)
        note("budget")
        scenes.budget()
        note("open")
        scenes.never_started()
        scenes.open(stack)
        stack.enter_context(pipeline.stopped("trigger"))
        scenes.accepted()
        shell("deploy-check", "--json", codes=(0, 1))
        shell("budget", "pause", "--yes")
        note("leave")
        leave(pipeline, scenes, files)


def main() -> None:
    (HERE / "written").mkdir(exist_ok=True)
    with (
        model_server(behaviour) as model,
        own_engine(STATE / "previous", model=model.model) as engine,
    ):
        pipeline = Deployment(connection=up(engine).connection, engine=engine, model=model)
        run(pipeline, click.echo)


if __name__ == "__main__":
    main()
