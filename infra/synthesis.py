"""Synthesises the app into a folder, and reads the templates from it."""

import json
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from infra.toolchain import use_bundled_node

use_bundled_node()

from aws_cdk import App, Validations  # noqa: E402 -- after Node is chosen
from cdk_nag import AwsSolutionsChecks  # noqa: E402

from infra.app import build, feature_flags  # noqa: E402
from infra.environments import Environment  # noqa: E402
from infra.functions import ALL_FUNCTIONS  # noqa: E402

Template = dict[str, Any]


def synthesise(
    environment: Environment,
    folder: Path,
    packed: Mapping[str, Path],
    *,
    only: str | None = None,
    unprotected: Collection[str] = (),
    nag: bool = False,
) -> None:
    """Write the environment's cloud assembly, or that of `only` one part, into `folder`.

    `nag`: check it by cdk-nag and by CloudFormation's rules, which take most of a synth. Raises RuntimeError if these
    have findings, which are then in `validation-report.json`.
    """
    shutil.rmtree(folder, ignore_errors=True)
    app = App(outdir=str(folder), context=feature_flags(), builtin_cloud_formation_validation=nag)
    if nag:
        Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    build(app, environment, packed, only, unprotected)
    app.synth()


def stand_ins(folder: Path) -> dict[str, Path]:
    """Return empty bundles by function, for templates that are read and never deployed."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "handler.py").write_text("")
    return {function.name: folder for function in ALL_FUNCTIONS}


def templates(folder: Path) -> Mapping[str, Template]:
    """Return the templates of a cloud assembly by stack name."""
    return {
        path.name.removesuffix(".template.json"): json.loads(path.read_text())
        for path in sorted(folder.glob("*.template.json"))
    }
