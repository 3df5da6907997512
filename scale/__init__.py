"""A seeded simulation of quotas, queues and retries at up to 10,000 requests a second. Not deployed.

`make scale` runs it and writes the tables and plots of docs/scale.md.
"""
