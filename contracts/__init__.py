"""Comparison of the contracts with those released earlier, and their documents for people and programs."""
