"""How the API refuses."""


class ApiError(Exception):
    """An answer other than success: HTTP status, a code for machines, a sentence for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
