"""The road to 10,000 requests a second, on paper: a seeded simulation of quotas, queues and retries.

Nothing that is deployed imports it. `make scale` runs it and writes docs/scale.md's tables and plots.
"""
