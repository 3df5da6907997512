"""What a deletion deletes, keeps and leaves, as lines for people."""

from collections import Counter
from collections.abc import Iterator, Sequence

from cli.view.text import counted, printable
from operations.deployment.remains import Remnant
from operations.deployment.removed import LOOKED_AT, RemovedStage
from operations.deployment.teardown import Plan, Resource, describe

ALWAYS_LEFT = (
    "It does not touch the CDK's bootstrap stack with the assets in its bucket, which other apps may share, nor "
    "metrics, which CloudWatch keeps for 15 months. KMS deletes the alarm topic's key 30 days later."
)

_WITH = {"LogGroup": "with all log lines", "Archive": "with the archive of start and outcome events"}


def plan_lines(planned: Plan) -> Iterator[str]:
    yield "This deletes, in this order:"
    for condemned in planned.stacks:
        summary = _summary(condemned.deleted) or "no resources"
        protected = ", protected from deletion" if condemned.stack.protected else ""
        yield f"  {condemned.stack.name} ({condemned.stack.status}{protected}): {summary}"
    yield from (f"  with the table {table} and all its items" for table in planned.tables())
    kinds = Counter(_kind(resource) for condemned in planned.stacks for resource in condemned.deleted)
    yield from (f"  {text}" for kind, text in _WITH.items() if kinds[kind])
    kept = [resource for condemned in planned.stacks for resource in condemned.kept]
    if kept:
        yield "It keeps:"
        yield from (f"  {_kind(resource)} {printable(resource.name)}" for resource in kept)
    if planned.work:
        yield f"Open work: {describe(planned.work)}."
    yield ALWAYS_LEFT


def still_needed(stage: RemovedStage, again: str) -> str:
    """Return why the stack of a removed stage is kept, and what to do."""
    reasons = []
    if stage.more:
        reasons.append(f"more than {LOOKED_AT} runs are open, some of which may still pass through it")
    elif stage.needed_by:
        reasons.append(f"{counted(stage.needed_by, 'open run')} may still pass through it")
    if stage.undecided:
        reasons.append(
            "1 answer waits for a decision"
            if stage.undecided == 1
            else f"{stage.undecided:,} answers wait for a decision"
        )
    if stage.work:
        reasons.append(describe(stage.work))
    if stage.filled:
        reasons.append(f"the items of {stage.filled} have not expired yet")
    gone = "is switched off" if stage.is_switched_off else "is not in this checkout any more"
    return (
        f"The stage {stage.part} {gone}, but {stage.stack.stack.name} is kept: "
        f"{'; '.join(reasons)}. Runs finish as they began."
        + (" Decide on what waits (pipeline approvals list)." if stage.undecided else "")
        + (" Replay or archive what is parked (pipeline dlq list)." if stage.work.parked else "")
        + f" Later, run again: {again}"
    )


def remnant_lines(left: Sequence[Remnant]) -> Iterator[str]:
    if not left:
        yield "Nothing of it is left in this account and region."
        return
    yield "Left in this account and region, with the commands that remove it:"
    for remnant in left:
        yield f"  {printable(remnant.what)}: {printable(remnant.why)}"
        yield from (f"    {printable(command)}" for command in remnant.commands)


def _summary(resources: Sequence[Resource]) -> str:
    kinds = Counter(_kind(resource) for resource in resources)
    total = counted(len(resources), "resource")
    return (
        f"{total} ({', '.join(f'{number} {kind}' for kind, number in kinds.most_common(4))}, …)"
        if kinds
        else ""
    )


def _kind(resource: Resource) -> str:
    return resource.type.rsplit("::", 1)[-1]
