"""Runs functions' handlers from their bundles, in Pyodide: `program.py JOBS RESULTS`, both JSON files.

Pyodide is CPython 3.14 without threads, sockets and TLS, for another processor. Replaced are therefore:

- msgspec's compiled module, by the one of the same version that its authors build for Pyodide
- what botocore sends and receives: calls are noted, and answered from a table
- the context of TLS, which botocore makes for each client: Pyodide's `ssl` module has names and no functions
- the timer that interrupts a call of a model, which Pyodide lacks
- the name of the platform, as urllib3 has code of its own for browsers

All else is the bundle's: every module comes from its byte code.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

HOST = "/host"
BY_PATH = {"/model/": "Converse", "/event-source-mappings/": "GetEventSourceMapping"}
COMPILED: list[str] = []
CALLS: list[str] = []


class MsgspecForPyodide(importlib.abc.MetaPathFinder):
    def __init__(self, file):
        self.file = file

    def find_spec(self, name, path=None, target=None):
        if name == "msgspec._core":
            loader = importlib.machinery.ExtensionFileLoader(name, self.file)
            return importlib.util.spec_from_loader(name, loader)
        return None


def run(job, answers):
    """Import a handler from its bundle, let it handle its event, and return what it did."""
    before = set(sys.modules)
    folder = f"{HOST}{job['folder']}"
    sys.path.insert(0, folder)
    os.environ.update(job["environment"])
    COMPILED.clear()
    CALLS.clear()
    try:
        botocore: Any = importlib.import_module("botocore.httpsession")
        answer = importlib.import_module("botocore.awsrequest").AWSResponse

        def send(_, request):
            target = request.headers.get("X-Amz-Target", b"").decode().rpartition(".")[2]
            operation = target or next(name for part, name in BY_PATH.items() if part in request.url)
            CALLS.append(operation)
            raw = Raw(json.dumps(answers.get(operation, {})).encode())
            headers = {"Content-Type": "application/json", "Content-Length": str(len(raw.content))}
            return answer(request.url, 200, headers, raw)

        botocore.URLLib3Session.send = send
        botocore.create_urllib3_context = lambda *_, **__: None
        module = importlib.import_module(job["module"])
        result = module.handler(job["event"], Context())
        loaded = [
            module.__cached__
            for name, module in sys.modules.items()
            if name not in before and getattr(module, "__file__", "").startswith(folder)
        ]
        return {
            "result": result,
            "calls": list(CALLS),
            "compiled": [name for name in COMPILED if name.startswith(folder)],
            "loaded": [name for name in loaded if name],
        }
    finally:
        sys.path.remove(folder)
        for name in set(sys.modules) - before:
            if name.partition(".")[0] != "msgspec":  # a compiled module can be imported once
                del sys.modules[name]


def note_compilation(event, arguments):
    if event == "compile":
        COMPILED.append(str(arguments[1]))


class Raw:
    """The content of an answer, as botocore reads it."""

    def __init__(self, content):
        self.content = content

    def stream(self, *_, **__):
        yield self.content

    def read(self, *_, **__):
        return self.content


class Context:
    aws_request_id = "request"
    function_name = "function"
    function_version = "$LATEST"
    memory_limit_in_mb = 128
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:function"

    def get_remaining_time_in_millis(self):
        return 30_000


def main():
    jobs, results = (Path(HOST + name) for name in sys.argv[1:])
    wanted = json.loads(jobs.read_text("utf-8"))
    sys.meta_path.insert(0, MsgspecForPyodide(HOST + wanted["msgspec"]))
    sys.addaudithook(note_compilation)
    os.environ.clear()
    sys.platform = "linux"
    signal.ITIMER_REAL, signal.setitimer = 0, lambda *_: (0.0, 0.0)
    outcomes = {name: run(job, wanted["answers"]) for name, job in wanted["jobs"].items()}
    results.write_text(json.dumps({"python": sys.version, "outcomes": outcomes}), "utf-8")


main()
