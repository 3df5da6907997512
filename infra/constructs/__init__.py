"""The constructs that stacks are composed of. Each takes keyword arguments and has its resources as attributes."""
