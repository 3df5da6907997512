"""Failures for lack of a right: how their texts tell them from others, and what names the right (pure)."""

import re

EXAMINATION = ("doctor", "--live")
"""The command that compares the deployed rights with those that are needed, as the words after `pipeline`."""
DENIED = "AWS denied a call."
FINDS = "reads the policies of the deployed roles and queues, and names the role, and the Deny or the missing right."
"""What an examination finds, as the end of a sentence whose subject is the command or the page."""
ELSE = "If it finds none, a policy of the organisation or of another resource denies the call."

_CODE = r"(?:AccessDenied|UnauthorizedOperation|AuthorizationError|NotAuthorizedFor\w+)(?:Exception)?"
_OF_FUNCTION = re.compile(
    rf"answered (?:[\w.]+#)?{_CODE} \(HTTP \d{{3}}\)(?!: )|PutEvents refused \d+ of \d+ events: {_CODE}\b"
)
"""A call of a function that was denied. A text that goes on after a colon tells the reason itself, which is none of
the role's: the account has no subscription to the model, or the model does not take a part of the request.
"""
_OF_WORKFLOW = re.compile(rf"(?:\w+\.)?{_CODE}|States\.Permissions|NO_PERMISSIONS")
"""The error of a task that Step Functions, or of a delivery that EventBridge may not do."""
_IN_ANSWER = re.compile(rf'not authorized to perform:? |"ErrorCode" ?: ?"{_CODE}"')
"""What the causes of such errors say under another name."""


def is_denial(error: str | None, cause: str | None) -> bool:
    """Return whether a failure was a denied call: of one of our functions, of the workflow, or of a rule."""
    if error and _OF_WORKFLOW.fullmatch(error):
        return True
    return bool(cause and (_OF_FUNCTION.search(cause) or _IN_ANSWER.search(cause)))
