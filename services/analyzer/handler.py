"""The Lambda handler of the analyzer: answers each analysis.requested event with an Analysis."""

from services.analyzer.core import analyze
from shared.contracts.envelope import Metadata
from shared.contracts.v1 import Analysis, AnalysisRequested
from shared.runtime import queue_handler, stage_route


def run(request: AnalysisRequested, _: Metadata) -> Analysis:
    return analyze(request.user_message)


handler = queue_handler("analyzer", lambda: stage_route("analyzer", run))
