"""The guard of the day's budget: pauses and resumes the starter."""
