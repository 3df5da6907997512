"""SmolLM2 135M Instruct, run by openvino-genai on this machine's processor.

openvino-genai is imported when the model is loaded: only the model's own environment has it.
"""

import importlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local.small_model.protocol import Completion, RefusedError, Request, Turn
from local.small_model.server import OnText

MOST_TOKENS = 160
"""The bound of an answer, whatever the client asks for: 120 words, which two free cores write in three seconds."""
PROMPT_TOKENS = 2_048
"""The longest conversation that is read; on two busy cores the model takes three seconds to read it."""
ANSWER_SECONDS = 6.0
"""The time after which an answer is cut, so that a busy machine makes answers shorter and no client wait too long."""
LEAST_TOKENS = 2
"""An answer that ends at once would be empty."""
REPETITION_PENALTY = 1.05
"""Without it, a model of this size repeats a word until its bound; with much more, it avoids the question's words."""
TOP_P = 0.9
"""Unless the client chooses another; as its makers recommend."""


class SmolLM:
    """The loaded model. One thread may use it at a time."""

    def __init__(self, weights: Path) -> None:
        """Load the model from its GGUF file, which takes some seconds. Raises what the library raises."""
        self._library: Any = importlib.import_module("openvino_genai")
        self._pipeline = self._library.LLMPipeline(str(weights), "CPU")
        self._tokenizer = self._pipeline.get_tokenizer()
        self._answer(
            "Hello", self._settings(Request(turns=()), 2), lambda _piece: True
        )  # the first takes longer

    def answer(self, request: Request, on_text: OnText) -> Completion:
        """Return the answer to a conversation, after passing it on in pieces. Raises RefusedError if it is too long.

        Of a conversation that is too long, the oldest messages are left out.
        """
        prompt = self._prompt(request.turns)
        return self._answer(prompt, self._settings(request, request.max_tokens or MOST_TOKENS), on_text)

    def _answer(self, prompt: str, settings: Any, on_text: OnText) -> Completion:
        until = time.monotonic() + ANSWER_SECONDS
        late = False
        status = self._library.StreamingStatus

        def streamed(piece: str) -> Any:
            nonlocal late
            late = time.monotonic() > until
            return status.RUNNING if on_text(piece) and not late else status.CANCEL

        result = self._pipeline.generate([prompt], settings, streamed)
        count = result.perf_metrics.get_num_generated_tokens()
        return Completion(
            text=result.texts[0],
            finish="length" if late or count >= settings.max_new_tokens else "stop",
            prompt_tokens=result.perf_metrics.get_num_input_tokens(),
            completion_tokens=count,
        )

    def _settings(self, request: Request, most_tokens: int) -> Any:
        """Return the settings of one answer. Without a temperature, the most likely words are chosen."""
        settings = self._pipeline.get_generation_config()
        settings.apply_chat_template = False  # it is applied already
        settings.max_new_tokens = min(most_tokens, MOST_TOKENS)
        settings.min_new_tokens = min(LEAST_TOKENS, settings.max_new_tokens)
        settings.repetition_penalty = REPETITION_PENALTY
        settings.stop_strings = set(request.stops)
        settings.do_sample = bool(request.temperature)
        if request.temperature:
            settings.temperature = request.temperature
            settings.top_p = request.top_p or TOP_P
            settings.rng_seed = (request.seed if request.seed is not None else time.time_ns()) % 2**32
        return settings

    def _prompt(self, turns: Sequence[Turn]) -> str:
        """Return the conversation in the model's own chat template."""
        system = "\n".join(turn.text for turn in turns if turn.role == "system")
        spoken = [turn for turn in turns if turn.role != "system"]
        head = [Turn(role="system", text=system)] if system else []
        while True:
            messages = [{"role": turn.role, "content": _harmless(turn.text)} for turn in [*head, *spoken]]
            prompt = str(self._tokenizer.apply_chat_template(messages, add_generation_prompt=True))
            tokens = self._tokenizer.encode(prompt).input_ids.shape[1]
            if tokens <= PROMPT_TOKENS:
                return prompt
            if len(spoken) <= 1:
                raise RefusedError(
                    400,
                    "context_length_exceeded",
                    f"The input is too long for the small model: {tokens:,} tokens of at most {PROMPT_TOKENS:,}.",
                )
            spoken = spoken[1:]
            while len(spoken) > 1 and spoken[0].role != "user":
                spoken = spoken[1:]


def _harmless(text: str) -> str:
    """Return a message's text without the marks that would end its turn in the template."""
    return text.replace("<|im_", "<| im_")
