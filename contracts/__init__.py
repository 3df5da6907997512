"""What contracts promise: compared with what was released, and written down for people and tools."""
