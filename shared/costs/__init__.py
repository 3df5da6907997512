"""The cost of one run: dated prices, and a ledger with a line for everything charged.

The package is pure: it uses neither AWS, nor the clock, nor environment variables.
"""
