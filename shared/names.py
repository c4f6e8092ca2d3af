"""Names: what a pair is called, and which phrases of a text could be names.

A name is known by its key: its words, folded as for lexical search, with a space between. So a name is found in a text
whatever the case, the accents, or the punctuation around it, and in scripts without spaces as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from shared.aliases import aliases_of, folded_name
from shared.analysis import words
from shared.domain.graph import ADDRESS, Name

MAX_NAME_WORDS = 10
MAX_KEY_CHARACTERS = 200
LONGEST_NAME = 4 * MAX_KEY_CHARACTERS  # in characters, before it is folded
LEAD_WORDS = 3  # by which longer names are looked up
MAX_NAMES = 64  # of one pair
MAX_PASSAGES = 200  # of one pair that are searched for names; what stands further down is found by words all the same
MAX_QUESTION_WORDS = (
    300  # that are searched for names: a long message tells what it asks about at its beginning or its end
)

# Fields of a record, their names folded, that hold what it is about.
FOCUS_FIELDS = ("focus", "entity", "title", "name", "baslik", "konu", "제목")

_IN_BRACKETS = re.compile(r"\s*[(（\[][^()（）\[\]]*[)）\]]\s*$")
_IS_QUESTION = re.compile(r"[?？؟]\s*$")


def key_of(name: str) -> str | None:
    """The key of a name; None for what cannot be one: no word in it, a letter or two, a mere number, or too long."""
    if len(name) > LONGEST_NAME:
        return None
    parts = list(words(name))
    key = " ".join(parts)
    shortest = 3 if key.isascii() else 2  # "is" and "at" are acronyms too, and 신 is a syllable
    is_name = parts and len(parts) <= MAX_NAME_WORDS and shortest <= len(key) <= MAX_KEY_CHARACTERS
    return key if is_name and not key.replace(" ", "").isnumeric() else None


def names_of(
    *,
    question: str,
    heading_path: Sequence[str],
    fields: Mapping[str, Any],
    document_title: str | None,
    addresses: Sequence[str] = (),
) -> list[Name]:
    """What a pair is called, each key once, the most telling kind first; at most MAX_NAMES, and its addresses.

    A record: its question or title unless it asks something, its focus, its aliases. A section: its heading, and the
    title of its document, which the other sections share. An address begins with a slash, which the key of no other name has.
    """
    found: dict[str, Name] = {}
    for text, kind in _candidates(question, heading_path, fields, document_title):
        if len(text) > LONGEST_NAME:
            continue
        for variant, variant_kind in ((text, kind), (_IN_BRACKETS.sub("", text), "alias" if kind == "focus" else kind)):
            key = key_of(variant)
            if key is not None and len(found) < MAX_NAMES:
                found.setdefault(key, Name(key, variant.strip(), variant_kind))
    return [*found.values(), *(Name(address, address, ADDRESS) for address in addresses)]


def _candidates(
    question: str, heading_path: Sequence[str], fields: Mapping[str, Any], document_title: str | None
) -> Iterator[tuple[str, str]]:
    if heading_path:
        if len(list(words(heading_path[-1][:MAX_KEY_CHARACTERS]))) > 1:  # "Introduction" names nothing
            yield heading_path[-1], "heading"
        yield document_title or "", "document"
    elif not _IS_QUESTION.search(question):
        yield question, "focus"
    folded = {folded_name(field): value for field, value in fields.items()}
    for field in FOCUS_FIELDS:
        yield from ((text, "focus") for text in _texts(folded.get(field)))
    yield from ((text, "alias") for text in aliases_of(fields))


def _texts(value: Any) -> list[str]:
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)]


def phrases(text: str, *, max_words: int | None = None, longest: int = MAX_NAME_WORDS) -> Iterator[str]:
    """The keys of all names of up to `longest` words that could stand in a text: its runs of words, place by place.

    Of more than `max_words` words the first and the last half of so many are read.
    """
    found = list(words(text))
    if max_words is None or len(found) <= max_words:
        yield from _runs(found, longest)
    else:
        last = max_words // 2
        yield from _runs(found[: max_words - last], longest)
        yield from _runs(found[len(found) - last :], longest)


def _runs(found: Sequence[str], longest: int) -> Iterator[str]:
    for begin in range(len(found)):
        key = found[begin]
        yield key
        for word in found[begin + 1 : begin + longest]:
            key = f"{key} {word}"
            yield key


def longest_only(keys: Iterable[str]) -> list[str]:
    """Those keys that are not part of another one: who asks for "Maurice, Prince of Orange" does not ask for Orange."""
    found = sorted(set(keys), key=lambda key: (-len(key), key))
    return [key for i, key in enumerate(found) if not any(f" {key} " in f" {longer} " for longer in found[:i])]
