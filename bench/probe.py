"""A measured process: it imports a handler, makes its clients, handles messages and prints its measurements as JSON.

`python probe.py NAME MESSAGES [BUNDLE]`: NAME is `bare` (the yardstick, a boto3 Step Functions client that calls
back) or a stage's service, which is imported from its bundle only. AWS calls go to AWS_ENDPOINT_URL.
"""

import json
import resource
import sys
import time
from typing import Any


def cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def bare(event: dict[str, Any], _: object) -> None:
    for record in event["Records"]:
        detail = json.loads(record["body"])["detail"]
        CLIENT.send_task_success(taskToken=detail["task_token"], output="{}")


started_at = time.perf_counter()
name, count = sys.argv[1], int(sys.argv[2])
sys.path[:0] = sys.argv[3:]
event = json.loads(sys.stdin.read())
read_at, read_cpu = time.perf_counter(), cpu()
if name == "bare":
    import boto3

    CLIENT = boto3.client("stepfunctions")
    handler = bare
else:
    import importlib

    handler = importlib.import_module(f"services.{name}.handler").handler
handler(event, None)
first, first_cpu = time.perf_counter(), cpu()
for _ in range(count):
    handler(event, None)
sys.stderr.write(
    json.dumps(
        {
            "first_wall_ms": (first - read_at) * 1000,
            "first_cpu_ms": (first_cpu - read_cpu) * 1000,
            "warm_cpu_ms": (cpu() - first_cpu) * 1000 / count,
            "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "modules": len(sys.modules),
        }
    )
)
