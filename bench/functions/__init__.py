"""Measures each deployed function from its own bundle, under AWS's runtime client, and three yardsticks."""
