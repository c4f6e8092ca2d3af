"""Runs Lockstep: migrations, the laptop, the command line, packaging. It may import everything; nobody imports it."""
