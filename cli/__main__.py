"""The start of the `pipeline` command. Ctrl-C ends it without a traceback, also while its modules are imported."""

import sys


def main() -> None:
    try:
        from cli.main import main as run  # noqa: PLC0415 -- most of the time before the command acts is spent here

        run()
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
