"""`pipeline contracts check`, `export`, `release`."""

import textwrap

import click

from cli.session import Session
from cli.view.text import counted
from contracts import references
from contracts.comparison import Comparison, compare
from local.exit_codes import FAILED
from operations.wording import listed


@click.group(
    epilog="""\b
Examples:
  pipeline contracts check
  pipeline contracts check --against origin/main
  pipeline contracts check --against v0.1.0 --json
  pipeline contracts export --check
  pipeline contracts release"""
)
def contracts() -> None:
    """Check, export and release the contracts of the events."""


@contracts.command(
    epilog="""\b
Examples:
  pipeline contracts check
  pipeline contracts check --against HEAD~1
  pipeline contracts check --against v0.1.0 --json
\b
Exit codes: 0 compatible, 1 a breaking change without a new version,
2 no such revision, or no git."""
)
@click.option(
    "--against", metavar="REF", help="The tag, branch or commit to compare with; by default the last release."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def check(session: Session, against: str | None, *, as_json: bool) -> None:
    """Show what changed in the contracts, and what it breaks.

    Compares the contracts of this checkout with those of the last release
    (shared/contracts/released.json; without that file, origin/main or main), or
    of REF. Consumers ignore unknown fields, so a new optional field is compatible.
    A breaking change needs a new version of the event.
    """
    recorded = references.record()
    before = references.reference(against, recorded=recorded)
    comparisons = (
        compare(before.schemas, references.current(), retired=recorded.retired if recorded else ())
        if before
        else []
    )
    broken = [comparison for comparison in comparisons if not comparison.compatible]
    if as_json:
        session.json(
            {
                "against": before
                and {"name": before.said, "revision": before.revision, "commit": before.commit},
                "compatible": not broken,
                "changes": [
                    {"compatible": comparison.compatible, **_fields(comparison)} for comparison in comparisons
                ],
            }
        )
    else:
        _print(before, comparisons, broken)
        if against is None and (tag := references.unrecorded_tag(recorded)):
            session.note(
                f"Note: the release {tag} is tagged but not recorded. Record it: pipeline contracts release"
            )
    if broken:
        raise click.exceptions.Exit(FAILED)


def _fields(comparison: Comparison) -> dict[str, object]:
    import msgspec  # noqa: PLC0415

    return dict(msgspec.to_builtins(comparison))


def _print(
    before: references.Reference | None, comparisons: list[Comparison], broken: list[Comparison]
) -> None:
    if before is None:
        click.echo(
            "Nothing to compare with: no release is recorded, and there is no main branch here. "
            "Record a release with `pipeline contracts release`."
        )
        return
    click.echo(f"Compared with {before.said}.")
    if not before.schemas:
        click.echo("That revision has no contracts, so every contract is new.")
        return
    for comparison in comparisons:
        click.echo()
        _print_comparison(comparison)
    if comparisons:
        click.echo()
    if broken:
        names = listed(comparison.name for comparison in broken)
        _line(
            f"Breaks: {names}. Either make new fields optional and leave the existing ones unchanged, or publish "
            "a new version beside this one, with an upcaster."
        )
    else:
        click.echo(
            f"{counted(len(comparisons), 'change')}, compatible." if comparisons else "Nothing changed."
        )


_STATES = {
    "added": "new; no consumer has to read it yet",
    "removed": "REMOVED",
    "retired": "retired on purpose",
}


def _print_comparison(comparison: Comparison) -> None:
    verdict = _STATES.get(comparison.state, "changed, compatible" if comparison.compatible else "BREAKS")
    click.secho(f"{comparison.name}: {verdict}", bold=True, fg=None if comparison.compatible else "red")
    publishers, consumers = (
        listed(comparison.publishers) or "nobody",
        listed(comparison.consumers) or "nobody",
    )
    _line(f"from {publishers} to {consumers}", "  ")
    for change in comparison.changes:
        _line(f"{change.path} {change.text}", "  · ")
    if comparison.state == "changed":
        for question, obstacles in (
            ("Can an old consumer read the new event?", comparison.old_reads_new),
            ("Can a new consumer read an old event?", comparison.new_reads_old),
        ):
            click.echo(f"  {question} {'no' if obstacles else 'yes'}")
            for sentence in obstacles:
                _line(sentence, "    ")
    for breakage in comparison.breaks:
        _line(f"{breakage.service} breaks {breakage.when}.", "  ✗ ")


def _line(text: str, indent: str = "") -> None:
    click.echo(
        textwrap.fill(
            text, 80, initial_indent=indent, subsequent_indent=" " * len(indent), break_on_hyphens=False,
            break_long_words=False,
        )
    )  # fmt: skip


@contracts.command(
    epilog="""\b
Examples:
  pipeline contracts export
  pipeline contracts export --check"""
)
@click.option("--check", "only_check", is_flag=True, help="Write nothing; fail if a file is out of date.")
@click.pass_obj
def export(session: Session, *, only_check: bool) -> None:
    """Write the documents of the contracts.

    They are made from the types and the API's routes: JSON Schemas
    (shared/contracts/schemas), an AsyncAPI document of the bus (docs/asyncapi.json),
    an OpenAPI document of the API (docs/openapi.json) and a description of every
    event (docs/contracts.md).
    """
    from contracts import documents  # noqa: PLC0415

    changed = documents.outdated() if only_check else documents.write()
    paths = [str(path.relative_to(references.ROOT)) for path in changed]
    if only_check and paths:
        for path in paths:
            click.echo(f"{path} is out of date.")
        session.note("Update these files: pipeline contracts export")
        raise click.exceptions.Exit(FAILED)
    for path in paths:
        click.echo(f"Wrote {path}")
    if not paths:
        click.echo("All documents are up to date.")


@contracts.command(
    epilog="""\b
Examples:
  pipeline contracts release
  pipeline contracts release --retire pipeline.requested.v1"""
)
@click.option(
    "--retire",
    multiple=True,
    metavar="EVENT",
    help="Release without this removed event version, which nobody uses; repeatable.",
)
def release(retire: tuple[str, ...]) -> None:
    """Record the contracts as released.

    Writes shared/contracts/released.json, with which `pipeline contracts check`
    and CI compare later changes. Commit that file with the release. Breaking
    changes are refused.
    """
    record, comparisons = references.release(retire)
    for comparison in comparisons:
        click.echo(f"  {comparison.name}: {comparison.state}")
    click.echo(
        f"Recorded {counted(len(record.schemas), 'contract')} as release {record.release}. Commit the file."
    )
