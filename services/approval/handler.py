"""The Lambda handler of the approval: stores each run that is to wait, with its task, and reports no outcome."""

from functools import partial

from services.approval.core import item
from services.approval.settings import Settings
from shared.aws import client
from shared.contracts.approval import ApprovalRequested
from shared.contracts.envelope import Metadata
from shared.runtime import Routes, queue_handler, stage_route
from shared.settings import load
from shared.waiting import Waiting
from shared.worker.outcome import Callback, Held


def run(waiting: Waiting, settings: Settings, request: ApprovalRequested, metadata: Metadata) -> Held:
    return waiting.holding(item(request, metadata), seconds=settings.approval_seconds)


def routes() -> Routes:
    settings = load(Settings)
    waiting = Waiting(client("dynamodb"), settings.approvals_table, Callback(client("stepfunctions")))
    return stage_route("approval", partial(run, waiting, settings))


handler = queue_handler("approval", routes)
