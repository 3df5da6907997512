"""The functions work on the Python that AWS runs them with, from the byte code that is deployed."""

import json
import os
import re
import subprocess
import sysconfig
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bench.budgets import read
from bench.functions.subjects import environment_of, events
from bench.probing import ANSWERS
from infra.bundling import bundles
from infra.byte_code import place, python
from infra.environments import AWS_ARM
from infra.functions import ALL_FUNCTIONS, API, STARTER
from local.installing import PYODIDE_SITE

pytestmark = [pytest.mark.xdist_group("bundles"), pytest.mark.slow, pytest.mark.timeout(300)]

MORE_ANSWERS: dict[str, Any] = {
    "GetEventSourceMapping": {"State": "Enabled"},
    "ListExecutions": {"executions": []},
    "Query": {"Items": []},
}
CALLS = {
    API.name: {"PutItem": 1, "PutEvents": 1},
    STARTER.name: {"StartExecution": 1, "UpdateItem": 1},
    "approval": {"PutItem": 1},
} | {
    name: {call.removeprefix("calls "): times for call, times in counts.items() if call.startswith("calls ")}
    for name, counts in read().items()
    if any(call.startswith("calls ") for call in counts)
}
"""The calls for a message. Those of the stages are budgets."""
PURE = (
    *(f"services/analyzer/tests/test_{name}.py" for name in ("code", "complexity", "counts", "questions")),
    "services/enhancer/tests/test_core.py",
    "shared/tests/test_worker_policy.py",
)
"""Tests that need nothing but the standard library, msgspec and pytest."""
SETTINGS = {
    "USD_PER_DAY": "1",
    "BUDGET_TABLE": "b",
    "OPERATIONS_TABLE": "o",
    "MAPPING_ID": "m",
    "APPROVALS_TABLE": "a",
    "APPROVAL_SECONDS": "60",
}
"""The variables that only some functions have."""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory) -> dict[str, Any]:
    """What each function did with one message, from its bundle for AWS on a Python 3.14 (`program.py`)."""
    folder: Path = tmp_path_factory.mktemp("aws_python")
    packed = bundles(AWS_ARM, ALL_FUNCTIONS)
    modules = list(PYODIDE_SITE.glob("msgspec/_core.*.so"))
    assert modules, (
        "Run `make test`, or `python3 local/setup_environment.py tests`: msgspec for Pyodide is missing."
    )
    jobs = {
        function.name: {
            "folder": str(packed[function.name]),
            "module": function.module,
            "event": {} if function.scheduled else events(function.name)(1),
            "environment": {**environment_of(function.name), **SETTINGS},
        }
        for function in ALL_FUNCTIONS
    }
    wanted, results = folder / "jobs.json", folder / "results.json"
    wanted.write_text(
        json.dumps({"msgspec": str(modules[0]), "answers": ANSWERS | MORE_ANSWERS, "jobs": jobs})
    )
    program = Path(__file__).with_name("program.py")
    done = subprocess.run(
        [*python(AWS_ARM), str(program), str(wanted), str(results)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(results.read_text())
    assert answer["python"].startswith(f"{AWS_ARM.python_version}.")
    return dict(answer["outcomes"])


@pytest.mark.parametrize("function", ALL_FUNCTIONS, ids=lambda function: function.name)
def test_each_function_answers_a_message(outcomes, function):
    """On Python 3.14, each function handles a message with the calls to AWS that it makes here."""
    outcome = outcomes[function.name]
    result = outcome["result"]
    if function.name == API.name:
        assert result["statusCode"] == 202, result["body"]
    elif function.scheduled:
        assert outcome["calls"]
    else:
        assert result == {"batchItemFailures": []}
    if not function.scheduled:
        # The start takes seconds, after which a paid stage asks whether its task is over.
        calls = Counter(call for call in outcome["calls"] if call != "SendTaskHeartbeat")
        assert calls == CALLS[function.name]


@pytest.mark.parametrize("function", ALL_FUNCTIONS, ids=lambda function: function.name)
def test_python_3_14_loads_the_byte_code_that_is_deployed(outcomes, function):
    """On Python 3.14, each module of a bundle is loaded from its byte code, and none is compiled."""
    outcome = outcomes[function.name]
    assert outcome["compiled"] == []
    assert len(outcome["loaded"]) > 150
    own = place(f"{function.module.replace('.', '/')}.py", AWS_ARM)
    assert [name for name in outcome["loaded"] if name.endswith(f"/{own}")]


def test_the_cores_pure_tests_pass_on_python_3_14():
    """What the analyzer, the enhancer and the worker's policy promise, they promise on AWS's Python as well."""
    root, packages = Path(__file__).parents[2], sysconfig.get_paths()["purelib"]
    program = Path(__file__).with_name("pure.py")
    done = subprocess.run(
        [*python(AWS_ARM), str(program), str(root), str(PYODIDE_SITE), packages, *PURE],
        capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"], "PYTHONUTF8": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.findall(r"(\d+) passed in ", done.stdout)[-1]) > 300
