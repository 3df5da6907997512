"""The prose of docs/benchmarks.md: how each part is measured, and why some goals are not met."""

from typing import Final

ABOUT: Final = {
    "cold": (
        "Each function runs from its zip file, which is an asset of the app as it is synthesised for the local "
        "engine, under AWS's runtime client, and calls an AWS on loopback that answers at once and speaks TLS: our "
        "functions trust Amazon's authorities, as they are deployed, and yardsticks botocore's. No process leaves "
        "byte code for the next one. The zip files for AWS differ in their wheels' processor and in the version "
        "of the byte code: they are for Python 3.14 on arm64, which this machine does not have, so they are "
        "tested on Python 3.14 (`tests/aws_python`), but not timed. Yardsticks run in the same rounds: an empty "
        "handler (`empty`); a handler that only calls back with a boto3 client (`bare boto3`); and a handler with "
        "Powertools' Logger, Metrics, Tracer, parser, batch and idempotency, pydantic and X-Ray's SDK "
        "(`conventional`). They have their whole packages without byte code, as wheels are unpacked and as "
        "Lambda's guide advises, so that each cold start compiles; beside these, they run with byte code as our "
        "functions have it. Values are medians, with minimum and maximum in brackets."
    ),
    "limited": (
        "The same functions in a cgroup with the limits that Lambda sets: their memory and, after the init, a share "
        "of a CPU in periods of 20 ms: 0.0724 for 128 MB, 0.1447 for 256 MB, 0.1809 for 320 MB. AWS speaks TLS. "
        "Messages follow each other without a pause, over open connections. AWS closes quiet connections; after a "
        "pause, a message finds all of them closed. Prices are those of us-east-1 for arm64, for messages that come "
        "one at a time, and assume 10 ms for each call to AWS and 2 s for the model, as no account has been measured."
    ),
    "soak": "One process of each function handles batch after batch. No two messages are the same.",
    "sizes": (
        "The zip files of the app as it is synthesised for the local engine, with byte code for this machine's "
        "Python. Modules that a cold start does not load are imported for errors, replays or other configurations "
        "only."
    ),
    "end-to-end": (
        "The pipeline (`events`) on the local engine, with IAM enforced, beside a design whose Step Functions call "
        "the same functions directly (`direct`; `direct, patient` retries until it succeeds). Limits and model "
        "server are the same. A burst is published at once. Its throughput is the number of runs that succeeded, "
        "divided by the time until all runs have ended."
    ),
    "cost": (
        "In dollars, from the meters of real runs on the engine, and the price list and sizes of logs in "
        "`shared/costs` as of 2026-11-29."
    ),
    "analyzer": (
        "CPU time for the longest messages. A search finds the slowest ones (`bench/analyzer_search.py`)."
    ),
    "console": (
        "A page of 50 out of 100,000 runs, from a console in a process of its own, with doubles of Step Functions "
        "and DynamoDB, each of whose answers takes 15 to 30 ms. A page takes two calls, one after the other. The "
        "first page is asked for as soon as the process says where it is. Sizes are as sent, compressed."
    ),
    "setup": (
        "In an empty clone with an empty home folder. The first `make run` downloads everything that is needed, the "
        "small model as well, and ends with that model's answer; the time of downloads depends on the network."
    ),
}

CORRECTION: Final = (
    "**What was wrong here until 2026-11-29.** The functions were measured from copies of their bundles in which "
    "the benchmark itself had compiled all modules. The published times (149 to 172 ms of CPU, 0.75 to 0.88 of "
    "bare boto3) were those of something that nobody deployed: the deployed bundles had no byte code, and "
    "Lambda's files are read-only, so each real cold start compiled 200 modules. Measured as they were deployed, "
    "the functions took 325 to 354 ms of CPU, twice as long as bare boto3 with byte code. Since then bundles have "
    "byte code, all benchmarks and budgets use the zip files, and the yardsticks run without and with byte code. "
    "Bundles also had packages with edited imports; each edit saved one to three per cent, and the packages are "
    "now as published (docs/decisions)."
)

REASONS: Final = {
    "cold": (
        "**Cold start.** The time that is left is botocore's: importing it and making a client take most of a "
        "function's init."
    ),
    "limited": (
        "**Warm messages.** Nearly all the time of a warm message is botocore's part of its calls to AWS (signing, "
        "hooks, HTTP): one call for the analyzer and the enhancer, two for the API and the starter, three for the "
        "logger, four for the chatbot. A share of a CPU is a part of each period of 20 ms, so times come in steps of "
        "20 ms. As messages follow each other without a pause, each one also pays for the CPU time that the one "
        "before used up. The chatbot waits for the model for seconds, and its memory costs money all that time: with "
        "256 MB, a run would cost more by what all other functions cost together, and a message still take more than "
        "50 ms. A custom AWS client would help more (docs/decisions says why there is none)."
    ),
    "soak": "**Memory over time.** A function's memory grows, which is a defect.",
    "sizes": (
        "**Bundles.** A bundle contains modules that no import reaches, which is a defect in `infra/bundling.py`."
    ),
    "end-to-end": (
        "**Bursts.** Sixteen chatbots with a model of 0.3 s allow 53 runs a second, less what each of them waits for "
        "its four calls to the engine under load. The engine is one Python process: a run makes eleven HTTP calls to "
        "it, a run of the direct design two. Answering calls takes five sixths of the engine's time: a quarter is "
        "IAM, a sixth DynamoDB. Each call keeps a promise (an answer is paid for once, a record precedes its event, "
        "an event its callback), so none can be left out. The direct design comes close because of its failures: its "
        "runs give up after three retries, which is next to no work, and the measure is successes per second. Of "
        "1,000 runs it loses two thirds, of 5,000 six sevenths. On AWS these are separate services, and the limit is "
        "the model's quota (docs/scale.md)."
    ),
    "setup": "**Set-up.** Most of the time is that of downloads, on a slow network or a busy machine.",
    "cost": "**Cost.** Callbacks need more requests than direct calls.",
    "console": "**Console.** The rest of a page's time is rendering, and whatever else the machine does.",
    "analyzer": (
        "**Analyzer.** Its patterns read every character a few times, in linear time. A message made of the texts "
        "that the patterns look for takes several times as long as English prose. 32 KB are five thousand words; an "
        "ordinary message takes a hundredth of that time. To be faster, the analyzer would have to read only a part "
        "of a long message (docs/decisions)."
    ),
}
"""By part: why goals of this part are not met. Printed only if one is not."""
