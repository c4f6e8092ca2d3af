"""Measures how well the default configuration finds, on sets that others made, beside simple baselines: `make relevance`."""
