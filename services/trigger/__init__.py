"""Trigger: accepts requests through the HTTP API, and starts exactly one execution per pipeline id."""
