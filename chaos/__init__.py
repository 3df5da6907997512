"""Seeded fault campaigns against the local engine: nothing is lost, nothing is paid for twice."""
