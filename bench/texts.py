"""The prose of docs/benchmarks.md: how each part is measured, and why some goals are not met."""

from typing import Final

ABOUT: Final = {
    "cold": (
        "Each function runs from its zip file, which is an asset of the app as it is synthesised for the local "
        "engine, under AWS's runtime client. It calls a stand-in for AWS on loopback, which answers at once and "
        "speaks TLS. Our functions trust only Amazon's certificate authorities, as they do when deployed; the "
        "yardsticks trust botocore's list. No process leaves byte code for the next one. The zip files for AWS have "
        "wheels and byte code for Python 3.14 on arm64, which this machine does not have, so they are tested on "
        "Python 3.14 (`tests/aws_python`), but not timed. The yardsticks run in the same rounds: an empty "
        "handler (`empty`); a handler that only calls back with a boto3 client (`bare boto3`); and a handler with "
        "Powertools' Logger, Metrics, Tracer, parser, batch and idempotency, pydantic and X-Ray's SDK "
        "(`conventional`). They contain whole packages without byte code, as wheels are unpacked and as "
        "Lambda's guide advises, so each cold start compiles them; each also runs with byte code, as our "
        "functions have it. Values are medians, with minimum and maximum in brackets."
    ),
    "limited": (
        "The same functions in a cgroup with the limits that Lambda sets: their memory and, after the init, a share "
        "of a CPU in periods of 20 ms: 0.0724 for 128 MB, 0.1447 for 256 MB, 0.1809 for 320 MB. The stand-in for AWS "
        "speaks TLS. Messages follow each other without a pause, over open connections. AWS closes idle connections: "
        "after a pause, a message finds all of them closed. Prices are those of us-east-1 for arm64, for messages "
        "that come one at a time, and assume 10 ms for each call to AWS and 2 s for the model, as no account has "
        "been measured."
    ),
    "soak": "One process of each function handles batch after batch. No two messages are the same.",
    "sizes": (
        "The zip files of the app as it is synthesised for the local engine, with byte code for this machine's "
        "Python. Modules that a cold start does not load are needed only for errors, replays or other configurations."
    ),
    "end-to-end": (
        "The pipeline (`events`) on the local engine, with IAM enforced, compared with a design in which Step "
        "Functions calls the same functions directly (`direct`; `direct, patient` retries until it succeeds). Limits "
        "and model server are the same. A burst is published at once. Its throughput is the number of runs that "
        "succeeded, divided by the time until all runs have ended."
    ),
    "cost": (
        "In dollars, from the meters of real runs on the engine, and the price list and sizes of logs in "
        "`shared/costs` as of 2026-11-29."
    ),
    "analyzer": (
        "CPU time for the longest messages. A search finds the slowest ones (`bench/analyzer_search.py`)."
    ),
    "console": (
        "A page of 50 out of 100,000 runs, from a console in a process of its own, with stand-ins for Step Functions "
        "and DynamoDB, each of whose answers takes 15 to 30 ms. A page takes two calls, one after the other. The "
        "first page is requested as soon as the process prints its address. Sizes are as sent, compressed."
    ),
    "setup": (
        "In a new clone with an empty home folder. The first `make run` downloads everything that is needed, "
        "including the small model, and ends with that model's answer; the time for downloads depends on the "
        "network."
    ),
}

CORRECTION: Final = (
    "**What was wrong here until 2026-11-29.** The functions were measured from copies of their bundles in which "
    "the benchmark itself had compiled all modules. The published times (149 to 172 ms of CPU, 0.75 to 0.88 of "
    "bare boto3) were those of bundles that nobody deployed: the deployed ones had no byte code, and "
    "Lambda's files are read-only, so each real cold start compiled 200 modules. Measured as they were deployed, "
    "the functions took 325 to 354 ms of CPU, twice as long as bare boto3 with byte code. Since then bundles have "
    "byte code, all benchmarks and budgets use the zip files, and the yardsticks run without and with byte code. "
    "Bundles also had packages with edited imports; each edit saved only one to three per cent, so the packages are "
    "now as published (docs/decisions)."
)

REASONS: Final = {
    "cold": (
        "**Cold start.** The remaining time is botocore's: importing it and making a client take most of a "
        "function's init."
    ),
    "limited": (
        "**Warm messages.** Nearly all the time of a warm message is botocore's part of its calls to AWS (signing, "
        "hooks, HTTP): one call for the analyzer and the enhancer, two for the API and the starter, three for the "
        "logger, four for the chatbot. A share of a CPU is a part of each period of 20 ms, so times come in steps of "
        "20 ms. As messages follow each other without a pause, each one also pays for the CPU time that the one "
        "before used up. The chatbot waits for the model for seconds, and its memory costs money all that time: 256 "
        "MB would raise the cost of a run by as much as all other functions cost together, and a message would still "
        "take more than 50 ms. A custom AWS client would help more (docs/decisions says why there is none)."
    ),
    "soak": "**Memory over time.** A function's memory grows, which is a defect.",
    "sizes": (
        "**Bundles.** A bundle contains modules that no import reaches, which is a defect in `infra/bundling.py`."
    ),
    "end-to-end": (
        "**Bursts.** Sixteen chatbots with a model that takes 0.3 s allow 53 runs a second, less the time that each "
        "waits for its four calls to the engine under load. The engine is one Python process: a run makes eleven "
        "HTTP calls to it, a run of the direct design two. Answering calls takes five sixths of the engine's time: a "
        "quarter is IAM, a sixth DynamoDB. Each call keeps a promise (an answer is paid for once, a record precedes "
        "its event, an event its callback), so none can be left out. The direct design comes close only because most "
        "of its runs fail: they give up after three retries, which is next to no work, and the measure is successes "
        "per second. Of 1,000 runs it loses two thirds, of 5,000 six sevenths. On AWS the engine's parts are "
        "separate services, and the limit is the model's quota (docs/scale.md)."
    ),
    "setup": (
        "**Set-up.** The first `make run` writes more than 80,000 files. On the machine of these measurements it "
        "takes 31 to 35 s, but 45 to 60 s if as many files were deleted shortly before; most of the additional time "
        "is spent in the kernel."
    ),
    "cost": "**Cost.** Callbacks need more requests than direct calls.",
    "console": "**Console.** The rest of a page's time is rendering, and other work of the machine.",
    "analyzer": (
        "**Analyzer.** Its patterns read every character a few times, in linear time. A message made of the texts "
        "that the patterns look for takes several times as long as English prose. 32 KB are five thousand words; an "
        "ordinary message takes a hundredth of that time. To be faster, the analyzer would have to read only a part "
        "of a long message (docs/decisions)."
    ),
}
"""By part: why goals of this part are not met. Printed only if one is not."""
