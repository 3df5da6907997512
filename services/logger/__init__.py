"""Logger: writes each run's record when it succeeds or fails, and announces it on the bus."""
