"""The parts stacks are composed of: narrow keyword arguments in, resources as attributes out."""
