"""An empty handler, which shows the cost of Python and of the runtime client alone."""


def handler(event: object, context: object) -> None:
    """Do nothing."""
