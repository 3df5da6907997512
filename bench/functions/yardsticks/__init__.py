"""Handlers to compare with; each is copied beside its packages and run alone."""
