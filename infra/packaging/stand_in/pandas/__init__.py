"""Stands for pandas in a package, which pymilvus imports to tell whether it was given a DataFrame. It never was."""

from __future__ import annotations


class DataFrame:
    """What nothing here is an instance of."""


class Series:
    """Likewise."""
