"""Whether a text supports what was written from it: by the words that both have, and by every number.

Measured on MedQuAD: of the "key points" above CancerGov's texts, which sum them up, 80 % have at least 0.8 of their words in
the text below (as many as at 0.75; most of the others are not said there again). Of the same sentences 17 % reach it in
another section of the same document, and 2 % in another text.
"""

from __future__ import annotations

import re

from shared.analysis import words

MIN_SUPPORT = 0.8  # of the answer's words that the text must have
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def is_supported(answer: str, text: str) -> bool:
    """Whether the text has the answer's numbers, all of them, and enough of its words."""
    return _numbers_of(answer) <= _numbers_of(text) and support(answer, text) >= MIN_SUPPORT


def support(answer: str, text: str) -> float:
    """The share of the answer's different words that are words of the text too; 0 where it has none."""
    said = set(words(answer))
    return len(said & set(words(text))) / len(said) if said else 0.0


def _numbers_of(text: str) -> set[str]:
    return {number.replace(",", ".") for number in _NUMBER.findall(text)}
