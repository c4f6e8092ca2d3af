"""The phrases that long questions are made of, as `phrases.toml` names them by what they do and by their language."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from functions.query.cues import Cues, Word

ASKING, COURTESY, LEADING, PERSONAL, REFERRING = "asking", "courtesy", "leading", "personal", "referring"

_FILE = Path(__file__).with_name("phrases.toml")


def has(table: str, words: Sequence[Word]) -> bool:
    """Whether one of the table's phrases stands in those words."""
    return next(phrases(table).find(words), None) is not None


def languages() -> Collection[str]:
    """Those that have phrases."""
    return _tables()[ASKING].keys()


@lru_cache(maxsize=5)  # as many as there are tables
def phrases(table: str) -> Cues[None]:
    """Of all languages together: a message may mix them."""
    return Cues((phrase, None) for written in _tables()[table].values() for phrase in written)


@lru_cache(maxsize=1)
def _tables() -> Mapping[str, Mapping[str, Sequence[str]]]:
    return tomllib.loads(_FILE.read_text("utf-8"))
