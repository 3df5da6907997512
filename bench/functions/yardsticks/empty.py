"""What Python and the runtime client take by themselves."""


def handler(event: object, context: object) -> None:
    """Does nothing."""
