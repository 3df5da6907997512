"""Logger: writes each pipeline's record, finished or failed, and says so on the bus."""
