"""Measures speed and memory, each against a baseline of the same run: `make bench`."""
