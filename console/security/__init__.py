"""What keeps the console its operator's own: who may ask, from where, and what a browser may do with the answer."""
