"""Trigger: accepts requests at the API, and starts exactly one execution per pipeline id."""
