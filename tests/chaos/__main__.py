"""`python -m tests.chaos`: breaks the pipeline on an engine of its own, and checks that nothing was lost."""

import argparse

from tests.chaos.campaign import Options, run

p = argparse.ArgumentParser()
p.add_argument("--seed", type=int, default=1)
p.add_argument("--pipelines", type=int, default=2000)
p.add_argument("--rate", type=float, default=20)
a = p.parse_args()
o = run(
    Options(seed=a.seed, pipelines=a.pipelines, per_second=a.rate), tell=print, progress=lambda s: print(s)
)
from collections import Counter

print(Counter(i.fault for i in o.injections))
print(o.seconds, o.publishing_seconds, o.given_up)
for v in o.violations[:30]:
    print(v)
