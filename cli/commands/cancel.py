"""`pipeline cancel`."""

import click

from cli.exit_codes import FAILED
from cli.session import Session, TargetCommand
from operations.asking import cancel as cancelling
from operations.errors import OperationError


@click.command(
    cls=TargetCommand,
    epilog="""\b
Examples:
  pipeline cancel 9f1c2e…
  pipeline list --status RUNNING --json | jq -r .[].pipeline_id \\
    | xargs pipeline cancel
\b
Exit codes: 0 all will end or have been cancelled, 1 some were not,
3 not found.""",
)
@click.argument("pipeline_ids", metavar="ID...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print what became of each as JSON.")
@click.pass_obj
def cancel(session: Session, pipeline_ids: tuple[str, ...], *, as_json: bool) -> None:
    """Stop pipelines that are not over.

    A stage at work ends its work; no further stage begins. The record then says
    FAILED with Pipeline.Cancelled, and no replay runs it again. Pipelines that
    came through the API can be cancelled by their callers alone.
    """
    found = []
    for pipeline_id in pipeline_ids:
        try:
            one = cancelling.cancel(session.target, pipeline_id)
        except OperationError as error:
            if len(pipeline_ids) == 1 and not as_json:
                raise
            found.append({"pipeline_id": pipeline_id, "cancelled": False, "problem": str(error)})
        else:
            found.append({"pipeline_id": pipeline_id, "cancelled": True, "status": one.status})
            if not as_json:
                told = "was cancelled before." if one.before else f"is {one.status} and will be stopped."
                session.out.print(f"{pipeline_id} {told}", highlight=False)
            continue
        if not as_json:
            session.note(f"{pipeline_id}: {found[-1]['problem']}")
    if as_json:
        session.json(found)
    if not all(one["cancelled"] for one in found):
        raise click.exceptions.Exit(FAILED)
