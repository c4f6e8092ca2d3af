"""Stands for pydantic.v1 in a package, which FastAPI imports to tell whether it was given a model of that age.

It never was, and the real one costs every cold start some forty milliseconds.
"""

from __future__ import annotations


class BaseModel:
    """What nothing here is an instance of."""
