"""The web console: pages over the operations library, served on loopback to the person who started it."""
