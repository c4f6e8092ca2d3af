"""Values that come back from both stores exactly as they went in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

MAX_DEPTH = 12
_EXACT_INTEGER = 2**53
_LARGE_FLOAT = 1e15  # Postgres and JSON libraries write larger ones in different ways


def plain_value(value: Any, depth: int = 0) -> Any:
    """The value as JSON that every store keeps alike: odd numbers become text, odd types too, deep ones also."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, int):
        return value if abs(value) <= _EXACT_INTEGER else str(value)
    if isinstance(value, float):
        return _plain_float(value)
    if depth < MAX_DEPTH and isinstance(value, Mapping):
        return {clean(str(name)): plain_value(item, depth + 1) for name, item in value.items()}
    if depth < MAX_DEPTH and isinstance(value, list | tuple):
        return [plain_value(item, depth + 1) for item in value]
    return plain_text(value)


def plain_text(value: Any, depth: int = 0) -> str:
    """The value as a person would write it; empty for nothing, and for what is nested too deep."""
    if value is None:
        return ""
    if isinstance(value, str):
        return clean(value).strip()
    if isinstance(value, Mapping | list | tuple) and depth >= MAX_DEPTH:
        return ""
    if isinstance(value, list | tuple):
        return "; ".join(text for item in value if (text := plain_text(item, depth + 1)))
    if isinstance(value, Mapping):
        named = ((clean(str(name)), plain_text(item, depth + 1)) for name, item in value.items())
        return "; ".join(f"{name}: {text}" for name, text in named if text)
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer() and abs(value) < _LARGE_FLOAT:
        return str(int(value))
    return clean(str(value)).strip()


def clean(text: str) -> str:
    """Without NUL and lone surrogates, which Postgres or UTF-8 cannot hold."""
    if "\0" in text:
        text = text.replace("\0", "")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode("utf-8")
    return text


def _plain_float(value: float) -> Any:
    if not math.isfinite(value) or abs(value) >= _LARGE_FLOAT:
        return str(value)
    return 0.0 if value == 0 else value
