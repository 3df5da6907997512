"""The real small model behind the real engine, asked as the chatbot asks: with Converse."""

import os
import signal
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from local import process
from local.engine import Engine, free_port
from local.engine_status import engine_status
from local.paths import ENGINE_PYTHON
from local.servers import health
from local.settings import SMALL, Settings
from local.small_model import place, starting
from operations.progress import silent
from shared.tests.fakes import PATIENCE_SECONDS, until

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(not ENGINE_PYTHON.exists(), reason="the local engine is not installed: make setup"),
    pytest.mark.skipif(place.weights() is None, reason="the small model is not installed: make model"),
]


def test_the_small_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The small model reads a whole conversation, says when it was cut, comes back when killed, and is no orphan."""
    monkeypatch.setattr(place, "free_mb", lambda: None)
    engine = Engine(state=tmp_path, settings=Settings(port=free_port(), model=SMALL))
    running = engine.start()
    try:
        assert running.model is not None
        assert starting.await_ready(running.model, engine.state.model_log, silent) is None
        client = boto3.client(
            "bedrock-runtime",
            **running.connection.client_options(),
            config=Config(retries={"total_max_attempts": 1}, read_timeout=PATIENCE_SECONDS),
        )

        def ask(*turns: str, **inference: float) -> tuple[str, str, int]:
            messages = [
                {"role": ("user", "assistant")[number % 2], "content": [{"text": text}]}
                for number, text in enumerate(turns)
            ]
            answer = client.converse(
                modelId=place.NAME,
                messages=messages,
                inferenceConfig={"maxTokens": 24, "temperature": 0, **inference},
            )
            text = answer["output"]["message"]["content"][0]["text"]
            return text, answer["stopReason"], answer["usage"]["inputTokens"]

        # What so small a model says differs between processors; what it reads does not.
        alone = ask("What is my name?")
        conversation = ask("My name is Ada.", "Hello Ada!", "What is my name?")
        assert alone[0].strip()
        assert conversation[2] - alone[2] == 19
        assert ask("Tell me a long story about the sea.", maxTokens=8)[1] == "max_tokens"
        with pytest.raises(client.exceptions.ValidationException, match="too long"):
            ask("word " * 4_000)

        model = running.model
        first = health(model)
        assert first
        os.kill(first["pid"], signal.SIGKILL)
        until(lambda: (said := health(model)) and said.get("pid") not in (None, first["pid"]))
        status = engine_status(engine)
        assert status is not None
        assert status.small_model is not None
        assert status.small_model.pid != first["pid"]

        os.kill(running.pid, signal.SIGKILL)
        until(lambda: not process.group_members(running.pid, "ai-pipeline-model="))
    finally:
        engine.stop()
    # Its home folder has only our files: the library reports nothing and keeps nothing.
    assert {file.name for file in tmp_path.iterdir()} <= {"engine.log", "model.log", "engine.lock"}
