"""The command as a user calls it."""

from click.testing import CliRunner, Result

from cli.main import cli


def call(*words: str, stdin: str | bytes | None = None, **variables: str) -> Result:
    """Call the command in a terminal of 80 columns, with these variables in its environment."""
    return CliRunner(env={"COLUMNS": "80", **variables}).invoke(cli, words, input=stdin)
