"""Which column of a table, or field of a record, is which part of a pair."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions.ingest.pair_words import PAIR_WORDS
from shared.aliases import ALIAS_FIELDS, folded_name


def _called(side: str) -> tuple[str, ...]:
    """What that side of a pair is called in every language, as `folded_name` writes it."""
    return tuple(folded_name(word) for row in PAIR_WORDS for word in getattr(row.words(), side))


# The first name that a record has is taken. English, Turkish, Korean, German, French, Spanish; pairs in more languages.
COLUMN_NAMES: Mapping[str, tuple[str, ...]] = {
    "question": (
        *("question", "questions", "q", "query", "prompt", "faq"),
        *dict.fromkeys(("sorular", *_called("question"), "instruction")),
    ),
    "response": (
        *("answer", "answers", "response", "a", "reply", "completion"),
        *dict.fromkeys((*_called("answer"), "output")),
    ),
    "text": ("text", "content", "body", "passage", "abstract", "contents", "metin", "icerik", "본문", "내용"),
    "title": ("title", "heading", "subject", "name", "baslik", "제목", "titel", "titre", "titulo"),
    "external_id": ("id", "_id", "qa_id", "external_id", "record_id", "doc_id", "key", "uuid", "번호"),
    "category": ("category", "kategori", "분류", "카테고리", "kategorie", "categorie", "categoria", "topic"),
    "subcategory": ("subcategory", "sub_category", "alt_kategori", "qtype", "question_type", "type"),
    "source": ("source", "kaynak", "출처", "quelle", "fuente"),
    "source_type": ("source_type", "collection", "kaynak_turu"),
    "author": ("author", "authors", "yazar", "저자", "작성자", "autor", "auteur"),
    "published_at": (
        *("published_at", "published", "publication_date", "date", "created_at", "updated_at"),
        *("tarih", "yayin_tarihi", "날짜", "datum", "fecha"),
    ),
    "language": ("language", "lang", "locale", "dil", "언어", "sprache", "langue", "idioma"),
    "difficulty": ("difficulty", "level", "zorluk", "난이도"),
    "tags": ("tags", "tag", "keywords", "labels", "etiketler", "태그", "키워드"),
    "is_active": ("is_active", "active", "enabled", "aktif"),
    "aliases": ALIAS_FIELDS,
    "related": ("related", "related_ids", "related_nodes", "see_also", "relations", "iliskili"),
}

# One of these alone may mean anything.
_ONLY_TOGETHER = ({"q", "a"}, {"instruction", "output"})


def find_columns(names: Mapping[str, Any], chosen: Mapping[str, str]) -> dict[str, str]:
    """Part of a pair to the record's own name for it; `chosen` goes before what is found."""
    known = {folded_name(name): name for name in reversed(list(names))}
    chosen_names = {
        part: wanted if wanted in names else known.get(folded_name(wanted)) for part, wanted in chosen.items()
    }
    found = {part: name for part, name in chosen_names.items() if name}
    taken = set(found.values())
    lone = {key for together in _ONLY_TOGETHER if not known.keys() >= together for key in together}
    taken |= {name for key, name in known.items() if key in lone}
    for part, candidates in COLUMN_NAMES.items():
        name = next((known[c] for c in candidates if c in known and known[c] not in taken), None)
        if part not in found and name is not None:
            found[part] = name
            taken.add(name)
    return found
