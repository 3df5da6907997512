"""Benchmarks of each deployed function, run from its bundle by AWS's runtime client, and of three yardsticks."""
