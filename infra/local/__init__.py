"""Lockstep whole on one machine: embedded stores, a watched bucket, timers, and the gateway."""
