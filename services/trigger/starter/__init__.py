"""The starter: exactly one execution per pipeline id."""
