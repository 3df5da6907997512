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
        "**Warm messages at 128 MB.** Nearly all that a warm message takes is botocore's part of its calls to AWS "
        "(signing, hooks, HTTP): one call for the analyzer and the enhancer, two for the API and the starter, "
        "three for the logger, four for the chatbot. 0.0724 of a CPU are 1.4 ms in each 20, so times come in "
        "steps of 20 ms, with caches gone cold in each pause, and without a pause between messages each pays for "
        "the one before. Twice the memory halves the time. What would help more is an AWS client of one's own "
        "(docs/decisions says why not)."
    ),
    "soak": "**Memory over time.** It grows: a defect.",
    "sizes": "**Bundles.** Something is bundled that no import reaches: a defect in `infra/bundling.py`.",
    "end-to-end": (
        "**Bursts.** The engine is one Python process, and it is what is busy: a run makes eleven HTTP calls to "
        "it, the direct design two. A quarter of its time is HTTP itself, a fifth IAM, a sixth DynamoDB. That "
        "the direct design comes close is how it fails: its runs give up after three more tries, which is next to "
        "no work, and what counts here is successes per second; of 1,000 it loses two thirds. On AWS these are "
        "separate services, and the limit is the model's quota (docs/scale.md)."
    ),
    "cost": "**Cost.** Callbacks cost more requests than direct calls.",
    "analyzer": (
        "**Analyzer.** Its patterns read every character a few times. All of it is linear; a message that is made "
        "of what the patterns look for takes some times as long as English does. 32 KB are five thousand words: "
        "an ordinary message takes a hundredth of that. Faster would mean to read only a part of a long message "
        "(docs/decisions)."
    ),
}
"""By part, for the goals that are not met."""
