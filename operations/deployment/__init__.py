"""The stacks of a deployment: their states, what a new version changes in them, and their deletion."""
