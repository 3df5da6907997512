"""The CDK app with the stacks of one environment. `cdk.json` runs it.

cdk synth -c env=prod
cdk deploy -c env=dev --all
cdk deploy -c env=dev -c only=analyzer

Options come from the environment's file in `environments/` and from `-c name=value`. `-c region=NAME` chooses the
region that the file's options are for, if the CDK CLI does not; `only` makes the stack of one part, even if the code
of other parts is broken; `-c unprotected=NAME,NAME` makes these parts and tables without protection from deletion, so
that their first deployment can fail and be repeated; `-c removed_queues=NAME,NAME` and
`-c removed_events=TYPE,TYPE` keep the workflow's rights to reach stages that were removed from the code, or switched
off, and are still deployed; `-c nag=off` skips cdk-nag.
"""

import json
import os
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from infra.toolchain import use_bundled_node

use_bundled_node()

from aws_cdk import App, Stack, Tags, Validations  # noqa: E402
from cdk_nag import AwsSolutionsChecks  # noqa: E402

from infra.bundling import ROOT, BundlingError, bundles  # noqa: E402
from infra.environments import DEFAULT_REGION, Environment, UnknownEnvironmentError  # noqa: E402
from infra.functions import ALL_FUNCTIONS, deployed_functions  # noqa: E402
from infra.names import Names  # noqa: E402
from infra.option_kinds import OptionError  # noqa: E402
from infra.options import load_deployed  # noqa: E402
from infra.parts import MONITORING, PLATFORM, SWITCHED, TRIGGER, WORKFLOW, needed_by  # noqa: E402
from infra.platform_stack import PlatformStack  # noqa: E402
from infra.recorded import recorded  # noqa: E402
from infra.stage_stack import StageStack  # noqa: E402
from infra.synthesizer import bind  # noqa: E402
from infra.trigger_stack import TriggerStack  # noqa: E402
from infra.workflow_stack import WorkflowStack  # noqa: E402
from shared.contracts.stages import EVERY  # noqa: E402

AFTER: Final = {WORKFLOW: SWITCHED, MONITORING: (TRIGGER,)}
"""Parts that wait for others when all are deployed together, and do not need them. Alarms on what is not deployed yet
would ring: that on the budget's guard, if no check of it finishes.
"""


QUALIFIER: Final = "@aws-cdk/core:bootstrapQualifier"
"""The CDK's own way to set an option of ours, which preflight and GitHub's roles could not see."""


def parts(environment: Environment, packed: Mapping[str, Path]) -> dict[str, Callable[[App], Stack]]:
    """Return a function that makes each stack, by the name of its part. `packed` holds each function's bundle."""
    stages: dict[str, Callable[[App], Stack]] = {
        stage.service: lambda app, stage=stage: StageStack(  # type: ignore[misc]  # bound per stage
            app, stage=stage, environment=environment, bundles=packed
        )
        for stage in EVERY
    }
    return {
        PLATFORM: lambda app: PlatformStack(app, environment=environment),
        TRIGGER: lambda app: TriggerStack(app, environment=environment, bundles=packed),
        **stages,
        WORKFLOW: lambda app: WorkflowStack(app, environment=environment),
        MONITORING: lambda app: _monitoring(app, environment),
    }


def _monitoring(app: App, environment: Environment) -> Stack:
    # Imported late: its library takes a second to load.
    from infra.monitoring_stack import MonitoringStack  # noqa: PLC0415

    return MonitoringStack(app, environment=environment)


def build(
    app: App,
    environment: Environment,
    packed: Mapping[str, Path],
    only: str | None = None,
    unprotected: Collection[str] = (),
) -> None:
    """Add all stacks of an environment to `app`, or `only` one. `packed` holds each function's bundle.

    The parts and tables in `unprotected` are made without protection from deletion, for their first deployment.

    Monitoring is among them if the environment has it. No stack reads another one: they refer to each other by name.
    When they are deployed together, the consumers of an event come before its publishers. In a first deployment a
    rule needs its bus, and a new version of an event must be read before it is sent.
    Raises OptionError if there is no such part or table, or if the context would set what an option sets.
    """
    makers = parts(replace(environment, unprotected=frozenset(unprotected)), packed)
    tables = Names(environment.name).tables
    if only is not None and only not in makers:
        raise OptionError(f"Unknown part {only!r}. Set `-c only=PART` to one of: {', '.join(makers)}.")
    if unknown := sorted(set(unprotected) - {*makers, *tables}):
        raise OptionError(
            f"Unknown part or table {unknown[0]!r}. Set `-c unprotected=NAME,NAME` to some of: "
            f"{', '.join((*makers, *tables))}."
        )
    qualifier = app.node.try_get_context(QUALIFIER)
    if environment.bootstrap_roles and qualifier not in (None, environment.bootstrap_qualifier):
        raise OptionError(
            f"The context has {QUALIFIER} = {qualifier!r}, which would have no effect. Remove it, and set "
            f'bootstrap_qualifier = "{qualifier}" in environments/{environment.name}.toml.'
        )
    left_out = {*SWITCHED} - {stage.service for stage in environment.stages}
    left_out |= set() if environment.monitoring else {MONITORING}
    chosen = {only} if only else set(makers) - left_out
    stacks = {part: make(app) for part, make in makers.items() if part in chosen}
    for part, stack in stacks.items():
        Tags.of(stack).add("application", "ai-pipeline")
        Tags.of(stack).add("environment", environment.name)
        stack.template_options.metadata = recorded(environment, part)
        bind(stack, environment.permissions_boundary)
        for earlier in (*needed_by(part), *AFTER.get(part, ())):
            if earlier in stacks:
                stack.add_stack_dependency(stacks[earlier])


def feature_flags() -> dict[str, object]:
    """Return the context of `cdk.json`, which only the CDK CLI passes to the app by itself."""
    return dict(json.loads((ROOT / "cdk.json").read_text())["context"])


def main() -> None:
    app = App()
    context = {name: app.node.try_get_context(name) for name in app.node.get_all_context()}
    # The CDK CLI tells the app the region that it will deploy to.
    region = str(context.get("region") or os.environ.get("CDK_DEFAULT_REGION") or DEFAULT_REGION)
    environment = load_deployed(str(context.get("env") or "dev"), context, region=region)
    if context.get("nag") != "off":
        Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    environment = replace(
        environment,
        removed_queues=_listed(context.get("removed_queues")),
        removed_events=_listed(context.get("removed_events")),
    )
    only = str(context["only"]) if context.get("only") else None
    packed = bundles(
        environment.target,
        [
            function
            for function in ALL_FUNCTIONS
            if function.service == only
            or (only is None and function in deployed_functions(**environment.switches))
        ],
    )
    build(app, environment, packed, only, _listed(context.get("unprotected")))
    app.synth()


def _listed(names: object) -> tuple[str, ...]:
    """Return the names in a list that is separated by commas."""
    return tuple(name for name in str(names or "").split(",") if name)


if __name__ == "__main__":
    try:
        main()
    except (BundlingError, OptionError, UnknownEnvironmentError) as problem:
        sys.exit(f"error: {problem}")
