"""The CDK app: one environment's stacks. `cdk.json` runs it.

cdk synth -c env=prod
cdk deploy -c env=dev --all
cdk deploy -c env=dev -c only=analyzer

`only` makes one service's stack alone, whatever state the others' code is in; `-c nag=off` leaves out cdk-nag.
"""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from infra.toolchain import use_bundled_node

use_bundled_node()

from aws_cdk import App, Stack, Tags, Validations  # noqa: E402
from cdk_nag import AwsSolutionsChecks  # noqa: E402

from infra.bundling import ROOT, BundlingError, bundles  # noqa: E402
from infra.environments import ContextError, Environment, UnknownEnvironmentError, load  # noqa: E402
from infra.functions import ALL_FUNCTIONS, GUARD  # noqa: E402
from infra.platform_stack import PlatformStack  # noqa: E402
from infra.stage_stack import StageStack  # noqa: E402
from infra.trigger_stack import TriggerStack  # noqa: E402
from infra.workflow_stack import WorkflowStack  # noqa: E402
from shared.contracts.stages import STAGES  # noqa: E402

PLATFORM, TRIGGER, WORKFLOW, MONITORING = "platform", "trigger", "workflow", "monitoring"


def parts(environment: Environment, packed: Mapping[str, Path]) -> dict[str, Callable[[App], Stack]]:
    """How each stack is made, by its part's name, in the order of a first deployment."""
    stages: dict[str, Callable[[App], Stack]] = {
        stage.service: lambda app, stage=stage: StageStack(  # type: ignore[misc]  # bound per stage
            app, stage=stage, environment=environment, bundle=packed[stage.service]
        )
        for stage in STAGES
    }
    return {
        PLATFORM: lambda app: PlatformStack(app, environment=environment),
        TRIGGER: lambda app: TriggerStack(app, environment=environment, bundles=packed),
        **stages,
        WORKFLOW: lambda app: WorkflowStack(app, environment=environment),
        MONITORING: lambda app: _monitoring(app, environment),
    }


def _monitoring(app: App, environment: Environment) -> Stack:
    # Imported where it is made: its library takes a second to load.
    from infra.monitoring_stack import MonitoringStack  # noqa: PLC0415

    return MonitoringStack(app, environment=environment)


def build(app: App, environment: Environment, packed: Mapping[str, Path], only: str | None = None) -> None:
    """All stacks of an environment, or `only` one. `packed` holds each function's bundle. Monitoring is
    among all of them where the environment says so.

    No stack reads another: they meet by name. Deployed together they go against the stream: who reads an event is
    there before who sends it, in a first deployment (a rule needs its bus) and when an event gets a new version.
    Raises ContextError if there is no such part.
    """
    makers = parts(environment, packed)
    if only is not None and only not in makers:
        raise ContextError(f"There is no part {only!r}. Choose with `-c only=PART`, of: {', '.join(makers)}.")
    wanted = {only} if only else {part for part in makers if part != MONITORING or environment.monitoring}
    stacks = {part: make(app) for part, make in makers.items() if part in wanted}
    for part, stack in stacks.items():
        Tags.of(stack).add("application", "ai-pipeline")
        Tags.of(stack).add("environment", environment.name)
        for earlier in _before(part):
            if earlier in stacks:
                stack.add_stack_dependency(stacks[earlier])


def _before(part: str) -> tuple[str, ...]:
    """The parts that are deployed before this one, where they are deployed together."""
    stages = tuple(stage.service for stage in STAGES)
    return {PLATFORM: (), WORKFLOW: (PLATFORM, *stages), TRIGGER: (PLATFORM, WORKFLOW), MONITORING: ()}.get(
        part, (PLATFORM,)
    )


def feature_flags() -> dict[str, object]:
    """The context of `cdk.json`, which the CDK CLI passes by itself."""
    return dict(json.loads((ROOT / "cdk.json").read_text())["context"])


def main() -> None:
    app = App()
    context = {name: app.node.try_get_context(name) for name in app.node.get_all_context()}
    environment = load(str(context.get("env") or "dev"), context)
    if context.get("nag") != "off":
        Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    only = str(context["only"]) if context.get("only") else None
    packed = bundles(
        environment.target,
        [
            function
            for function in ALL_FUNCTIONS
            if only in (None, function.service) and (function != GUARD or environment.budget_usd_per_day)
        ],
    )
    build(app, environment, packed, only)
    app.synth()


if __name__ == "__main__":
    try:
        main()
    except (BundlingError, ContextError, UnknownEnvironmentError) as problem:
        sys.exit(f"error: {problem}")
