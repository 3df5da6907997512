"""Benchmarks. Their goals compare measurements of the same run where possible, because machines differ."""
