"""What a pair is called, and where names could stand in a text."""

from __future__ import annotations

from typing import Any

import pytest

from shared.names import MAX_NAME_WORDS, MAX_NAMES, key_of, longest_only, names_of, phrases


def named(
    question: str = "Is it?", heading_path: tuple[str, ...] = (), title: str | None = None, **fields: Any
) -> list[tuple[str, str]]:
    found = names_of(question=question, heading_path=heading_path, fields=fields, document_title=title)
    return [(name.text, name.kind) for name in found]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Maurice, Prince of Orange", "maurice prince of orange"),
        ("İSTANBUL", "istanbul"),
        ("거북선", "거북 북선"),
        ("x", None),
        ("IS", None),
        ("신", None),
        ("김치", "김치"),
        ("", None),
        ("— !", None),
        ("1984", None),
        ("19 84", None),
        ("1984 A", "1984 a"),
        (" ".join(["word"] * (MAX_NAME_WORDS + 1)), None),
        ("x" * 100_000, None),
    ],
)
def test_a_name_has_a_key_or_is_none(name: str, key: str | None) -> None:
    assert key_of(name) == key


def test_a_record_is_called_by_its_title_with_and_without_what_is_in_brackets() -> None:
    assert named("Agni (2004 film)") == [("Agni (2004 film)", "focus"), ("Agni", "alias")]


def test_a_question_is_no_name() -> None:
    assert named("When is it open?") == named("언제 열어요？") == []


def test_focus_and_aliases_are_found_whatever_their_fields_are_written_like() -> None:
    fields: dict[str, Any] = {
        "Focus": "Gout",
        "Also Known As": "Podagra; Gouty arthritis",
        "synonyms": ["Uric acid disease", 7, None],
    }
    assert named(**fields) == [
        ("Gout", "focus"),
        ("Podagra", "alias"),
        ("Gouty arthritis", "alias"),
        ("Uric acid disease", "alias"),
    ]


def test_a_section_is_called_by_its_heading_and_by_its_document() -> None:
    assert named("Care › Oiling the chain", ("Care", "Oiling the chain"), "Care guide") == [
        ("Oiling the chain", "heading"),
        ("Care guide", "document"),
    ]
    assert named("Care › Introduction", ("Care", "Introduction"), None) == []


def test_a_pair_has_only_so_many_names() -> None:
    assert len(named(synonyms=[f"name number {n}x" for n in range(1_000)])) == MAX_NAMES


def test_phrases_are_all_runs_of_words_up_to_the_longest_name() -> None:
    assert list(phrases("Die Sonne, scheint")) == [
        "die",
        "die sonne",
        "die sonne scheint",
        "sonne",
        "sonne scheint",
        "scheint",
    ]
    words = " ".join(f"w{n}" for n in range(100))
    assert sum(1 for _ in phrases(words)) == sum(min(MAX_NAME_WORDS, 100 - n) for n in range(100))
    assert list(phrases(words, max_words=1)) == ["w0"]
    assert list(phrases(words, max_words=3)) == ["w0", "w0 w1", "w1", "w99"]


def test_of_names_within_names_the_longest_counts() -> None:
    assert longest_only(["orange", "prince of orange", "maurice prince of orange", "range"]) == [
        "maurice prince of orange",
        "range",
    ]


def test_a_text_of_blanks_is_no_name() -> None:
    assert named("a" + " " * 500_000 + "b") == []
