"""`pipeline deploy`."""

import click

from cli.operations import engine
from cli.session import Session, TargetCommand
from cli.steps import shown


@click.command(
    cls=TargetCommand,
    epilog="""\b
Examples:
  pipeline deploy --service analyzer
  pipeline --env dev deploy
  pipeline --env prod deploy --service chatbot --yes""",
)
@click.option("--service", metavar="NAME", help="Only this one; a service, or `platform`, `workflow`, …")
@click.option("--yes", is_flag=True, help="Don't ask before deploying to an AWS account.")
@click.option("--json", "as_json", is_flag=True, help="Print what was deployed as JSON.")
@click.pass_obj
def deploy(session: Session, service: str | None, *, yes: bool, as_json: bool) -> None:
    """Deploy all stacks, or one service alone.

    To the local engine, or with --env to AWS: there it says account and region
    first, and asks.
    """
    engine.check_part(service)
    target = session.target
    if not (session.is_local or yes):
        click.confirm(f"Deploy {service or 'all stacks'} to this account?", abort=True, err=True)
    with shown(session) as say:
        changed = engine.deploy(target, service, say)
    if as_json:
        session.json({"env": session.env, "service": service, "deployed": changed})
    else:
        click.echo(
            f"Deployed {service or 'all stacks'}." if changed else "Nothing has changed since the last time."
        )
