"""The command as a user calls it."""

from click.testing import CliRunner, Result

from cli.main import cli


def call(*words: str, text: str | None = None) -> Result:
    return CliRunner().invoke(cli, list(words), input=text)
