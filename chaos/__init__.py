"""Seeded fault campaigns on the local engine, which check that no message is lost and no answer is paid for twice."""
