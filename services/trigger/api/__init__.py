"""The HTTP API: accepts requests, shows, lists and cancels pipelines."""
