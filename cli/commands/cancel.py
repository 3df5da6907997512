"""`pipeline cancel`."""

import click

from cli.session import Session, TargetCommand
from local.exit_codes import FAILED
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
Exit codes: 0 all are or will be cancelled, 1 some could not be.
With one ID and no --json: 2 not a possible id, 3 not found, 4 not reachable.""",
)
@click.argument("pipeline_ids", metavar="ID...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print the result for each run as JSON.")
@click.pass_obj
def cancel(session: Session, pipeline_ids: tuple[str, ...], *, as_json: bool) -> None:
    """Stop runs that have not finished.

    Each ID is the whole id of a run, as `pipeline list` shows it. A stage that is
    working finishes its work; no further stage starts. The run's status becomes
    FAILED with Pipeline.Cancelled. A replay runs it again only with --restart or
    corrected data. A run that was submitted through the API can be cancelled only
    by its caller.
    """
    results: list[dict[str, object]] = []
    for pipeline_id in pipeline_ids:
        try:
            cancelled = cancelling.cancel(session.target, pipeline_id)
        except OperationError as error:
            if len(pipeline_ids) == 1 and not as_json:
                raise
            results.append({"pipeline_id": pipeline_id, "cancelled": False, "problem": str(error)})
        else:
            results.append({"pipeline_id": pipeline_id, "cancelled": True, "status": cancelled.status})
            if not as_json:
                text = (
                    "was already cancelled."
                    if cancelled.before
                    else f"is {cancelled.status} and will be stopped."
                )
                session.out.print(f"{pipeline_id} {text}", highlight=False)
            continue
        if not as_json:
            session.note(f"{pipeline_id}: {results[-1]['problem']}")
    if as_json:
        session.json(results)
    if not all(result["cancelled"] for result in results):
        raise click.exceptions.Exit(FAILED)
