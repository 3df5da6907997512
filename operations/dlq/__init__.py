"""The dead-letter queues: what is parked, why, and a replay that knows about task tokens."""
