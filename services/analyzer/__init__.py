"""Analyzer: counts, code, questions, complexity of a message."""
