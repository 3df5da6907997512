"""The prose of docs/benchmarks.md: how each part is measured, and why a goal is not met where it is not."""

from typing import Final

ABOUT: Final = {
    "cold": (
        "Each function from its real bundle, under AWS's runtime client, with an AWS on loopback that answers"
        " at once. Three yardsticks in the same rounds: an empty handler; one that only calls back with a "
        "boto3 client; one in the conventional way (Powertools' Logger, Metrics, Tracer, parser, batch and "
        "idempotency, pydantic, X-Ray's SDK). Medians, with the least and the most."
    ),
    "limited": (
        "The same in a cgroup of 128 MB that after the init has 0.0724 of a CPU, as a function of 128 MB has,"
        " in periods of 20 ms. Messages follow each other without a pause."
    ),
    "soak": "One process for each function, batch after batch, each message another.",
    "sizes": (
        "Bundles as they are deployed, for this machine's Python. What is not loaded at first is what an "
        "error, a replay or another configuration needs."
    ),
    "end-to-end": (
        "On the local engine, with IAM enforced, beside a design whose Step Functions call the same functions"
        " directly (`direct`; `patient` tries again until it succeeds), with the same limits and the same "
        "model server. A burst is published at once; what counts is what succeeded, divided by the time until"
        " all is over."
    ),
    "cost": "In dollars, from what real runs on the engine metered and the price list in `shared/costs`.",
    "analyzer": "CPU for the longest messages; the worst are searched for (`bench/analyzer_search.py`).",
    "setup": "With the package managers' caches filled: what a network takes is another matter.",
}

LIMITS: Final = {
    "cold": (
        "**Cold start.** What is left is botocore: importing it and making a client is nine tenths of a "
        "function's init."
    ),
    "limited": (
        "**Warm messages at 128 MB.** A call to AWS costs 0.7 ms of CPU in botocore (signing, events, HTTP), "
        "nearly all that a warm message takes: one call for the analyzer and the enhancer, two for the API "
        "and the starter, three for the logger, four for the chatbot. 0.0724 of a CPU are 1.4 ms in each 20, "
        "and with no pause between messages each pays for the one before. Twice the memory halves the time; "
        "the model takes a hundred times as long."
    ),
    "soak": "**Memory over time.** It grows: a defect.",
    "sizes": "**Bundles.** Something is bundled that no import reaches: a defect in `infra/bundling.py`.",
    "end-to-end": (
        "**Bursts.** The engine is one Python process, and its event loop is busy for three quarters of the "
        "time: a run makes eleven HTTP calls to it, the direct design two. A third of that is HTTP itself, a "
        "sixth IAM, a sixth DynamoDB. Between 1,000 and 5,000 events its tables grow and each call gets "
        "slower. On AWS these are separate services, and the limit is the model's quota (docs/scale.md)."
    ),
    "cost": "**Cost.** Callbacks cost more requests than direct calls.",
    "analyzer": (
        "**Analyzer.** Its patterns read every character a few times; a message of 32 KB takes some 7 ms if "
        "it is English, and more if it is made of what the patterns look for. All of it is linear. 32 KB are "
        "five thousand words: ordinary messages take a hundredth of that."
    ),
}
"""By part, for the goals that are not met."""
