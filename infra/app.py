"""The CDK app: one environment's stacks. `cdk.json` runs it.

cdk synth -c env=prod
cdk deploy -c env=dev --all
cdk deploy -c env=dev ai-pipeline-dev-analyzer --exclusively
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from infra.toolchain import use_bundled_node

use_bundled_node()

from aws_cdk import App, Stack, Tags, Validations  # noqa: E402
from cdk_nag import AwsSolutionsChecks  # noqa: E402

from infra.bundling import ROOT, BundlingError, bundles  # noqa: E402
from infra.environments import ContextError, Environment, UnknownEnvironmentError, load  # noqa: E402
from infra.platform_stack import PlatformStack  # noqa: E402
from infra.stage_stack import StageStack  # noqa: E402
from infra.trigger_stack import TriggerStack  # noqa: E402
from infra.workflow_stack import WorkflowStack  # noqa: E402
from shared.contracts.stages import STAGES  # noqa: E402


def build(app: App, environment: Environment, packed: Mapping[str, Path]) -> dict[str, Stack]:
    """All stacks of an environment, by their part's name. `packed` holds each function's bundle.

    No stack reads another: they meet by name. The order matters for a first deployment only, where a rule
    needs its bus.
    """
    platform = PlatformStack(app, environment=environment)
    stacks: dict[str, Stack] = {
        "platform": platform,
        "trigger": TriggerStack(app, environment=environment, bundles=packed),
        **{
            stage.service: StageStack(app, stage=stage, environment=environment, bundle=packed[stage.service])
            for stage in STAGES
        },
        "workflow": WorkflowStack(app, environment=environment),
    }
    for stack in stacks.values():
        Tags.of(stack).add("application", "ai-pipeline")
        Tags.of(stack).add("environment", environment.name)
        if stack is not platform:
            stack.add_stack_dependency(platform)
    return stacks


def feature_flags() -> dict[str, object]:
    """The context of `cdk.json`, which the CDK CLI passes by itself."""
    return dict(json.loads((ROOT / "cdk.json").read_text())["context"])


def main() -> None:
    app = App()
    context = {name: app.node.try_get_context(name) for name in app.node.get_all_context()}
    environment = load(str(context.get("env") or "dev"), context)
    if context.get("nag") != "off":
        Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    build(app, environment, bundles(environment.target))
    app.synth()


if __name__ == "__main__":
    try:
        main()
    except (BundlingError, ContextError, UnknownEnvironmentError) as problem:
        sys.exit(f"error: {problem}")
