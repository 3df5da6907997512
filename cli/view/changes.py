"""What a deployment changes, as lines for people."""

from collections import Counter
from collections.abc import Iterator

from cli.view.text import counted, in_a_line, printable
from operations.deployment.changes import Changes, OptionChange, ResourceChange, StackChange

SHOWN_NAMES = 12
"""The largest number of resources of one kind and stack that are listed by name."""
SHOWN_CHARS = 60
_MARKS = {"added": "+", "changed": "~", "replaced": "!", "removed": "-"}


def lines(changes: Changes) -> Iterator[str]:
    """Yield the report: the options that change, each stack with its resources, and what is lost."""
    for option in changes.options:
        yield f"  {_option(option)}"
    for stack in changes.stacks:
        yield from _stack(stack)
    for name in changes.left:
        yield (
            f"  {name}: no longer part of the app; it stays deployed. Delete it with "
            f"`aws cloudformation delete-stack --stack-name {name}`"
        )
    for name in changes.leaving:
        yield f"  {name}: switched off; it is deleted as soon as no open run needs it"


def losses(changes: Changes) -> Iterator[str]:
    for change in changes.losses:
        yield f"  {change.name} ({change.type}) is {change.kind}: {change.loss}"


def _option(option: OptionChange) -> str:
    before = "not recorded" if option.before is None else _short(option.before)
    return f"{option.name}: {before} → {_short(option.after)}"


def _stack(stack: StackChange) -> Iterator[str]:
    if stack.status == "new":
        yield f"  {stack.stack}: new, {counted(len(stack.resources), 'resource')}"
        return
    if stack.status == "unchanged":
        yield f"  {stack.stack}: unchanged"
        return
    kinds = Counter(change.kind for change in stack.resources)
    summary = [f"{number} {kind}" for kind, number in kinds.items()]
    yield f"  {stack.stack}: {', '.join([*summary, *stack.others])}"
    for change in stack.resources[:SHOWN_NAMES]:
        yield f"    {_resource(change)}"
    if len(stack.resources) > SHOWN_NAMES:
        yield f"    … and {len(stack.resources) - SHOWN_NAMES:,} more; --json lists all of them"


def _resource(change: ResourceChange) -> str:
    what = f": {', '.join(change.properties)}" if change.properties else ""
    replaced = " (replaced)" if change.kind == "replaced" else ""
    return printable(
        f"{_MARKS[change.kind]} {change.type.removeprefix('AWS::')} {change.name}{replaced}{what}"
    )


def _short(text: str) -> str:
    text = in_a_line(text)
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}…"
