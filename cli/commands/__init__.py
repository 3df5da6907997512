"""One module per command: options, calls to `operations`, and what the user sees."""
