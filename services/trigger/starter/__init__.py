"""The starter: starts exactly one execution per pipeline id."""
