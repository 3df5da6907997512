"""A simulated next release of this project: a copy in which the analyzer's request has a second version.

It is synthesised with the project's tools and deployed part by part. The checkout itself does not change.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local import cdk
from local.deploy import context_of, stack_name
from local.engine import Engine
from local.paths import ROOT
from tests.e2e.checkout import copy_checkout

NEW_VERSION = '''

class AnalysisRequested(Event, frozen=True, kw_only=True):
    """As version 1, with another name for the message: an old analyzer can't read it."""

    NAME: ClassVar[str] = "analysis.requested"
    VERSION: ClassVar[int] = 2

    text: str


EVENTS = (*EVENTS, AnalysisRequested)
'''
LAST_STEP = "    Upcaster(v1.PipelineRequested, v2.PipelineRequested, as_conversation),\n"
NEXT_STEP = """    Upcaster(
        v1.AnalysisRequested,
        v2.AnalysisRequested,
        lambda old: v2.AnalysisRequested(text=old.user_message),
    ),
"""
CHANGES = (
    ("shared/contracts/upcasting.py", LAST_STEP, LAST_STEP + NEXT_STEP),
    ("shared/contracts/stages.py", "import approval, v1\n", "import approval, v1, v2\n"),
    ("shared/contracts/stages.py", "request=v1.AnalysisRequested,", "request=v2.AnalysisRequested,"),
    (
        "shared/contracts/stages.py",
        'inputs={"user_message": "$.request.user_message"},',
        'inputs={"text": "$.request.user_message"},',
    ),
    ("services/analyzer/handler.py", "analyze(request.user_message)", "analyze(request.text)"),
)


class Releases:
    """Two synthesised apps for one engine: `before` (this checkout, as deployed) and `after` (the next release)."""

    def __init__(self, engine: Engine, after: Path) -> None:
        self.before, self.after = engine.state.assembly, after
        self._run = _cdk(engine, ROOT)

    def deploy(self, app: Path, part: str) -> None:
        """Deploy one part's stack of an app, with the real CDK CLI."""
        stack = stack_name("local", part)
        self._run(["deploy", stack, "--exclusively", "--app", str(app), "--require-approval", "never"])


@contextmanager
def releases(engine: Engine) -> Iterator[Releases]:
    """Yield both releases, and remove the copy at the end. What is deployed stays deployed."""
    copy = engine.state.path / "next-release"
    shutil.rmtree(copy, ignore_errors=True)
    try:
        _write(copy)
        app = copy / "cdk.out"
        context = {**context_of(engine.running()), "nag": "off"}
        pairs = [part for name, value in context.items() for part in ("-c", f"{name}={value}")]
        _cdk(engine, copy)(["synth", "--quiet", "--no-validation", "--output", str(app), *pairs])
        yield Releases(engine, app)
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def _write(copy: Path) -> None:
    copy_checkout(copy)
    events = copy / "shared/contracts/v2.py"
    events.write_text(events.read_text() + NEW_VERSION)
    for name, old, new in CHANGES:
        text = (copy / name).read_text()
        assert old in text, f"{name} no longer contains {old!r}. Adapt CHANGES in this module."
        (copy / name).write_text(text.replace(old, new, 1))


def _cdk(engine: Engine, folder: Path) -> cdk.Run:
    connection = engine.running().connection
    return cdk.Run(environment=connection.environment(os.environ), log=engine.state.deploy_log, folder=folder)
