"""What an LLM answers over HTTP: a chat completion, of which anything may be missing."""

from __future__ import annotations

import json
from typing import Any

from shared.errors import StoreUnavailableError

MAX_ANSWER_BYTES = 1_000_000


def content_of(body: bytes) -> str:
    """What the LLM said: the first choice of a chat completion. Raises StoreUnavailableError if there is none."""
    try:
        completion: Any = json.loads(body)
        content = completion["choices"][0]["message"]["content"]
    except (ValueError, RecursionError, KeyError, IndexError, TypeError) as error:
        raise StoreUnavailableError("The LLM did not answer with a chat completion.") from error
    if not isinstance(content, str):
        raise StoreUnavailableError("The LLM said nothing.")
    return content
