"""`pipeline contracts check`, `export`, `release`."""

import textwrap

import click

from cli.exit_codes import FAILED
from cli.session import Session
from cli.view.text import counted
from contracts import references
from contracts.comparison import Comparison, compare
from contracts.words import listed


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
    """What events promise: compared with earlier, written down, released."""


@contracts.command(
    epilog="""\b
Examples:
  pipeline contracts check
  pipeline contracts check --against HEAD~1
  pipeline contracts check --against v0.1.0 --json
\b
Exit codes: 0 compatible, 1 a change breaks without a new version,
2 no such revision, or no git."""
)
@click.option("--against", metavar="REF", help="A tag, branch or commit; the last release by default.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def check(session: Session, against: str | None, *, as_json: bool) -> None:
    """Say what changed in the contracts, and who can't read it.

    Compares the events and results that the types make now with those of the
    last release (shared/contracts/released.json; without it origin/main or
    main), or of REF. Producing is closed, consuming open: a new optional field
    is compatible. A change that breaks needs a new version of the event.
    """
    recorded = references.record()
    before = references.reference(against, recorded=recorded)
    found = (
        compare(before.schemas, references.current(), retired=recorded.retired if recorded else ())
        if before
        else []
    )
    broken = [one for one in found if not one.compatible]
    if as_json:
        session.json(
            {
                "against": before
                and {"name": before.said, "revision": before.revision, "commit": before.commit},
                "compatible": not broken,
                "changes": [{"compatible": one.compatible, **_fields(one)} for one in found],
            }
        )
    else:
        _say(before, found, broken)
        if against is None and (tag := references.unrecorded_tag(recorded)):
            session.note(f"Note: {tag} is tagged, and not recorded. Record it: pipeline contracts release")
    if broken:
        raise click.exceptions.Exit(FAILED)


def _fields(one: Comparison) -> dict[str, object]:
    import msgspec  # noqa: PLC0415

    return dict(msgspec.to_builtins(one))


def _say(before: references.Reference | None, found: list[Comparison], broken: list[Comparison]) -> None:
    if before is None:
        click.echo(
            "Nothing to compare with: no release is recorded (`pipeline contracts release`), "
            "and there is no main branch here."
        )
        return
    click.echo(f"Compared with {before.said}.")
    if not before.schemas:
        click.echo("It has no contracts yet: all of these are new.")
        return
    for one in found:
        click.echo()
        _say_one(one)
    if found:
        click.echo()
    if broken:
        names = listed(one.name for one in broken)
        _line(
            f"Breaks: {names}. Make what is new optional and leave what was there as it was, or publish the next "
            "version beside this one, with an upcaster."
        )
    else:
        click.echo(f"{counted(len(found), 'change')}, compatible." if found else "Nothing changed.")


_STATES = {
    "added": "new; nobody has to read it",
    "removed": "GONE",
    "retired": "given up on purpose",
}


def _say_one(one: Comparison) -> None:
    verdict = _STATES.get(one.state, "changed, compatible" if one.compatible else "BREAKS")
    click.secho(f"{one.name}: {verdict}", bold=True, fg=None if one.compatible else "red")
    publishers, consumers = listed(one.publishers) or "nobody", listed(one.consumers) or "nobody"
    _line(f"from {publishers} to {consumers}", "  ")
    for change in one.changes:
        _line(f"{change.path} {change.text}", "  · ")
    if one.state == "changed":
        for question, obstacles in (
            ("An old consumer reads the new event", one.old_reads_new),
            ("A new consumer reads an old event", one.new_reads_old),
        ):
            click.echo(f"  {question}: {'no' if obstacles else 'yes'}")
            for sentence in obstacles:
                _line(sentence, "    ")
    for breakage in one.breaks:
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
@click.option("--check", "only_check", is_flag=True, help="Write nothing; fail if a file is not current.")
@click.pass_obj
def export(session: Session, *, only_check: bool) -> None:
    """Write the contracts down, from the types and the API's routes.

    JSON Schemas (shared/contracts/schemas), an AsyncAPI document of the bus
    (docs/asyncapi.json), an OpenAPI document of the API (docs/openapi.json) and
    docs/contracts.md, every event in words.
    """
    from contracts import documents  # noqa: PLC0415

    found = documents.outdated() if only_check else documents.write()
    wrong = [str(path.relative_to(references.ROOT)) for path in found]
    if only_check and wrong:
        for path in wrong:
            click.echo(f"{path} is not current.")
        session.note("Bring them up to date: pipeline contracts export")
        raise click.exceptions.Exit(FAILED)
    for path in wrong:
        click.echo(f"Wrote {path}")
    if not wrong:
        click.echo("Everything is current.")


@contracts.command(
    epilog="""\b
Examples:
  pipeline contracts release
  pipeline contracts release --retire pipeline.requested.v1"""
)
@click.option("--retire", multiple=True, metavar="EVENT", help="A removed version that nobody uses any more.")
def release(retire: tuple[str, ...]) -> None:
    """Record the contracts as released: from now on they are kept.

    Writes shared/contracts/released.json, which `contracts check` and CI
    compare with. Commit it with the release. Refuses changes that break.
    """
    made, found = references.release(retire)
    for one in found:
        click.echo(f"  {one.name}: {one.state}")
    click.echo(f"Recorded {counted(len(made.schemas), 'contract')} as of {made.release}. Commit the file.")
