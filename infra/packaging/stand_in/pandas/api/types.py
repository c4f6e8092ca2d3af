"""The questions about types that pymilvus asks of pandas, answered for Python's and numpy's own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

_KINDS = {bool: "boolean", int: "integer", float: "floating", str: "string", bytes: "bytes"}


def is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | bytes | int | float | complex | np.generic)


def is_float(value: Any) -> bool:
    return isinstance(value, float | np.floating)


def is_list_like(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | type)


def is_array_like(value: Any) -> bool:
    return is_list_like(value) and hasattr(value, "dtype")


def infer_dtype(value: Any) -> str:
    """The name of the one type of all items, "mixed" if they have several, "empty" if there are none."""
    items = np.asarray(value).ravel().tolist() if hasattr(value, "dtype") else list(value)
    kinds = {type(item) for item in items}
    if kinds == {int, float}:
        return "mixed-integer-float"
    return (_KINDS.get(kinds.pop(), "mixed") if len(kinds) == 1 else "mixed") if kinds else "empty"
