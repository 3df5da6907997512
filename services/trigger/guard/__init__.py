"""The guard of the daily budget: pauses and resumes the starter."""
