"""What a single value of a request may be."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

MAX_QUESTION_CHARACTERS = 8_000
MAX_JSON_DEPTH = 20

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def without_controls(text: object) -> object:
    return _CONTROLS.sub(" ", text) if isinstance(text, str) else text


def _no_controls(text: str) -> str:
    if _CONTROLS.search(text):
        raise ValueError("control characters are not allowed here")
    return text


def holdable(value: Any, depth: int = MAX_JSON_DEPTH) -> Any:
    """JSON that every store can hold: no control characters or half surrogate pairs, finite numbers, an end to nesting."""
    if depth == 0:
        raise ValueError(f"it is nested more than {MAX_JSON_DEPTH} levels deep")
    if isinstance(value, str):
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError("half a surrogate pair is not a character")
        _no_controls(value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("numbers must be finite")
    elif isinstance(value, dict | list):
        for part in [*value, *value.values()] if isinstance(value, dict) else value:
            holdable(part, depth - 1)
    return value


def _in_utc(moment: datetime) -> datetime:
    """A moment that names no zone is meant in UTC, wherever this runs."""
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("years go from 1 to 9999") from None


Plain = Annotated[str, AfterValidator(_no_controls)]
Comment = Annotated[str, StringConstraints(max_length=2_000), BeforeValidator(without_controls)]
Moment = Annotated[datetime, AfterValidator(_in_utc)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Question = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_QUESTION_CHARACTERS),
    BeforeValidator(without_controls),
]
AnswerText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500_000)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_no_controls)]
Labels = Annotated[list[Label], Field(min_length=1, max_length=100)]
Json = dict[str, Any]
