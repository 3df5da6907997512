"""The tool that adds stages to this checkout and removes them: their folder, contract types and row."""
